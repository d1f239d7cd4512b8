import cv2
import numpy as np
import pytest

from kaoiro.faces.scene_cuts import SceneCuts


def _scene(seed, shape=(180, 320)):
    coarse = np.random.default_rng(seed).uniform(0, 255, (6, 9, 3)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR).clip(0, 255).astype(np.uint8)


def _cuts(frames):
    cuts = SceneCuts()
    return [cuts.is_cut(frame) for frame in frames]


def test_another_scene_is_a_cut_once():
    assert _cuts([_scene(0), _scene(0), _scene(1), _scene(1)]) == [False, False, True, False]


def test_the_first_frame_is_no_cut():
    assert _cuts([_scene(0)]) == [False]


@pytest.mark.parametrize(
    "next_one",
    [
        lambda image: np.roll(image, 25, axis=1),  # the camera turns
        lambda image: (image * 0.6).astype(np.uint8),  # it gets darker
        lambda image: (255 - (255 - image) * 0.3).astype(np.uint8),  # a flash
        lambda image: cv2.GaussianBlur(image, (0, 0), 6),
        lambda image: cv2.resize(image[18:162, 32:288], (320, 180)),  # zoom
    ],
)
def test_a_change_within_the_scene_is_none(next_one):
    image = _scene(3)
    assert _cuts([image, np.asarray(next_one(image), np.uint8)]) == [False, False]


def test_another_size_of_picture_is_a_cut():
    assert _cuts([_scene(0), _scene(0, (360, 640))]) == [False, True]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (47, 49)])
def test_pictures_of_any_shape_are_looked_at(shape):
    black, white = np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)
    assert _cuts([black, black, white, white]) == [False, False, True, False]
