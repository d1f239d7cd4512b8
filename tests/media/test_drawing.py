from dataclasses import dataclass

import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.expressions import Expression, Language
from kaoiro.media.drawing import COLOURS, draw
from kaoiro.media.label_font import label_font


@dataclass(frozen=True)
class Read:
    box: tuple[float, float, float, float]
    expression: Expression | None = Expression.HAPPINESS
    confidence: float = 0.93
    track: int | None = None


def area_of(image, colour):
    return int((image == colour).all(axis=2).sum())


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((480, 640), (200, 100, 300, 220)),
        ((48, 48), (4, 4, 44, 44)),
        ((4000, 3000), (1000, 900, 1900, 2100)),
        # a face that reaches outside, one that lies outside, and boxes of no size
        ((200, 300), (-40, -30, 500, 400)),
        ((200, 300), (400, 400, 450, 450)),
        ((200, 300), (100, 100, 100, 100)),
        ((200, 300), (100.4, 100.6, 100.2, 100.1)),
        # pictures too small for any letter
        ((1, 1), (0, 0, 1, 1)),
        ((3, 500), (10, 0, 13, 3)),
        ((500, 3), (0, 10, 3, 13)),
    ],
)
def test_pictures_of_any_size_are_drawn_on(shape, box):
    image = np.full((*shape, 3), 128, np.uint8)
    drawn = draw(image, [Read(box)])
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()


@pytest.mark.parametrize("expression", Expression)
def test_each_expression_has_its_colour(expression):
    drawn = draw(np.zeros((200, 300, 3), np.uint8), [Read((100, 80, 160, 150), expression)])
    assert area_of(drawn, COLOURS[expression]) > 300


def test_colours_differ():
    assert set(COLOURS) == set(Expression)
    assert len(set(COLOURS.values())) == len(Expression)


def test_lines_and_letters_grow_with_the_picture():
    small = draw(np.zeros((300, 300, 3), np.uint8), [Read((100, 100, 200, 200))])
    large = draw(np.zeros((3000, 3000, 3), np.uint8), [Read((1000, 1000, 2000, 2000))])
    colour = COLOURS[Expression.HAPPINESS]
    assert 50 < area_of(large, colour) / area_of(small, colour) < 200


@pytest.mark.parametrize("corner", [(0, 0), (560, 0), (0, 400), (560, 400)])
def test_labels_lie_within_the_picture(corner):
    # In a corner as in the middle, the same label is drawn in full.
    def label_area(x, y):
        drawn = draw(np.zeros((480, 640, 3), np.uint8), [Read((x, y, x + 80, y + 80))])
        return area_of(drawn, COLOURS[Expression.HAPPINESS])

    assert label_area(*corner) == pytest.approx(label_area(280, 200), rel=0.2)


def test_labels_of_neighbours_do_not_cover_each_other():
    faces = [Read((100, 100, 140, 150), Expression.SADNESS), Read((145, 100, 185, 150), Expression.FEAR)]
    image = np.zeros((300, 400, 3), np.uint8)
    both = draw(image, faces)
    for face in faces:
        colour = COLOURS[face.expression]
        assert area_of(both, colour) >= 0.95 * area_of(draw(image, [face]), colour)


def test_without_faces_the_picture_is_copied():
    image = np.zeros((4, 5, 3), np.uint8)
    drawn = draw(image, [])
    assert np.array_equal(drawn, image)
    assert drawn is not image


def test_a_face_without_an_expression_gets_a_white_box_and_a_short_label():
    image = np.full((200, 300, 3), 128, np.uint8)
    unsure = draw(image, [Read((100, 80, 160, 150), None)])
    named = draw(image, [Read((100, 80, 160, 150), Expression.HAPPINESS)])
    white = area_of(unsure, (255, 255, 255))
    assert 100 < white < area_of(named, COLOURS[Expression.HAPPINESS])
    assert all(area_of(unsure, colour) == 0 for colour in COLOURS.values())


def test_numbers_of_persons_make_labels_wider():
    image = np.zeros((200, 300, 3), np.uint8)
    colour = COLOURS[Expression.HAPPINESS]
    plain, numbered = (draw(image, [Read((100, 80, 160, 150), track=track)]) for track in (None, 12))
    assert area_of(numbered, colour) > 1.1 * area_of(plain, colour)


def test_labels_may_be_japanese():
    image = np.zeros((200, 300, 3), np.uint8)
    face = Read((100, 80, 160, 150))
    assert not np.array_equal(draw(image, [face], "ja"), draw(image, [face]))
    assert np.array_equal(draw(image, [face], "en"), draw(image, [face]))
    with pytest.raises(InputError, match="unknown language 'xx'"):
        draw(image, [face], "xx")


@pytest.mark.parametrize("language", Language)
def test_the_font_has_every_letter_of_every_label(language):
    font = label_font(language, 20)
    missing = bytes(font.getmask("\U0010ffff"))
    for expression in Expression:
        for letter in set(expression.label(language) + "#0123456789%?"):
            drawn = bytes(font.getmask(letter))
            assert any(drawn)
            assert drawn != missing, letter


@pytest.mark.parametrize("side", [100, 10_000])
def test_letters_are_readable_in_small_and_huge_pictures(side):
    image = np.zeros((side, side, 3), np.uint8)
    drawn = draw(image, [Read((side * 0.4, side * 0.4, side * 0.5, side * 0.5))])
    rows = (drawn == COLOURS[Expression.HAPPINESS]).all(axis=2).any(axis=1)
    rows[round(side * 0.395) : round(side * 0.505) + 1] = False  # the box
    assert max(9, 0.012 * side) <= rows.sum() <= max(20, 0.07 * side)


def test_a_crowd_is_drawn():
    boxes = [(x, y, x + 30, y + 40) for x in range(20, 620, 60) for y in range(20, 340, 70)]
    drawn = draw(np.zeros((360, 640, 3), np.uint8), [Read(box, track=number) for number, box in enumerate(boxes, 1)])
    assert area_of(drawn, COLOURS[Expression.HAPPINESS]) > 50 * 100
