"""Whether a recogniser turns tilted faces upright, with a stand-in detector that knows how they lie."""

import numpy as np
import pytest

from kaoiro import Recognizer
from kaoiro.faces.detector import Detection

LYING = ((50.0, 70.0), (50.0, 30.0), (60.0, 50.0), (75.0, 65.0), (75.0, 35.0))
"""The landmarks of a face that lies on its side, the picture's left eye below the right one."""


class OneLyingFace:
    """Finds the face in the picture itself and nothing in a second look."""

    def __init__(self):
        self.second_looks = 0

    def detect(self, image):
        if image.shape == (100, 120, 3):
            return [Detection((40.0, 30.0, 80.0, 70.0), LYING, 0.9)]
        self.second_looks += 1
        return []


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)


def test_a_tilted_face_is_turned_upright_before_it_is_read(tiny_model_path, picture):
    detector = OneLyingFace()
    recognizer = Recognizer(tiny_model_path, detector=detector)
    (face,) = recognizer.predict(picture)
    metadata = recognizer.metadata.crop
    assert (metadata.side, metadata.shift_x, metadata.shift_y) == (1.0, 0.0, 0.0)
    (expected,) = recognizer.predict_crops([np.rot90(picture[30:70, 40:80], -1)])
    assert face.probabilities == expected.probabilities
    assert face.box == (40.0, 30.0, 80.0, 70.0)
    assert face.landmarks == LYING
    assert detector.second_looks == 1


def test_without_alignment_it_is_read_as_it_lies(tiny_model_path, picture):
    detector = OneLyingFace()
    recognizer = Recognizer(tiny_model_path, detector=detector, align=False)
    (face,) = recognizer.predict(picture)
    (expected,) = recognizer.predict_crops([picture[30:70, 40:80]])
    assert face.probabilities == expected.probabilities
    assert detector.second_looks == 0
