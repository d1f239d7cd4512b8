import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.hugging_face import HUGGING_FACE, read_hugging_face
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(grey=0, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def write_parquet(tmp_path):
    """Write columns as a Parquet file, and give the file."""

    def write(name="data/train-00000-of-00001.parquet", classes=None, **columns):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        features = {"label": {"names": classes, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})} if classes else None
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
        return path

    return write


def images(*encoded, path="a.png"):
    return pa.array([{"bytes": one, "path": path} for one in encoded], STRUCT)


def read(source, label_map=(), notes=None):
    on_note = (lambda note: None) if notes is None else notes.append
    return list(read_hugging_face(source, ReadOptions(names=parse_label_map(label_map), on_note=on_note)).rows)


def test_class_labels(write_parquet, tmp_path):
    write_parquet(
        image=images(picture(1), picture(2)),
        label=pa.array([1, 0]),
        classes=["Angry", "happy"],
        name="data/train-0.parquet",
    )
    write_parquet(image=images(picture(3)), label=pa.array([0]), classes=["sad", "?"], name="data/test-0.parquet")
    assert layout_of(tmp_path) is HUGGING_FACE
    with pytest.raises(CorpusError, match=r"has the class '\?', which is none of .*--map '\?=none'$"):
        read(tmp_path)
    assert read(tmp_path, ["sad=none", "?=none"])[0] == Skipped("labelled 'sad'")
    sad, happy, angry = read(tmp_path, ["?=none"])  # the numbers mean what each file says
    assert sad == LabelledFace(picture(3), "a.png", "data/test-0.parquet:1", "sadness", split="test")
    assert happy == LabelledFace(picture(1), "a.png", "data/train-0.parquet:1", "happiness", split="train")
    assert (angry.label, angry.source) == ("anger", "data/train-0.parquet:2")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "README.md",
            "---\nlicense: mit\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n"
            "    dtype:\n      class_label:\n        names:\n          '0': angry\n          '1': happy\n---\n",
        ),
        ("dataset_infos.json", '{"default": {"features": {"image": {}, "label": {"names": ["angry", "happy"]}}}}'),
    ],
)
@pytest.mark.parametrize("given", ["", "data", "data/train-00000-of-00001.parquet"])
def test_names_of_classes_beside_the_files(write_parquet, tmp_path, file, text, given):
    write_parquet(image=images(picture()), label=pa.array([1]))
    (tmp_path / file).write_text(text)
    assert [face.label for face in read(tmp_path / given)] == ["happiness"]
    (tmp_path / file).write_text(text[: text.index("angry")] + "[")
    if not given:
        with pytest.raises(CorpusError, match="labels that are numbers in the column 'label', and no names for them"):
            read(tmp_path)


def test_numbers_without_names_need_a_map(write_parquet):
    source = write_parquet(image=images(*[picture()] * 4), label=pa.array([3, 7, 9, -1]))
    with pytest.raises(CorpusError, match="say what each means with --map, for example --map 0=anger"):
        read(source)
    notes = []
    happy, skipped, unknown, without = read(source, ["3=happiness", "7=none"], notes)
    assert (happy.label, happy.split) == ("happiness", "train")
    assert skipped == Skipped("labelled '7'")
    assert unknown == LeftOut(f"{source}:3", "the label '9' is not an expression; say what it means with --map")
    assert without.label is None
    assert notes == ["1 faces have neither a label nor votes"]


@pytest.mark.parametrize("label", [pa.array(["joy", None]), pa.array(["joy", None]).dictionary_encode()])
def test_words_plain_bytes_and_further_columns(write_parquet, label):
    source = write_parquet(
        "faces.parquet",
        id=pa.array(["x", "y"]),
        Img=pa.array([picture(), picture(9, "JPEG")]),
        emotion=label,
        usage=pa.array(["PrivateTest", ""]),
        subject_id=pa.array([7, None]),
        valence=pa.array([0.5, None], pa.float32()),
        glasses=pa.array([True, False]),
    )
    assert layout_of(source) is HUGGING_FACE
    reading = read_hugging_face(source, ReadOptions())
    first, second = reading.rows
    assert reading.numbers == ("valence", "glasses")
    assert first == LabelledFace(
        picture(), "faces_1.png", "faces.parquet:1", "happiness", split="test", group="7",
        numbers={"valence": 0.5, "glasses": 1},
    )  # fmt: skip
    assert (second.name, second.label, second.split, second.group) == ("faces_2.jpg", None, None, None)
    assert second.numbers == {"glasses": 0}


def test_broken_rows(write_parquet):
    source = write_parquet(
        image=pa.array([{"bytes": picture()[:40]}, {"path": "b.png"}, None, {"bytes": picture()}], STRUCT),
        label=pa.array(["happy", "happy", "happy", "sleepy"]),
    )
    rows = read(source)
    assert [row.where for row in rows] == [f"{source}:{number}" for number in (1, 2, 3, 4)]
    assert rows[1].what == "the row has no picture, only the path 'b.png'"
    assert rows[2].what == "the row has no picture"
    assert "'sleepy' is not an expression" in rows[3].what


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/validation-00000-of-00002.parquet", "validation"),
        ("default/test/0000.parquet", "test"),
        ("default/partial-train/0000.parquet", "train"),
        ("train/test.parquet", "test"),
        ("faces.parquet", None),
    ],
)
def test_splits_by_name(write_parquet, tmp_path, name, split):
    write_parquet(name, image=images(picture()), label=pa.array(["sad"]))
    assert [face.split for face in read(tmp_path)] == [split]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": pa.array(["sad"])}, "has no column of pictures; its columns are label"),
        ({"image": images(b""), "age": pa.array([3])}, "has no column of labels, such as label; its columns are image"),
        ({"image": images(b""), "label": pa.array([0.5])}, "has labels of the type double in the column 'label'"),
    ],
)
def test_unusable_files(write_parquet, columns, message):
    with pytest.raises(CorpusError, match=message):
        read(write_parquet(**columns))


def test_a_corpus_of_kaoiro(drawn_corpus, tmp_path):
    assert layout_of(drawn_corpus) is HUGGING_FACE
    with pytest.raises(CorpusError, match="is a corpus of Kaoiro already"):
        read(drawn_corpus)
    # One that lies in a folder does not make the folder a dataset.
    (tmp_path / "corpus.parquet").write_bytes(drawn_corpus.read_bytes())
    assert not HUGGING_FACE.looks_like(tmp_path)


def test_folders_and_files_that_are_no_parquet(tmp_path):
    with pytest.raises(CorpusError, match="has no Parquet files"):
        read(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert not HUGGING_FACE.looks_like(tmp_path)
    with pytest.raises(CorpusError, match=r"cannot read .*a\.parquet: "):
        read(tmp_path)
