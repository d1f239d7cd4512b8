import numpy as np
import pytest

from kaoiro.corpus.contact_sheet import FACE_SIDE, FACES_A_BLOCK, draw_contact_sheet, look_at_pictures
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.store import write_corpus
from kaoiro.corpus.summary import summarise
from kaoiro.errors import CorpusError
from kaoiro.expressions import Expression

HEAD = 20 + 34


@pytest.fixture
def looked_at(tmp_path, monkeypatch):
    """Look at a corpus of faces that are each of one grey, in row groups of ten."""
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_ROWS", 10)

    def look(greys, numbers=()):
        faces = [
            LabelledFace(encode_png(np.full((48, 48), grey, np.uint8)), "a.png", "x", label, None, split)
            for (label, split), all_greys in greys.items()
            for grey in all_greys
        ]
        write_corpus(tmp_path / "c.parquet", faces)
        stored = open_row_groups(tmp_path / "c.parquet")
        summary = summarise(stored)
        return summary, look_at_pictures(stored, summary)

    return look


def greys_in(line):
    """The greys of a horizontal line's long stretches, from left to right."""
    edges = np.flatnonzero(np.diff(line.astype(int))) + 1
    return [int(stretch[0]) for stretch in np.split(line, edges) if len(stretch) == FACE_SIDE]


def test_faces_are_taken_evenly_from_the_first_to_the_last(looked_at):
    summary, looks = looked_at({(Expression.FEAR, None): range(0, 241, 8), (Expression.ANGER, None): [7, 9]})
    sheet = draw_contact_sheet(summary, looks)
    assert sheet.dtype == np.uint8
    middle_of_anger, middle_of_fear = HEAD + FACE_SIDE // 2, HEAD + FACE_SIDE + 4 + FACE_SIDE // 2
    # names and counts are left of x = 170; rows come in the order of the expressions
    assert greys_in(sheet[middle_of_anger, 160:, 0]) == [7, 9]
    drawn = greys_in(sheet[middle_of_fear, 160:, 0])
    assert len(drawn) == FACES_A_BLOCK[1]
    assert (drawn[0], drawn[-1]) == (0, 240)
    assert set(np.diff(drawn)) == {16}


def test_splits_stand_side_by_side(looked_at):
    fear = Expression.FEAR
    greys = {(fear, "test"): [1, 2], (fear, "train"): range(100, 112), (Expression.ANGER, "train"): [3]}
    sheet = draw_contact_sheet(*looked_at(greys))
    assert greys_in(sheet[HEAD + FACE_SIDE // 2, 160:, 0]) == [3]
    drawn = greys_in(sheet[HEAD + FACE_SIDE + 4 + FACE_SIDE // 2, 160:, 0])
    assert drawn == [100, 102, 103, 105, 106, 108, 109, 111, 1, 2]


@pytest.mark.parametrize("label", [*Expression, None])
def test_each_line_has_a_name_that_fits(looked_at, label):
    sheet = draw_contact_sheet(*looked_at({(label, None): [0]}))
    names = sheet[HEAD : HEAD + FACE_SIDE, :170]
    assert (names < 100).any()
    assert (names[:, :20] == 255).all()
    assert (names[:, 160:] == 255).all()


def test_sizes(looked_at):
    _, looks = looked_at({(Expression.FEAR, None): range(25)})
    assert looks.sizes.tolist() == [[48, 48]] * 25


def test_a_picture_that_cannot_be_read(tmp_path):
    write_corpus(tmp_path / "c.parquet", [LabelledFace(b"no picture", "a", "x:1", Expression.FEAR)])
    stored = open_row_groups(tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match=r"c\.parquet: .*'x:1'.*; import the corpus again"):
        look_at_pictures(stored, summarise(stored))
