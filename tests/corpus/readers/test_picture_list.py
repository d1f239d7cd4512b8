import json
import os
import re

import numpy as np
import pytest

from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.readers.picture_list import PICTURE_LIST, read_picture_list
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES


@pytest.fixture
def write_list(tmp_path, save_picture):
    """Write a list beside two pictures, and give the list."""
    save_picture("a.png")
    save_picture("faces/b, b.png", np.zeros((5, 5), np.uint8))

    def write(*lines, name="list.csv", end="\n", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(end.join([*lines, ""]).encode(encoding))
        return path

    return write


def read(source, label_map=(), notes=None):
    on_note = (lambda note: None) if notes is None else notes.append
    return list(read_picture_list(source, ReadOptions(names=parse_label_map(label_map), on_note=on_note)).rows)


@pytest.mark.parametrize(
    "lines",
    [
        ["path,label,split,subject", 'a.png,happy,train,S1', '"faces/b, b.png",Sadness,PublicTest,']
        ,["File Name;Emotion;Usage;person_id", "a.png;happy;Training;S1", "faces/b, b.png;sad;val;"],
        ["subject\tset\tclass\timg", "S1\ttrain\tjoy\ta.png", "\tdev\t3_sad\tfaces\\b, b.png"],
        [
            '{"image": "a.png", "expression": "happy", "partition": "train", "film": "S1", "box": [1, 2]}',
            '{"expression": "sad", "image": "faces/b, b.png", "partition": "validation", "film": null}',
        ],
    ],
    ids=["commas", "semicolons", "tabs", "json"],
)  # fmt: skip
@pytest.mark.parametrize(("end", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8-sig")])
def test_lists_in_every_form(write_list, tmp_path, lines, end, encoding):
    source = write_list(*lines, "", end=end, encoding=encoding)
    assert layout_of(source) is layout_of(tmp_path) is PICTURE_LIST
    first, second = read(source)
    line = 1 if lines[0].startswith("{") else 2
    assert first == LabelledFace(
        (tmp_path / "a.png").read_bytes(), "a.png", f"list.csv:{line}", "happiness", split="train", group="S1"
    )
    assert (second.name, second.label, second.split, second.group) == ("b, b.png", "sadness", "validation", None)
    assert read(tmp_path) == [first, second]


def test_numbers_and_votes(write_list, tmp_path):
    votes = ",".join(["neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"])
    source = write_list(
        f"path,{votes},age,Valence,arousal,remark,empty",
        "a.png,0,7,0,2,0,0,0,0,1,0,31,-0.5,nan,good,",
        f"{tmp_path}/a.png,,,,,,,,,,,,.25,1e-1,7,",  # an absolute path
        "a.png,0,7,0,2,0,0,0,0,1,,20,0,0,,",
        "a.png,0,7,0,2,0,0,0,0,1,0,20,high,0,,",
    )
    notes = []
    reading = read_picture_list(source, ReadOptions(on_note=notes.append))
    first, second, few_votes, no_number = reading.rows
    assert reading.numbers == ("age", "Valence", "arousal")
    assert first.numbers == {"age": 31, "Valence": -0.5}
    assert second.numbers == {"Valence": 0.25, "arousal": 0.1}
    assert dict(zip(VOTE_NAMES, first.votes, strict=True)) == dict.fromkeys(VOTE_NAMES, 0) | {
        "happiness": 7,
        "sadness": 2,
        "unknown": 1,
    }
    assert (first.label, second.votes) == (None, None)
    assert few_votes == LeftOut(f"{source}:4", "the votes for not-a-face must be a number from 0 to 255, and are ''")
    assert no_number == LeftOut(f"{source}:5", "the Valence 'high' is not a number")
    assert notes == [
        "passed over the column 'remark': line 2: 'good' is not a number",
        "1 faces have neither a label nor votes",
    ]


def test_decimal_commas(write_list):
    (face,) = read(write_list("path;label;age", "a.png;happy;0,5"))
    assert face.numbers == {"age": 0.5}


@pytest.mark.parametrize("numbers", [("3", "10"), ("+1", "-1")])
def test_labels_that_are_numbers_need_a_map(write_list, numbers):
    source = write_list("path,label", *(f"a.png,{number}" for number in numbers))
    with pytest.raises(CorpusError, match=rf"labels that are numbers .*--map {re.escape(numbers[0])}=happiness$"):
        read(source)
    happy, skipped = read(source, [f"{numbers[0]}=happiness", f"{numbers[1]}=none"])
    assert happy.label == "happiness"
    assert skipped == Skipped(f"labelled '{numbers[1]}'")


def test_labels_in_other_words_need_a_map(write_list):
    source = write_list("path,label", "a.png,glad", "a.png,bored")
    with pytest.raises(CorpusError, match="has no label that is an expression, but for example 'bored'"):
        read(source)
    happy, unknown = read(source, ["glad=happiness"])
    assert happy.label == "happiness"
    assert unknown == LeftOut(f"{source}:3", "the label 'bored' is not an expression; say what it means with --map")


def test_broken_lines_spoil_no_others(write_list, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    source = write_list(
        "path,label,split",
        "a.png,happy,train",
        'a.png,"happy,train',
        "a.png,happy",
        "lost.png,happy,train",
        "text.png,happy,train",
        "faces,happy,train",
        "a.png,happy,somewhere",
        "a\0.png,happy,train",
        f"{'a' * 300}.png,happy,train",
        ",happy,train",
        ",,",
        'a".png,happy,train',
        '"a.png",ha"ppy,train',
        "a.png,sad,test",
    )
    with source.open("ab") as file:
        file.write(b"\xff.png,happy,train\na.png,\xff,train\na.png,fear,\n")
    rows = read(source)
    assert [(row.source, row.label) for row in rows if isinstance(row, LabelledFace)] == [
        ("list.csv:2", "happiness"),
        ("list.csv:15", "sadness"),
        ("list.csv:18", "fear"),
    ]
    bad = [row for row in rows if isinstance(row, LeftOut)]
    assert [row.where for row in bad] == [f"{source}:{line}" for line in (3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17)]
    for row, what in zip(
        bad,
        [
            "quotation mark is not closed",
            "3 columns are expected, and there are 2",
            "lost.png: cannot be read (No such file",
            "text.png: ",
            "'faces' is not a file",
            "the split 'somewhere' is none of",
            "is not the path of a picture",
            "cannot be read",
            "names no picture",
            "cannot be read (No such file",
            "the label 'ha\"ppy' is not an expression",
            "cannot be read",
            "is not an expression",
        ],
        strict=True,
    ):
        assert what in row.what
        assert row.what.isprintable()


def test_a_list_whose_pictures_are_all_elsewhere(write_list, tmp_path):
    lines = ["path,label", ",happy", *(f"in/{number}.png,happy" for number in range(19))]
    assert len(read(write_list(*lines))) == 20
    message = f"none of the first 20 pictures that .* 'in/0.png'; paths .* relative to the list's folder, {tmp_path}$"
    with pytest.raises(CorpusError, match=message):
        read(write_list(*lines, "last.png,happy", "a.png,happy"))
    assert len(read(write_list(*lines, "a.png,happy"))) == 21


def test_the_wrong_one_of_fer2013s_two_files(write_list):
    votes = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = [f"Training,fer{number:07}.png,4,0,0,1,3,2,0,0,0,0" for number in range(20)]
    source = write_list(f"Usage,Image name,{votes}", *rows, name="fer2013new.csv")
    with pytest.raises(
        CorpusError, match=rf"FERPlus's votes .* import fer2013\.csv --ferplus {source} -o fer2013.parquet$"
    ):
        read(source)


def test_a_field_over_several_lines(write_list):
    first, second = read(write_list("path,label,group", 'a.png,happy,"one', "", 'two"', "a.png,sad,x"))
    assert (first.group, first.source) == ("one\n\ntwo", "list.csv:2")
    assert (second.group, second.source) == ("x", "list.csv:5")


def test_broken_json_lines(write_list):
    good = json.dumps({"path": "a.png", "label": "happy"})
    odd = [good[:-1], "[1]", "[" * 100_000, '{"path": "\\ud800.png", "label": "happy"}', '{"label": "happy"}']
    odd.append(good.replace("path", "pa-th"))
    rows = read(
        write_list(odd[-1], good, *odd[:-1], '{"path": "a.png", "label": "sad", "group": "\\ud800"}', name="list.jsonl")
    )
    assert [row.label for row in rows if isinstance(row, LabelledFace)] == ["happiness", "sadness"]
    assert rows[-1].group == "\ufffd"
    assert sum(isinstance(row, LeftOut) for row in rows) == len(odd)


def test_what_an_export_adds(write_list):
    source = write_list(
        "path,label,original_name,original_source,number:subject,number:",
        "a.png,happy, odd name ,fer2013.csv:3,1,2",
        "a.png,happy,,,,",
    )
    first, second = read(source)
    assert (first.name, first.source, first.numbers) == (" odd name ", "fer2013.csv:3", {"subject": 1, "": 2})
    assert (second.name, second.source, second.group, second.numbers) == ("a.png", "list.csv:3", None, {})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"list.csv": "file,age\na.png,3\n"}, "has none; give the list"),
        ({"list.csv": "path,label\n", "other.tsv": "img\tlabel\n"}, r"has 2: list\.csv, other\.tsv; give the list"),
    ],
)
def test_folders_without_one_list(tmp_path, names, message):
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    assert not PICTURE_LIST.looks_like(tmp_path)
    with pytest.raises(CorpusError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a list of pictures: its first line must name the columns"),
        (b"a.png happy\n", "is not a list of pictures"),
        ("path,label\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"path,label,x,x\n", "has two columns of the name 'x'"),
    ],
)
def test_files_that_are_no_list(tmp_path, content, message):
    source = tmp_path / "list.csv"
    source.write_bytes(content)
    assert not PICTURE_LIST.looks_like(source)
    with pytest.raises(CorpusError, match=message):
        read(source)


def test_a_list_that_goes_away(write_list):
    source = write_list("path,label", "a.png,happy")
    rows = read_picture_list(source, ReadOptions()).rows
    source.unlink()
    with pytest.raises(CorpusError, match="cannot read"):
        list(rows)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_pipe_is_not_waited_for(write_list, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (row,) = read(write_list("path,label", "pipe.png,happy"))
    assert row.what == "'pipe.png' is not a file"
