import pytest
import torch
from torchvision.transforms.v2 import functional as usual

from kaoiro.training.photo_effects import random_blur, random_colour, random_noise

NO_COLOUR = {"saturation": 0.0, "hue": 0.0, "grayscale": 0.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pictures():
    """Soft patterns in colour, which nothing here drives beyond black or white."""
    coarse = torch.rand(5, 3, 6, 6, generator=seeded(3))
    smooth = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    return 80 + 90 * smooth


@pytest.fixture
def fixed_chances(monkeypatch):
    """Make every random amount the largest one allowed."""
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.ones(count))


def test_no_colour_changes(pictures):
    varied = random_colour(pictures, **NO_COLOUR, generator=seeded())
    assert torch.allclose(varied, pictures, atol=1e-3)


def test_saturation_against_torchvision(pictures, fixed_chances):
    varied = random_colour(pictures, **{**NO_COLOUR, "saturation": 0.4}, generator=seeded())
    assert torch.allclose(varied, 255 * usual.adjust_saturation(pictures / 255, 1.4), atol=0.1)


def test_saturations_lie_within_the_limits():
    red = torch.tensor([200.0, 100, 100]).view(1, 3, 1, 1).expand(500, 3, 2, 2)
    varied = random_colour(red, **{**NO_COLOUR, "saturation": 0.25}, generator=seeded())[:, :, 0, 0]
    factors = (varied[:, 0] - varied[:, 1]) / 100
    assert 0.8 <= factors.min() < 0.81
    assert 1.24 < factors.max() <= 1.2501


def test_grey_against_torchvision(pictures):
    varied = random_colour(pictures, **{**NO_COLOUR, "grayscale": 1.0}, generator=seeded())
    assert torch.allclose(varied, usual.rgb_to_grayscale(pictures, num_output_channels=3), atol=0.1)


def test_some_faces_become_grey(pictures):
    many = pictures.repeat(100, 1, 1, 1)
    varied = random_colour(many, **{**NO_COLOUR, "grayscale": 0.3}, generator=seeded())
    grey = (varied.std(dim=1) < 1e-3).all(2).all(1)
    assert grey.float().mean().item() == pytest.approx(0.3, abs=0.07)
    assert torch.allclose(varied[~grey], many[~grey], atol=1e-3)


def test_a_third_of_the_circle_exchanges_the_colours(pictures, fixed_chances):
    varied = random_colour(pictures, **{**NO_COLOUR, "hue": 1 / 3}, generator=seeded())
    assert torch.allclose(varied, pictures.roll(1, dims=1), atol=1e-2)
    # torchvision turns the same way, by way of HSV.
    assert torch.allclose(varied, 255 * usual.adjust_hue(pictures / 255, 1 / 3), atol=1e-2)


def test_hue_keeps_greys_and_sums(pictures):
    grey = pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    change = {**NO_COLOUR, "hue": 0.2}
    assert torch.allclose(random_colour(grey, **change, generator=seeded()), grey, atol=1e-2)
    varied = random_colour(pictures, **change, generator=seeded())
    assert torch.allclose(varied.sum(1), pictures.sum(1), atol=1e-2)
    assert (varied - pictures).abs().max() > 10


@pytest.mark.parametrize("sigma", [0.5, 1.3, 2.0])
def test_blur_against_torchvision(pictures, sigma):
    varied = random_blur(pictures, probability=1.0, sigma=(sigma, sigma), generator=seeded())
    taps = 2 * torch.tensor(3 * sigma).ceil().int().item() + 1
    assert torch.allclose(varied, usual.gaussian_blur(pictures, [taps, taps], [sigma, sigma]), atol=1e-3)


def test_blur_of_some_faces_by_widths_of_their_own(pictures):
    one = pictures[:1].repeat(300, 1, 1, 1)
    varied = random_blur(one, probability=0.5, sigma=(0.5, 2.0), generator=seeded())
    untouched = (varied == one).flatten(1).all(1)
    assert untouched.float().mean().item() == pytest.approx(0.5, abs=0.08)
    sharpness = varied.diff(dim=3).square().mean((1, 2, 3))
    assert len(sharpness[~untouched].unique()) > 100
    least, most = (
        usual.gaussian_blur(one[:1], [13, 13], [sigma] * 2).diff(dim=3).square().mean() for sigma in (2.0, 0.5)
    )
    assert least <= sharpness[~untouched].min() < sharpness[~untouched].max() <= most


def test_a_wide_blur_of_a_small_picture():
    small = torch.rand(2, 1, 8, 8, generator=seeded())
    varied = random_blur(small, probability=1.0, sigma=(5.0, 5.0), generator=seeded())
    assert varied.shape == small.shape
    assert varied.std() < small.std()


def test_noise_has_the_given_strength(fixed_chances):
    grey = torch.full((4, 3, 50, 50), 128.0)
    noise = random_noise(grey, deviation=0.1, generator=seeded()) - grey
    assert noise.std((1, 2, 3)).tolist() == pytest.approx([25.5] * 4, rel=0.05)
    assert noise.mean().item() == pytest.approx(0, abs=1)
    # Every pixel and every channel has noise of its own.
    assert torch.corrcoef(noise[0].flatten(1)).fill_diagonal_(0).abs().max() < 0.1


def test_each_face_has_a_strength_of_its_own():
    noise = random_noise(torch.full((200, 1, 20, 20), 128.0), deviation=0.1, generator=seeded()) - 128
    strengths = noise.std((1, 2, 3))
    assert strengths.max() < 25.5 * 1.15
    assert strengths.min() < 2
    assert strengths.mean().item() == pytest.approx(12.75, abs=1.5)


def test_noise_stays_between_black_and_white():
    varied = random_noise(
        torch.tensor([0.0, 255]).view(2, 1, 1, 1).expand(2, 1, 30, 30), deviation=1, generator=seeded()
    )
    assert varied.min() == 0
    assert varied.max() == 255
