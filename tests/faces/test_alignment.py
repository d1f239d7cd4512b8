"""Alignment, on a drawn face of five coloured points that a stand-in for a detector finds without fail."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.faces.alignment import pose, roll
from kaoiro.faces.crops import cut_face
from kaoiro.faces.detection import Detection

UPRIGHT = ((-20.0, -10.0), (20.0, -10.0), (0.0, 8.0), (-14.0, 25.0), (14.0, 25.0))
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
HALF_BOX = 40.0


def turned(points, degrees):
    """Turn points clockwise as one sees them, with y downwards."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((x * cosine - y * sine, x * sine + y * cosine) for x, y in points)


def drawn(degrees, centre=(150.0, 140.0), size=1.0):
    """A picture of the face, and where its points are."""
    image = np.zeros((300, 320, 3), np.uint8)
    points = tuple((centre[0] + size * x, centre[1] + size * y) for x, y in turned(UPRIGHT, degrees))
    for (x, y), colour in zip(points, COLOURS, strict=True):
        # OpenCV counts from the middle of a pixel, in sixteenths.
        place = round((x - 0.5) * 16), round((y - 0.5) * 16)
        cv2.circle(image, place, round(5 * size * 16), colour, -1, cv2.LINE_AA, 4)
    return image, points


def points_in(image):
    """Where the five colours are: each one's centre of mass."""
    places = []
    for colour in COLOURS:
        distance = np.abs(image.astype(int) - colour).sum(axis=2)
        rows, columns = np.nonzero(distance < 120)
        if not len(rows):
            return None
        places.append((columns.mean() + 0.5, rows.mean() + 0.5))
    return tuple(places)


class Exact:
    """Finds the drawn face, wherever it is and however it is turned."""

    def detect(self, image):
        points = points_in(image)
        if points is None:
            return []
        size = math.dist(points[0], points[1]) / 40
        # The middle of the drawn face, from the eyes and the mouth.
        x = (points[0][0] + points[1][0]) / 2 * (5 / 7) + (points[3][0] + points[4][0]) / 2 * (2 / 7)
        y = (points[0][1] + points[1][1]) / 2 * (5 / 7) + (points[3][1] + points[4][1]) / 2 * (2 / 7)
        half = HALF_BOX * size
        return [Detection((x - half, y - half, x + half, y + half), points, 1.0)]


class Blind:
    def detect(self, image):
        return []


class Forbidden:
    def detect(self, image):
        raise AssertionError("nobody should look again")


@given(st.floats(-179, 179), st.floats(0.5, 50))
def test_roll_is_the_angle_by_which_a_face_was_turned(degrees, size):
    points = tuple((size * x, size * y) for x, y in turned(UPRIGHT, degrees))
    assert roll(points) == pytest.approx(degrees, abs=1e-6)


@settings(max_examples=15)
@given(st.floats(-170, 170).filter(lambda degrees: abs(degrees) > 5), st.floats(0.7, 2.0))
def test_the_eyes_of_a_tilted_face_end_up_level_where_the_upright_ones_would_be(degrees, size):
    image, _ = drawn(degrees, size=size)
    (detection,) = Exact().detect(image)
    found = pose(image, detection, Exact())
    crop = cut_face(image, found.box, 1.5, roll=found.roll)
    expected, _ = drawn(0, size=size)
    upright = cut_face(expected, Exact().detect(expected)[0].box, 1.5)
    assert abs(crop.shape[0] - upright.shape[0]) <= 2
    distances = [math.dist(a, b) for a, b in zip(points_in(crop), points_in(upright), strict=True)]
    assert max(distances) < 2


def test_a_second_look_makes_up_for_landmarks_that_tell_too_small_a_tilt():
    image, _ = drawn(25)
    (exact,) = Exact().detect(image)
    timid = Detection(exact.box, turned(UPRIGHT, 10), 1.0)
    assert pose(image, timid, Exact()).roll == pytest.approx(25, abs=1)
    assert pose(image, timid, Blind()).roll == pytest.approx(10)
    assert pose(image, timid, Blind()).box == timid.box


@pytest.mark.parametrize("degrees", [0, 2.9, -2.9])
def test_an_upright_face_keeps_its_box_and_takes_no_second_look(degrees):
    image, _ = drawn(degrees)
    detection = Detection((1.0, 2.0, 3.0, 4.0), turned(UPRIGHT, degrees), 1.0)
    found = pose(image, detection, Forbidden())
    assert (found.box, found.roll) == ((1.0, 2.0, 3.0, 4.0), 0.0)


def test_a_face_without_landmarks_is_not_turned():
    found = pose(np.zeros((9, 9, 3), np.uint8), Detection((1.0, 2.0, 3.0, 4.0), (), 1.0), Forbidden())
    assert (found.box, found.roll) == ((1.0, 2.0, 3.0, 4.0), 0.0)


def test_a_large_face_is_looked_at_again_without_aliasing():
    # Lines of one pixel turn into even grey where a picture is shrunk well, and into waves where it is not.
    image = np.zeros((3000, 3000, 3), np.uint8)
    image[::2] = 200
    shown = []

    class Looking:
        def detect(self, image):
            shown.append(image)
            return []

    landmarks = tuple((1500 + 20 * x, 1500 + 20 * y) for x, y in turned(UPRIGHT, 20))
    pose(image, Detection((900.0, 900.0, 2100.0, 2100.0), landmarks, 1.0), Looking())
    (square,) = shown
    assert square.std() < 6
    assert square.mean() == pytest.approx(100, abs=2)
