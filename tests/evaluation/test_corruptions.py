import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.evaluation.corruptions import CORRUPTIONS, EYES, MOUTH

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}


def changed(name, face, seed=0):
    return BY_NAME[name].apply(face, np.random.default_rng(seed))


def flat(value, *shape):
    return np.full(shape, value, np.uint8)


@pytest.fixture(scope="module")
def drawn():
    faces, _ = synthetic_faces(1, seed=0)
    return faces[0]


def test_names_are_unique():
    assert len(BY_NAME) == len(CORRUPTIONS)


def test_the_documentation_describes_them():
    text = (Path(__file__).parents[2] / "docs/robustness.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == [[change.name, change.description] for change in CORRUPTIONS]


@given(
    change=st.sampled_from(CORRUPTIONS),
    side=st.integers(8, 100),
    channels=st.sampled_from([(), (3,)]),
    seed=st.integers(0, 99),
)
def test_the_form_is_kept_and_the_face_is_not_touched(change, side, channels, seed):
    face = np.random.default_rng(seed).integers(0, 256, (side, side, *channels), dtype=np.uint8)
    before = face.copy()
    result = change.apply(face, np.random.default_rng(0))
    assert (result.shape, result.dtype) == (face.shape, np.uint8)
    assert np.array_equal(face, before)
    assert not np.shares_memory(face, result)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("darker by 40 %", {0: 0, 100: 60, 255: 153}),
        ("brighter by 40 %", {0: 0, 100: 140, 200: 255}),
        ("40 % of white taken", {101: 0, 103: 1, 255: 153}),
        ("40 % of white added", {0: 102, 100: 202, 154: 255}),
    ],
)
def test_light(name, values):
    for before, after in values.items():
        assert np.array_equal(changed(name, flat(before, 48, 48)), flat(after, 48, 48))


@pytest.mark.parametrize(
    ("name", "side", "sigma"), [("blur σ 1 px", 48, 1), ("blur σ 2 px", 48, 2), ("blur σ 1 px", 96, 2)]
)
def test_blur_spreads_a_point_as_a_gaussian(name, side, sigma):
    point = flat(0, side, side)
    point[20, 20] = 255
    places = np.arange(side) - 20
    gaussian = np.exp(-(places**2) / (2 * sigma**2)) * (abs(places) <= 3 * sigma)
    gaussian /= gaussian.sum()
    assert np.allclose(changed(name, point), 255 * np.outer(gaussian, gaussian), atol=1)


def test_jpeg_is_what_another_encoder_makes_of_it(drawn):
    buffer = io.BytesIO()
    Image.fromarray(drawn).save(buffer, "JPEG", quality=20)
    expected = np.asarray(Image.open(buffer)).astype(int)
    found = changed("JPEG quality 20", drawn)
    assert abs(found - expected).max() <= 1
    assert abs(found - drawn.astype(int)).max() > 10  # it does lose something


def test_jpeg_keeps_colours_in_their_channels():
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 200
    assert abs(changed("JPEG quality 20", red).astype(int) - red).max() < 20


def test_few_pixels_average_finer_detail():
    checkered = np.indices((96, 96)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.array_equal(changed("24 px", checkered[:48, :48]), flat(100, 48, 48))
    # A larger face keeps half of its pixels' width too: squares of one pixel go, squares of two stay.
    assert np.array_equal(changed("24 px", checkered), flat(100, 96, 96))
    assert changed("24 px", checkered[:48, :48].repeat(2, 0).repeat(2, 1)).std() > 40


@pytest.mark.parametrize(("name", "degrees"), [("turned left 20°", 20), ("turned right 20°", -20)])
def test_turns_about_the_middle(name, degrees):
    face = flat(0, 48, 48)
    face[22:26, 38:42] = 255  # to the right of the middle, by 16 px
    turned = changed(name, face).astype(float)
    rows, columns = np.indices(turned.shape)
    found = np.array([(turned * columns).sum(), (turned * rows).sum()]) / turned.sum() - 23.5
    angle = np.deg2rad(degrees)
    assert np.allclose(found, [16 * np.cos(angle), -16 * np.sin(angle)], atol=0.3)  # rows count downwards


def test_turns_repeat_the_border():
    assert np.array_equal(changed("turned left 20°", flat(90, 48, 48)), flat(90, 48, 48))


@pytest.mark.parametrize(("name", "where", "value"), [("eyes covered", EYES, 32), ("mouth covered", MOUTH, 208)])
def test_covers_hide_their_rectangle_and_nothing_else(drawn, name, where, value):
    covered = changed(name, drawn)
    rows, columns = (np.indices((48, 48)) + 0.5) / 48
    inside = (rows > where.top) & (rows < where.bottom) & (columns > where.left) & (columns < where.right)
    assert (covered[inside] == value).all()
    assert np.array_equal(covered[~inside], drawn[~inside])


def test_noise():
    grey = flat(128, 48, 48)
    noisy = changed("noise", grey)
    assert noisy.mean() == pytest.approx(128, abs=3 * 20 / 48)
    assert noisy.std() == pytest.approx(20, abs=1)
    assert np.array_equal(noisy, changed("noise", grey))
    assert not np.array_equal(noisy, changed("noise", grey, seed=1))
