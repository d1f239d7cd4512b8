import numpy as np
import pytest

from kaoiro.corpus.contact_sheet import FACE_SIDE, FACES_A_CLASS, draw_contact_sheet
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.expressions import Expression


def sheet_of(tmp_path, greys_by_label):
    """Draw the sheet of faces that are each of one grey."""
    faces = [
        LabelledFace(encode_png(np.full((48, 48), grey, np.uint8)), "a.png", "x", label)
        for label, greys in greys_by_label.items()
        for grey in greys
    ]
    write_corpus(tmp_path / "c.parquet", faces)
    return draw_contact_sheet(open_corpus(tmp_path / "c.parquet"))


def greys_in(line):
    """The greys of a horizontal line's long stretches, from left to right."""
    edges = np.flatnonzero(np.diff(line.astype(int))) + 1
    return [int(stretch[0]) for stretch in np.split(line, edges) if len(stretch) == FACE_SIDE]


def test_faces_are_taken_evenly_from_the_first_to_the_last(tmp_path):
    sheet = sheet_of(tmp_path, {Expression.FEAR: range(0, 241, 8), Expression.ANGER: [7, 9]})
    assert sheet.dtype == np.uint8
    middle_of_anger, middle_of_fear = 20 + FACE_SIDE // 2, 20 + FACE_SIDE + 4 + FACE_SIDE // 2
    # names and counts are left of x = 170; rows come in the order of the expressions
    assert greys_in(sheet[middle_of_anger, 160:, 0]) == [7, 9]
    drawn = greys_in(sheet[middle_of_fear, 160:, 0])
    assert len(drawn) == FACES_A_CLASS
    assert (drawn[0], drawn[-1]) == (0, 240)
    assert set(np.diff(drawn)) == {16}


@pytest.mark.parametrize("label", [*Expression, None])
def test_each_line_has_a_name_that_fits(tmp_path, label):
    sheet = sheet_of(tmp_path, {label: [0]})
    names = sheet[20 : 20 + FACE_SIDE, :170]
    assert (names < 100).any()
    assert (names[:, :20] == 255).all()
    assert (names[:, 160:] == 255).all()
