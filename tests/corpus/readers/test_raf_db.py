import pytest

from corpus.layout_fixtures import RAF_DB_LABELS, write_raf_db, write_raf_db_kaggle, write_text
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.readers.raf_db import read_raf_db
from kaoiro.errors import CorpusError

LIST = "basic/EmoLabel/list_patition_label.txt"


def read(source, **options):
    return list(read_raf_db(source, ReadOptions(**options)).rows)


@pytest.mark.parametrize("source", ["basic", "basic/EmoLabel", LIST])
def test_a_source_below_the_corpus(tmp_path, source):
    expected = write_raf_db(tmp_path)
    assert [face.source for face in read(tmp_path / source)] == [face.source for face in expected]


def test_aligned_pictures_go_before_the_original_ones(tmp_path):
    write_raf_db(tmp_path, "original")
    assert {face.name for face in read(tmp_path)} == {f"{name}.jpg" for name in RAF_DB_LABELS}
    write_raf_db(tmp_path, "aligned")
    assert {face.name for face in read(tmp_path)} == {f"{name}_aligned.jpg" for name in RAF_DB_LABELS}


def test_broken_lines_and_pictures_are_left_out_and_the_rest_goes_on(tmp_path):
    write_raf_db(tmp_path)
    listed, aligned = tmp_path / LIST, tmp_path / "basic/Image/aligned"
    lines = listed.read_text().splitlines()
    lines[1:1] = ["train_00002.jpg 8", "train_00002.jpg", "holiday.jpg 3", "train_00099.jpg 1", "", "../x.jpg 4"]
    write_text(listed, "\r\n".join(lines))
    (aligned / "test_0003_aligned.jpg").write_bytes(b"no picture")
    rows = read(tmp_path)
    assert [row.name for row in rows if isinstance(row, LabelledFace)] == [
        f"{name}_aligned.jpg" for name in list(RAF_DB_LABELS)[:-1]
    ]
    assert [str(row) for row in rows if isinstance(row, LeftOut)] == [
        f"{listed}:2: the label '8' is not one of 1, 2, 3, 4, 5, 6, 7",
        f"{listed}:3: the label '' is not one of 1, 2, 3, 4, 5, 6, 7",
        f"{listed}:4: 'holiday_aligned.jpg' is not a name such as 'train_00001.jpg'",
        f"{listed}:5: its picture 'train_00099_aligned.jpg' is not in {aligned}",
        f"{listed}:7: 'x_aligned.jpg' is not a name such as 'train_00001.jpg'",
        f"{aligned / 'test_0003_aligned.jpg'}: it is no picture in a known format",
    ]


def test_pictures_without_a_line_are_noted_once(tmp_path):
    write_raf_db(tmp_path)
    listed = tmp_path / LIST
    listed.write_text("".join(listed.read_text().splitlines(keepends=True)[2:]))
    notes = []
    assert len(read(tmp_path, on_note=notes.append)) == len(RAF_DB_LABELS) - 2
    assert notes == [
        f"left out 2 pictures in {tmp_path / 'basic/Image/aligned'} that list_patition_label.txt does not name: "
        "'train_00001_aligned.jpg' and others"
    ]


@pytest.mark.parametrize("folder", ["compound", "elsewhere"])
def test_compound_labels_are_refused(tmp_path, folder):
    lines = "".join(f"train_{number:05}.jpg {1 + number % 11}\n" for number in range(44))
    write_text(tmp_path / folder / "EmoLabel/list_patition_label.txt", lines)
    with pytest.raises(CorpusError, match=r"compound expressions such as .*; give RAF-DB's folder basic"):
        read(tmp_path / folder)


def test_the_basic_expressions_are_read_where_the_compound_ones_lie_beside_them(tmp_path):
    expected = write_raf_db(tmp_path)
    write_text(tmp_path / "compound/EmoLabel/list_patition_label.txt", "train_0001.jpg 9\n")
    assert len(read(tmp_path)) == len(expected)


def test_a_list_without_its_pictures(tmp_path):
    write_text(tmp_path / LIST, "train_00001.jpg 5\n")
    with pytest.raises(CorpusError, match=r"basic lacks the pictures of .*: put them into .*Image/aligned"):
        read(tmp_path)


def test_a_map_goes_before_the_numbers(tmp_path):
    write_raf_db(tmp_path)
    rows = read(tmp_path, names=parse_label_map(["7=none", "3=anger"]))
    assert sum(isinstance(row, LabelledFace) and row.label == "anger" for row in rows) == 2
    assert [row for row in rows if isinstance(row, Skipped)] == [Skipped("labelled '7'")]


def test_one_split_of_kaggles_form(tmp_path):
    expected = write_raf_db_kaggle(tmp_path)
    faces = read(tmp_path / "DATASET" / "test")
    assert [(face.split, face.label) for face in faces] == [
        (face.split, face.label) for face in expected if face.split == "test"
    ]


def test_a_strange_picture_in_kaggles_form(tmp_path, save_picture):
    write_raf_db_kaggle(tmp_path)
    strange = save_picture("DATASET/train/1/zebra.png")
    (left_out,) = (row for row in read(tmp_path) if isinstance(row, LeftOut))
    assert str(left_out) == f"{strange}: 'zebra.png' is not a name such as 'train_00001.jpg'"
