import numpy as np
import pytest

from kaoiro.faces.appearance import blended, likeness, look_of

BOX = (40.0, 30.0, 80.0, 80.0)


def _person(skin, clothes):
    image = np.full((200, 120, 3), 90, np.uint8)
    image[20:90, 35:85] = skin
    image[90:] = clothes
    return image


def test_a_look_is_like_itself_and_like_the_same_person_elsewhere():
    image = _person((200, 160, 130), (20, 60, 160))
    look = look_of(image, BOX)
    assert np.linalg.norm(look, axis=1) == pytest.approx(1)
    assert likeness(look, look) == pytest.approx(1, abs=1e-5)
    moved = np.roll(image, 15, axis=1)
    assert likeness(look, look_of(moved, (55, 30, 95, 80))) > 0.98


@pytest.mark.parametrize(
    "other", [((200, 160, 130), (180, 40, 30)), ((110, 80, 60), (20, 60, 160))], ids=["clothes", "skin"]
)
def test_other_clothes_or_another_skin_make_it_less_like(other):
    look = look_of(_person((200, 160, 130), (20, 60, 160)), BOX)
    assert likeness(look, look_of(_person(*other), BOX)) < 0.8


@pytest.mark.parametrize("light", [0.7, 1.2])
def test_a_change_of_light_changes_little(light):
    image = _person((200, 160, 130), (20, 60, 160))
    other = (image * light).clip(0, 255).astype(np.uint8)
    assert likeness(look_of(image, BOX), look_of(other, BOX)) > 0.9


def test_parts_outside_the_picture_do_not_count():
    image = _person((200, 160, 130), (20, 60, 160))
    whole = look_of(image, BOX)
    cut_off = whole * [[1], [1], [0]]
    assert not look_of(image[:85], BOX)[2].any()
    assert likeness(whole, cut_off) == pytest.approx(1)
    assert likeness(blended(cut_off, whole, 0.5), whole) > 0.95
    assert likeness(whole, np.zeros_like(whole)) == 0


@pytest.mark.parametrize("box", [(-30, -30, 10, 10), (300, 300, 340, 340), (50, 50, 50, 50), (-500, -500, 500, 500)])
def test_boxes_outside_the_picture_and_without_area_are_looked_at_too(box):
    look = look_of(_person((200, 160, 130), (20, 60, 160)), box)
    assert np.isfinite(look).all()
    assert np.linalg.norm(look) <= 2


def test_a_blend_lies_between_both():
    one = look_of(_person((200, 160, 130), (20, 60, 160)), BOX)
    other = look_of(_person((200, 160, 130), (180, 40, 30)), BOX)
    mixed = blended(one, other, 0.3)
    assert likeness(one, other) < likeness(mixed, other) < likeness(mixed, one)
    assert blended(one, other, 0.0) == pytest.approx(one)
    assert blended(one, other, 1.0) == pytest.approx(other)
