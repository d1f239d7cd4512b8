import sys
import threading

import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.faces import yunet
from kaoiro.faces.detector import Detection, Detector, FaceDetector, HaarDetector, open_detector
from kaoiro.media.images import load_image


class Middle:
    """A detector of one's own: the middle of every picture is a face."""

    def detect(self, image):
        height, width = image.shape[:2]
        return [Detection((width / 4, height / 4, width * 3 / 4, height * 3 / 4), (), 1.0)]


@pytest.fixture(scope="module")
def portrait(astronaut):
    return load_image(astronaut)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    source = "class Found:\n    def detect(self, image): return []\n"
    source += "class Lost: pass\nclass Needy:\n    def __init__(self, need): pass\nnumber = 3\n"
    (tmp_path / "own_detectors.py").write_text(source)
    (tmp_path / "own_broken.py").write_text("def :")
    monkeypatch.chdir(tmp_path)
    yield "own_detectors"
    sys.modules.pop("own_detectors", None)


def test_yunet_is_the_default(portrait):
    default, named = open_detector(), open_detector("yunet")
    assert isinstance(default, FaceDetector)
    assert default.detect(portrait) == named.detect(portrait) != []


def test_the_lowest_score_reaches_the_named_detector(portrait):
    assert open_detector("yunet", 0.99).detect(portrait) == []
    assert open_detector("yunet-thorough", 0.99).detect(portrait) == []
    assert open_detector("haar", 1.0).detect(portrait) == []


def test_a_file_of_ones_own_is_used(tmp_path, portrait):
    path = tmp_path / "my-yunet.onnx"
    path.write_bytes(yunet._shipped_yunet())
    assert open_detector(path).detect(portrait) == open_detector(str(path)).detect(portrait) != []
    with pytest.raises(InputError, match="No such file"):
        open_detector(str(tmp_path / "nope.onnx"))


def test_an_object_of_ones_own_is_given_back():
    own = Middle()
    assert isinstance(own, Detector)
    assert open_detector(own) is own


def test_a_class_of_ones_own_is_made(own_module):
    assert open_detector(f"{own_module}:Found").detect(np.zeros((9, 9, 3), np.uint8)) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo", r"unknown detector 'yolo'; known are yunet, yunet-thorough, haar, a YuNet file"),
        (r"C:\faces\missing.onnx", r"cannot read the face detector's file .*missing\.onnx'"),
        ("own_broken:Detector", r"cannot import the detector 'own_broken:Detector': .*syntax"),
        ("no_such_module:Found", r"cannot import the detector 'no_such_module:Found': No module named"),
        (":Found", r"cannot import the detector ':Found'"),
        ("own_detectors:Nobody", r"own_detectors has no 'Nobody' that can be called"),
        ("own_detectors:number", r"own_detectors has no 'number' that can be called"),
        ("own_detectors:Needy", r"cannot be made without arguments"),
        ("own_detectors:Lost", r"what own_detectors:Lost makes is no detector: it needs a method detect\(image\)"),
    ],
)
def test_what_is_no_detector_is_told_in_one_line(own_module, name, message):
    with pytest.raises(InputError, match=message) as caught:
        open_detector(name)
    assert "\n" not in str(caught.value)


def test_an_object_without_detect_is_told():
    with pytest.raises(InputError, match=r"3 is no detector"):
        open_detector(3)
    with pytest.raises(InputError, match=r"is no detector"):
        open_detector(Middle)


def test_haar_finds_a_frontal_face_without_landmarks(portrait):
    faces = HaarDetector().detect(portrait)
    largest = faces[0]
    assert 150 < largest.box[0] < 200
    assert 40 < largest.box[1] < 90
    assert 90 < largest.box[2] - largest.box[0] < 150
    assert largest.landmarks == ()
    assert all(0 <= face.score <= 1 for face in faces)
    assert HaarDetector().detect(np.zeros((1, 1, 3), np.uint8)) == []


def test_haar_boxes_are_in_pixels_of_a_large_picture(portrait):
    large = np.repeat(np.repeat(portrait, 3, axis=0), 3, axis=1)
    left, top, right, bottom = HaarDetector().detect(large)[0].box
    assert 450 < left < 600
    assert 120 < top < 270
    assert 270 < right - left < 450
    assert bottom - top == pytest.approx(right - left)


def test_haar_refuses_an_impossible_score():
    with pytest.raises(InputError, match=r"within 0 and 1, not 2"):
        HaarDetector(2)


def test_one_haar_detector_serves_several_threads(portrait):
    detector = HaarDetector()
    pictures = [portrait, np.ascontiguousarray(portrait[:, ::-1]), portrait[50:250, 100:300].copy()]
    pictures = [picture[::2, ::2].copy() for picture in pictures]
    expected = [detector.detect(picture) for picture in pictures]
    results = []

    def work():
        results.extend(detector.detect(picture) == found for picture, found in zip(pictures, expected, strict=True))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 9
