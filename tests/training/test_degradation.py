import io

import numpy as np
import pytest
import torch
from PIL import Image

from kaoiro.training.degradation import random_jpeg, random_low_resolution


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def faces():
    """Soft patterns with a few hard edges, as whole numbers."""
    coarse = torch.rand(6, 3, 5, 5, generator=seeded(3))
    smooth = 255 * torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bilinear")
    smooth[:, :, 20:28, 13:30] = 30
    return smooth.round()


def stored_by_pillow(face, quality):
    pixels = face.numpy().astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    read = np.asarray(Image.open(file), np.float32)
    return torch.from_numpy(read[None] if read.ndim == 2 else read.transpose(2, 0, 1).copy())


@pytest.mark.parametrize("quality", [10, 20, 50, 75, 95])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [48, 44, 37])
def test_jpeg_against_pillow(faces, quality, channels, side):
    given = faces[:, :channels, :side, :side]
    stored = random_jpeg(given, probability=1.0, quality=(quality, quality), generator=seeded())
    expected = torch.stack([stored_by_pillow(face, quality) for face in given])
    difference = (stored - expected).abs()
    # libjpeg calculates in whole numbers: coefficients may be rounded the other way, and colours lose up to a level.
    assert difference.mean() < (0.5 if channels == 1 else 1.2)
    assert difference.mean() < 0.1 * (given - expected).abs().mean() + (0.3 if channels == 1 else 0.9)


def test_jpeg_of_a_share(faces):
    many = faces.repeat(100, 1, 1, 1)
    stored = random_jpeg(many, probability=0.25, quality=(20, 20), generator=seeded())
    changed = (stored != many).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.06)
    assert stored.min() >= 0
    assert stored.max() <= 255


def test_a_lower_quality_takes_more(faces):
    losses = [
        (random_jpeg(faces, probability=1.0, quality=(q, q), generator=seeded()) - faces).square().mean().item()
        for q in (5, 20, 50, 90)
    ]
    assert losses == sorted(losses, reverse=True)


def test_low_resolution_leaves_coarse_pictures_and_takes_fine_ones():
    flat = torch.full((4, 1, 48, 48), 100.0)
    checkers = 255.0 * ((torch.arange(48)[:, None] + torch.arange(48)) % 2).expand(4, 1, 48, 48)
    for_all = {"probability": 1.0, "share": (0.5, 0.5)}
    assert torch.allclose(random_low_resolution(flat, **for_all, generator=seeded()), flat, atol=1e-3)
    middle = random_low_resolution(checkers, **for_all, generator=seeded())[:, :, 8:-8, 8:-8]
    assert torch.allclose(middle, torch.full_like(middle, 127.5), atol=4)


def test_low_resolution_against_pillow(faces):
    found = random_low_resolution(faces[:, :1], probability=1.0, share=(0.5, 0.5), generator=seeded())
    for face, other in zip(faces[:, 0], found[:, 0], strict=True):
        small = Image.fromarray(face.numpy()).resize((24, 24), Image.Resampling.BILINEAR)
        expected = torch.from_numpy(np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC)).copy()).clamp(0, 255)
        # torch's cubic has the parameter -0.75, Pillow's -0.5.
        assert (other - expected).abs().mean() < 2.5


def test_low_resolution_of_a_share(faces):
    many = faces.repeat(100, 1, 1, 1)
    varied = random_low_resolution(many, probability=0.4, share=(0.4, 0.8), generator=seeded())
    changed = (varied != many).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.4, abs=0.08)
    assert torch.equal(varied[~changed], many[~changed])


def test_the_whole_side_changes_nothing(faces):
    assert torch.equal(random_low_resolution(faces, probability=1.0, share=(1, 1), generator=seeded()), faces)
