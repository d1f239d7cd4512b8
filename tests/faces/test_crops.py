import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.faces.crops import cut_face

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)

coordinates = st.floats(-150, 150)
boxes = st.tuples(coordinates, coordinates, st.floats(0, 120), st.floats(0, 120)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
shifts = st.floats(-0.5, 0.5)


@given(boxes, st.floats(0.3, 3), shifts, shifts)
def test_crops_are_squares_of_the_asked_side(box, side, shift_x, shift_y):
    crop = cut_face(IMAGE, box, side, shift_x, shift_y)
    longer = max(box[2] - box[0], box[3] - box[1])
    assert crop.shape[0] == crop.shape[1] >= 1
    assert abs(crop.shape[0] - max(1, side * longer)) <= 0.5 + 1e-9
    assert crop.dtype == np.uint8


# Sums of eighths and quarters are exact, so that nothing rounds differently after a move.
exact_boxes = st.tuples(*[st.integers(-1000, 1000)] * 2, *[st.integers(0, 600)] * 2).map(
    lambda box: (box[0] / 8, box[1] / 8, (box[0] + box[2]) / 8, (box[1] + box[3]) / 8)
)
exact_shifts = st.sampled_from([-0.25, 0.0, 0.25])


@given(exact_boxes, st.sampled_from([0.5, 1.0, 1.5, 2.0]), exact_shifts, exact_shifts, st.integers(0, 99))
def test_a_crop_moves_with_its_face_and_repeats_the_border_outside(box, side, shift_x, shift_y, further):
    # The same face in a larger picture, whose border is the first one's repeated outwards.
    right, down = 500, 500 + further
    larger = np.pad(IMAGE, ((down, 500), (right, 500), (0, 0)), mode="edge")
    moved = (box[0] + right, box[1] + down, box[2] + right, box[3] + down)
    crop = cut_face(IMAGE, box, side, shift_x, shift_y)
    assert np.array_equal(crop, cut_face(larger, moved, side, shift_x, shift_y))


def test_the_square_is_placed_by_its_own_side():
    # The longer side is 20, the square 40 wide; a quarter of that to the right and a tenth up.
    crop = cut_face(IMAGE, (30, 20, 40, 40), side=2.0, shift_x=0.25, shift_y=-0.1)
    assert np.array_equal(crop, IMAGE[6:46, 25:65])


def test_grey_pictures_are_cut_too():
    assert np.array_equal(cut_face(IMAGE[:, :, 1], (10, 10, 30, 30)), IMAGE[10:30, 10:30, 1])


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-5, -5, 5, 5), (0.2, 0.2, 0.3, 0.3), (100, 100, 100, 100)])
def test_a_picture_of_one_pixel_can_be_cut(box):
    pixel = np.full((1, 1, 3), 7, np.uint8)
    assert (cut_face(pixel, box) == 7).all()


def test_crops_are_copies():
    image = IMAGE.copy()
    cut_face(image, (10, 10, 30, 30))[:] = 0
    assert np.array_equal(image, IMAGE)


@pytest.mark.parametrize(("roll", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_turned_crop_is_the_crop_turned(roll, turns):
    # A quarter turn moves whole pixels onto whole pixels, so that NumPy knows the answer.
    crop = cut_face(IMAGE, (20, 10, 60, 50), roll=roll)
    assert np.array_equal(crop, np.rot90(IMAGE[10:50, 20:60], turns))


def test_a_shift_goes_by_the_turned_face():
    # Of a face that lies on its left side, below is to the right in the picture.
    crop = cut_face(IMAGE, (30, 20, 50, 40), shift_y=0.5, roll=-90)
    assert np.array_equal(crop, np.rot90(IMAGE[20:40, 40:60], 3))


@given(boxes, st.floats(-180, 180), st.floats(0.5, 2))
def test_turned_crops_have_the_asked_side_and_only_colours_of_the_picture(box, roll, side):
    flat = np.full((60, 80, 3), (10, 200, 90), np.uint8)
    crop = cut_face(flat, box, side, roll=roll)
    assert crop.shape[0] == crop.shape[1] == cut_face(flat, box, side).shape[0]
    assert (crop == (10, 200, 90)).all()


def test_no_roll_keeps_every_pixel():
    assert np.array_equal(
        cut_face(IMAGE, (10.3, 5.2, 40.1, 44.7), 1.2, roll=0.0), cut_face(IMAGE, (10.3, 5.2, 40.1, 44.7), 1.2)
    )
