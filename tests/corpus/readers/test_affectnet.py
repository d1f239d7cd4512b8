import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corpus.layout_fixtures import AFFECTNET_FACES, draw_face, write_affectnet, write_affectnet_csv
from kaoiro.corpus.importing import import_corpus
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.readers.affectnet import read_affectnet
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError


def read(source, **options):
    return list(read_affectnet(source, ReadOptions(**options)).rows)


@pytest.mark.parametrize("write", [write_affectnet, write_affectnet_csv])
def test_valence_and_arousal_are_columns_and_minus_two_is_none(tmp_path, write):
    write(tmp_path / "in")
    summary = import_corpus(tmp_path / "in", tmp_path / "c.parquet")
    assert (summary.layout, list(summary.skipped.values())) == ("affectnet", [1])
    corpus = open_corpus(tmp_path / "c.parquet")
    for place, column in enumerate(["valence", "arousal"], 2):
        wanted = [float(face[place]) for face in AFFECTNET_FACES.values()]
        np.testing.assert_array_equal(
            corpus.column(column), np.array([np.nan if value == -2 else value for value in wanted], np.float32)
        )


@pytest.mark.parametrize(("number", "word"), [(8, "none"), (9, "uncertain"), (10, "no face")])
def test_labels_without_an_expression_are_skipped(tmp_path, number, word):
    write_affectnet(tmp_path)
    np.save(tmp_path / "train_set/annotations/0_exp.npy", np.array(str(number)))
    assert Skipped(f"labelled '{word}'") in read(tmp_path)


def test_one_set(tmp_path):
    expected = write_affectnet(tmp_path)
    faces = [row for row in read(tmp_path / "val_set") if isinstance(row, LabelledFace)]
    assert [(face.label, face.split) for face in faces] == [
        (face.label, "validation") for face in expected if face.split == "validation"
    ]


def as_file(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        as_file(np.array("3")),
        as_file(np.array(["3"])),
        as_file(np.array("3.0")),
        as_file(np.array(3)),
        as_file(np.array(3, "<u1")),
        as_file(np.array([3.0], ">f4")),
        as_file(np.array("3", ">U4")),
    ],
)
def test_arrays_of_one_value_in_any_type(tmp_path, content):
    write_affectnet(tmp_path)
    (tmp_path / "train_set/annotations/0_exp.npy").write_bytes(content)
    first, *_ = read(tmp_path)
    assert first.label == "surprise"


class _Exploit:
    def __reduce__(self):
        return pytest.fail, ("an array file was unpickled",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        as_file(np.array("3"))[:-1] + b"\xff",
        as_file(np.array(3.0))[:-1],
        as_file(np.array(np.nan)),
        as_file(np.array("3.5")),
        as_file(np.array("11")),
        as_file(np.array("happy!")),
        as_file(np.array(["3", "4"])),
        as_file(np.array(3j)),
        as_file(np.array(_Exploit(), object), allow_pickle=True),
        pickle.dumps(_Exploit()),
        as_file(np.array("3")).replace(b"'<U1'", b"'<f3'"),
    ],
)
def test_broken_arrays_are_left_out_and_the_rest_goes_on(tmp_path, content):
    write_affectnet(tmp_path)
    file = tmp_path / "train_set/annotations/2_exp.npy"
    file.write_bytes(content)
    rows = read(tmp_path)
    (left_out,) = (row for row in rows if isinstance(row, LeftOut))
    assert left_out.where == str(file)
    assert sum(isinstance(row, LabelledFace) for row in rows) == len(AFFECTNET_FACES) - 1


@given(st.binary(max_size=300))
def test_any_bytes_for_an_array(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("set")
    for folder in ("annotations", "images"):
        (root / folder).mkdir()
    (root / "annotations/0_exp.npy").write_bytes(b"\x93NUMPY\x01\x00" + content)
    Image.fromarray(draw_face(0)).save(root / "images/0.jpg")
    (row,) = read(root)
    assert isinstance(row, LeftOut)


def test_a_valence_out_of_its_range(tmp_path):
    write_affectnet(tmp_path)
    np.save(tmp_path / "val_set/annotations/1_val.npy", np.array("1.5"))
    (left_out,) = (row for row in read(tmp_path) if isinstance(row, LeftOut))
    assert left_out.what == "valence must be from -1 to 1, or -2 for none, and is 1.5"


def test_pictures_and_annotations_without_each_other(tmp_path):
    write_affectnet(tmp_path)
    (tmp_path / "train_set/images/0.jpg").rename(tmp_path / "train_set/images/77.jpg")
    notes = []
    rows = read(tmp_path, on_note=notes.append)
    assert [str(row) for row in rows if isinstance(row, LeftOut)] == [
        f"{tmp_path}/train_set/annotations/0_exp.npy: its picture '0.jpg' is not in {tmp_path}/train_set/images"
    ]
    assert notes == [f"left out 1 picture in {tmp_path}/train_set/images without an annotation: '77.jpg'"]


def test_faces_of_the_first_release_are_cut_out_by_their_box(tmp_path):
    write_affectnet_csv(tmp_path)
    face = next(row for row in read(tmp_path) if isinstance(row, LabelledFace))
    whole = np.asarray(Image.open(tmp_path / "Manually_Annotated_Images" / face.source))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(face.image_bytes))), whole[6:38, 4:34])
    assert face.name == f"{0:032x}.png"


@pytest.mark.parametrize("source", ["Manually_Annotated_file_lists", "Manually_Annotated_file_lists/training.csv"])
def test_a_source_below_the_first_release(tmp_path, source):
    write_affectnet_csv(tmp_path)
    faces = [row for row in read(tmp_path / source) if isinstance(row, LabelledFace)]
    assert len(faces) == (5 if source.endswith("training.csv") else 8)


def test_broken_lines_of_the_first_release(tmp_path):
    write_affectnet_csv(tmp_path)
    listed = tmp_path / "Manually_Annotated_file_lists/training.csv"
    header, *lines = listed.read_text().splitlines()
    lines[1] = lines[1].replace("1/", "../", 1)
    lines[2] = lines[2].replace(",4,6,", ",4,left,")
    lines[3] = lines[3].replace("0/", "5/", 1)
    lines[4] = lines[4].replace(",4,6,30,32,", ",400,6,30,32,")
    listed.write_text("\n".join([header, *lines]))
    left_out = [row for row in read(tmp_path) if isinstance(row, LeftOut)]
    assert [row.where for row in left_out] == [f"{listed}:{line}" for line in (3, 4, 5, 6)]
    for row, what in zip(left_out, ["not the path", "'left'", "is not in", "has nothing of its picture"], strict=True):
        assert what in row.what


def test_a_list_whose_first_line_is_damaged_is_not_passed_over(tmp_path):
    write_affectnet_csv(tmp_path)
    listed = tmp_path / "Manually_Annotated_file_lists/validation.csv"
    listed.write_text(listed.read_text().replace("face_x", "fase_x"))
    with pytest.raises(CorpusError, match=r"the first line of .*validation.csv is not that of AffectNet's lists"):
        read(tmp_path)


def test_lists_without_their_pictures(tmp_path):
    write_affectnet_csv(tmp_path)
    (tmp_path / "Manually_Annotated_Images").rename(tmp_path / "Pictures")
    with pytest.raises(CorpusError, match=r"put them into .*Manually_Annotated_Images"):
        read(tmp_path)
