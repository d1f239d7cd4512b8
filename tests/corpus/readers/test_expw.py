import io

import numpy as np
import pytest
from PIL import Image

from corpus.layout_fixtures import EXPW_LINES, write_expw, write_text
from kaoiro.corpus.importing import import_corpus
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.readers.expw import read_expw
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError


def read(source, **options):
    return list(read_expw(source, ReadOptions(**options)).rows)


@pytest.mark.parametrize("source", ["label", "label/label.lst"])
def test_a_source_below_the_corpus(tmp_path, source):
    write_expw(tmp_path)
    (tmp_path / "label/image").symlink_to(tmp_path / "image")
    assert len(read(tmp_path / source)) == len(EXPW_LINES)


def test_faces_are_cut_out_by_their_box_within_the_picture(tmp_path):
    write_expw(tmp_path)
    for face, line in zip(read(tmp_path), EXPW_LINES, strict=True):
        name, number, top, left, right, bottom, *_ = line
        whole = np.asarray(Image.open(tmp_path / "image/origin" / name))  # 48 high, 64 wide
        cut = whole[max(top, 0) : min(bottom, 48), max(left, 0) : min(right, 64)]
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(face.image_bytes))), cut)
        assert face.name == f"{name[:-4]}_{number}.png"


def test_the_detectors_confidence_is_a_column(tmp_path):
    write_expw(tmp_path / "in")
    import_corpus(tmp_path / "in", tmp_path / "c.parquet")
    confidence = open_corpus(tmp_path / "c.parquet").column("face_box_confidence")
    np.testing.assert_allclose(confidence, [float(line[6]) for line in EXPW_LINES])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("calm_boy_1.jpg 0 5 5 45 45 60.0", "8 fields are expected, and there are 7"),
        ("gone.jpg 0 5 5 45 45 60.0 6", "its picture 'gone.jpg' is not in"),
        ("../origin/calm_boy_1.jpg 0 5 5 45 45 60.0 6", "is not in"),
        ("calm_boy_1.jpg 0 5 5 45 4² 60.0 6", "must be whole numbers, and one is '4²'"),
        ("calm_boy_1.jpg 0 5 5 45 45 nan 6", "the confidence must be a number, and is 'nan'"),
        ("calm_boy_1.jpg 0 5 5 45 45 60.0 7", "the label '7' is not one of 0, 1, 2, 3, 4, 5, 6"),
        (
            "calm_boy_1.jpg 0 5 70 90 45 60.0 6",
            "its box (70, 5 to 90, 45) has nothing of its picture of 64 × 48 pixels",
        ),
        ("calm_boy_1.jpg 0 45 5 45 5 60.0 6", "has nothing of its picture"),
        ("calm_boy_1.jpg 0 5 5 -45 -45 60.0 6", "has nothing of its picture"),
    ],
)
def test_broken_lines_are_left_out_and_the_rest_goes_on(tmp_path, line, what):
    write_expw(tmp_path)
    listed = tmp_path / "label/label.lst"
    write_text(listed, f"{line}\n{listed.read_text()}")
    left_out, *faces = read(tmp_path)
    assert isinstance(left_out, LeftOut)
    assert left_out.where == f"{listed}:1"
    assert what in left_out.what
    assert len(faces) == len(EXPW_LINES)


def test_a_broken_picture_takes_its_own_faces_with_it(tmp_path):
    write_expw(tmp_path)
    (tmp_path / "image/origin/happy_family_12.jpg").write_bytes(b"")
    rows = read(tmp_path)
    broken = tmp_path / "image/origin/happy_family_12.jpg"
    assert [str(row) for row in rows if isinstance(row, LeftOut)] == [
        f"{tmp_path}/label/label.lst:{line}: its picture {broken}: the file is empty" for line in (3, 4)
    ]
    assert sum(isinstance(row, LabelledFace) for row in rows) == len(EXPW_LINES) - 2


def test_names_with_blanks_and_pictures_without_a_line(tmp_path):
    write_expw(tmp_path)
    origin, listed = tmp_path / "image/origin", tmp_path / "label/label.lst"
    (origin / "calm_boy_1.jpg").rename(origin / "calm boy.jpg")
    (origin / "sad_man_3.jpg").rename(origin / "other.jpg")
    write_text(listed, listed.read_text().replace("calm_boy_1", "calm boy"))
    notes = []
    faces = [row for row in read(tmp_path, on_note=notes.append) if isinstance(row, LabelledFace)]
    assert faces[4].name == "calm boy_0.png"
    assert notes == [f"left out 1 picture in {origin} that label.lst does not name: 'other.jpg'"]


def test_a_map(tmp_path):
    write_expw(tmp_path)
    assert Skipped("labelled '6'") in read(tmp_path, names=parse_label_map(["6=none"]))


def test_a_list_without_its_pictures(tmp_path):
    write_text(tmp_path / "label/label.lst", "a.jpg 0 5 5 45 45 60.0 6\n")
    with pytest.raises(CorpusError, match=r"put them into .*image/origin"):
        read(tmp_path)
