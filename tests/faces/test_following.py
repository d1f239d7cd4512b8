import cv2
import numpy as np
import pytest

from kaoiro.faces.detection import Detection
from kaoiro.faces.following import follow


def _face(x, y, side):
    box = (x, y, x + side, y + 1.2 * side)
    landmarks = tuple((x + a * side, y + b * side) for a, b in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.7), (0.3, 1), (0.7, 1)))
    return Detection(box, landmarks, 0.9)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    fine = rng.uniform(0, 255, (60, 80, 3)).astype(np.float32)
    return cv2.resize(fine, (640, 480), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def _warped(scene, growth, degrees, right, down, centre=(300.0, 220.0)):
    matrix = cv2.getRotationMatrix2D(centre, degrees, growth)
    matrix[:, 2] += (right, down)
    return cv2.warpAffine(scene, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT), matrix


@pytest.mark.parametrize(
    ("growth", "degrees", "right", "down"),
    [
        (1.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 6.5, -4.0),
        (1.04, 0.0, 2.0, 1.0),
        (0.96, 0.0, -3.0, 2.0),
        (1.0, 4.0, 1.0, 3.0),
    ],
)
@pytest.mark.parametrize("side", [40, 120])
def test_a_face_is_found_where_it_went(scene, growth, degrees, right, down, side):
    face = _face(300 - side / 2, 220 - side / 2, side)
    later, matrix = _warped(scene, growth, degrees, right, down)
    found = follow(scene, later, face)
    expected = np.array([matrix @ (*point, 1) for point in face.landmarks])
    assert np.array(found.landmarks) == pytest.approx(expected, abs=0.02 * side)
    left, top, right_side, bottom = found.box
    assert right_side - left == pytest.approx(growth * side, rel=0.02)
    assert bottom - top == pytest.approx(growth * 1.2 * side, rel=0.02)
    assert found.score == face.score


def test_a_large_step_is_found_with_a_hint_where_to_look(scene):
    face = _face(280, 200, 50)
    later, _ = _warped(scene, 1.0, 0.0, 90.0, 40.0)
    found = follow(scene, later, face, (85.0, 44.0))
    assert found.box == pytest.approx((370, 240, 420, 300), abs=1)


def test_a_covered_face_is_not_followed(scene):
    covered = scene.copy()
    covered[150:300, 250:380] = np.random.default_rng(1).integers(0, 255, (150, 130, 1), np.uint8)
    assert follow(scene, covered, _face(280, 200, 50)) is None


def test_a_face_that_leaves_the_picture_is_not_followed(scene):
    later, _ = _warped(scene, 1.0, 0.0, -30.0, 0.0)
    assert follow(scene, later, _face(0, 200, 50), (-30.0, 0.0)) is None


@pytest.mark.parametrize("box", [(-60, -60, -10, 0), (700, 500, 740, 560), (10, 10, 12, 12), (0, 0, 640, 480)])
def test_boxes_outside_and_tiny_and_huge_ones_do_no_harm(scene, box):
    face = Detection(box, ((1.0, 1.0),) * 5, 0.9)
    found = follow(scene, scene, face)
    assert found is None or np.isfinite(found.box).all()
