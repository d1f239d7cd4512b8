import cv2
import numpy as np
import pytest

from kaoiro.audit.no_face import THRESHOLD, no_face
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.media.images import load_image


@pytest.fixture(scope="module")
def portrait(astronaut):
    """A photographed face, `uint8 (48, 48)` grey."""
    photo = cv2.cvtColor(load_image(astronaut), cv2.COLOR_RGB2GRAY)
    return cv2.resize(photo[60:190, 160:290], (48, 48), interpolation=cv2.INTER_AREA)


def test_faces_are_faces(portrait):
    drawn, _ = synthetic_faces(7, seed=1)
    assert (no_face(np.stack([portrait, portrait[:, ::-1], *drawn])) < 0.5).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_lying_and_upside_down_faces_are_faces(portrait, turns):
    assert no_face(np.rot90(portrait, turns)[None]) < 0.5


def test_dark_and_unsharp_faces_are_faces(portrait):
    assert (no_face(np.stack([portrait // 5, cv2.GaussianBlur(portrait, (0, 0), 1.5)])) < THRESHOLD).all()


def test_pictures_without_a_face():
    rng = np.random.default_rng(0)
    text = np.full((48, 48), 255, np.uint8)
    for line in range(10, 48, 10):
        cv2.putText(text, "no photo", (0, line), cv2.FONT_HERSHEY_PLAIN, 0.6, 0)
    stripes = np.tile(np.repeat(np.uint8([0, 255]), 4), (48, 6))
    score = no_face(np.stack([np.zeros((48, 48), np.uint8), rng.integers(0, 256, (48, 48), np.uint8), text, stripes]))
    assert score.dtype == np.float32
    assert (score >= THRESHOLD).all()
    assert (score <= 1).all()


def test_order_and_progress(portrait):
    faces = np.repeat(portrait[None], 300, axis=0)
    faces[::50] = 0
    told = []
    score = no_face(faces, told.append)
    assert np.flatnonzero(score >= THRESHOLD).tolist() == [0, 50, 100, 150, 200, 250]
    assert told == sorted(told)
    assert told[-1] == 1


def test_no_pictures():
    assert no_face(np.empty((0, 48, 48), np.uint8)).shape == (0,)
