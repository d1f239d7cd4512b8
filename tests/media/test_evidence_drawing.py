import numpy as np
import pytest

from kaoiro.cli.explain import KEY
from kaoiro.expressions import Expression, Language
from kaoiro.media.evidence_drawing import AGAINST, FOR, FaceEvidence, draw_evidence, overlay


def half_and_half():
    evidence = np.zeros((8, 8))
    evidence[:, :2], evidence[:, -2:] = 3.0, -3.0
    return evidence


def test_for_and_against_get_their_colours_and_the_rest_stays_grey():
    face = np.full((80, 80, 3), 128, np.uint8)
    drawn = overlay(face, half_and_half()).astype(int)
    left, middle, right = drawn[40, 4], drawn[40, 40], drawn[40, 75]
    assert np.abs(left - FOR).sum() < np.abs(middle - FOR).sum() < np.abs(right - FOR).sum()
    assert np.abs(right - AGAINST).sum() < np.abs(left - AGAINST).sum()
    assert np.ptp(middle) <= 6


def test_without_evidence_a_face_is_grey():
    face = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    assert (np.ptp(overlay(face, np.zeros((5, 5))), axis=2) == 0).all()


def test_the_scale_is_each_face_s_own():
    face = np.full((30, 30, 3), 90, np.uint8)
    assert np.array_equal(overlay(face, half_and_half()), overlay(face, half_and_half() / 1024))


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_every_face_has_a_place_of_its_own(count):
    faces = [FaceEvidence(str(n), np.full((8, 8), 10 * n + 40, np.uint8), half_and_half()) for n in range(count)]
    drawn = draw_evidence(faces, speaks_for="for", speaks_against="against")
    for n in range(count):
        # The face as it is, 320 × 320 pixels, in its own grey.
        assert (drawn == 10 * n + 40).all(axis=2).sum() >= 320 * 320


def test_grey_and_colour_faces():
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 0] = 200
    drawn = draw_evidence([FaceEvidence("a", colour, half_and_half())], speaks_for="for", speaks_against="against")
    assert (drawn == (200, 0, 0)).all(axis=2).sum() == 320 * 320


@pytest.mark.parametrize("words", [*(one.label("ja") for one in Expression), *KEY[Language.JAPANESE]])
def test_japanese_words_have_letters(words):
    # What stands for each letter that a font lacks.
    blanks = "".join(one if one.isascii() else "\uffff" for one in words)
    drawn, empty = (
        draw_evidence(
            [FaceEvidence(text, np.zeros((8, 8), np.uint8), half_and_half())],
            speaks_for=text,
            speaks_against="",
            language=Language.JAPANESE,
        )
        for text in (words, blanks)
    )
    assert drawn.shape == empty.shape
    assert not np.array_equal(drawn, empty)
