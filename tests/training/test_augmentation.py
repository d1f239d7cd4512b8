import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import InputError
from kaoiro.training.augmentation import Augmentation, cutmix, mixup, random_affine, random_erasing, random_light

STILL = Augmentation(
    rotation=0, scale=0, shift=0, shear=0, flip=0, brightness=0, contrast=0, erasing=0, mixup=0, size_by_epoch=None
)
NO_MOVEMENT = {"rotation": 0, "scale": 0, "shift": 0, "shear": 0, "flip": 0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def faces():
    drawn, _ = synthetic_faces(6, seed=1)
    return torch.from_numpy(drawn)[:, None].float()


@pytest.fixture
def fixed_chances(monkeypatch):
    """Make every random amount the largest one allowed."""
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.ones(count))


def warped(face, matrix):
    """What OpenCV makes of a face when `matrix` (2 × 3) takes places in the result to places in the face."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(face, matrix, face.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def test_limits_of_zero_change_nothing(faces):
    assert torch.allclose(STILL.vary(faces, 48, seeded()), faces, atol=1e-3)


def test_whole_numbers_are_taken_too(faces):
    assert torch.allclose(STILL.vary(faces.byte(), 48, seeded()), faces, atol=1e-3)


def test_a_certain_flip_is_the_mirror_image(faces):
    assert torch.allclose(replace(STILL, flip=1.0).vary(faces, 48, seeded()), faces.flip(3), atol=1e-3)


def test_a_certain_vertical_flip_is_upside_down(faces):
    assert torch.allclose(replace(STILL, vertical_flip=1.0).vary(faces, 48, seeded()), faces.flip(2), atol=1e-3)


def test_a_vertical_flip_comes_after_the_rotation(faces):
    turned = replace(STILL, rotation=20.0).vary(faces, 48, seeded())
    both = replace(STILL, rotation=20.0, vertical_flip=1.0).vary(faces, 48, seeded())
    assert torch.allclose(both, turned.flip(2), atol=1e-2)


@pytest.mark.parametrize(("chance", "begin"), [(0, 0), (0.5, 12), (1, 24)])
def test_a_crop_of_half_the_side_is_a_quarter_of_the_picture(faces, monkeypatch, chance, begin):
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.full((count,), float(chance)))
    varied = random_affine(faces, size=24, **NO_MOVEMENT, crop=0.5, generator=seeded())
    assert torch.allclose(varied, faces[:, :, begin : begin + 24, begin : begin + 24], atol=1e-2)


def test_crops_lie_anywhere_in_the_picture():
    # As in the usual "resize to 256, crop 224": pixels keep their distances, and the window goes up to each edge.
    across = torch.arange(256.0).expand(300, 1, 256, 256)
    for ramp in (across, across.mT):
        varied = random_affine(ramp, size=224, **NO_MOVEMENT, crop=0.875, generator=seeded())[:, 0]
        line = varied[:, 0] if ramp is across else varied[:, :, 0]
        assert torch.allclose(line.diff(dim=1), torch.ones(()), atol=1e-3)
        assert line.min() >= 0
        assert line.max() <= 255
        assert line[:, 0].min() < 0.5
        assert line[:, -1].max() > 254.5
        assert line[:, 0].mean().item() == pytest.approx(16, abs=1.5)


def test_a_pair_of_crop_shares_is_a_range():
    ramp = torch.arange(100.0).expand(400, 1, 100, 100)
    varied = random_affine(ramp, size=100, **NO_MOVEMENT, crop=(0.6, 0.9), generator=seeded())[:, 0, 0]
    shares = (varied[:, 60] - varied[:, 40]) / 20
    assert 0.6 <= shares.min() < 0.61
    assert 0.89 < shares.max() <= 0.9001


def test_half_the_faces_are_flipped():
    ramp = torch.arange(8.0).expand(1000, 1, 8, 8)
    varied = random_affine(ramp, size=8, **{**NO_MOVEMENT, "flip": 0.5}, generator=seeded())
    flipped = varied[:, 0, 0, 0] > varied[:, 0, 0, -1]
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_rotation_against_opencv(faces, fixed_chances):
    varied = random_affine(faces, size=48, **{**NO_MOVEMENT, "rotation": 20.0}, generator=seeded())
    # A positive angle of OpenCV's turns the picture against the clock, hence the inverse map with the clock.
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), -20, 1)
    for face, found in zip(faces[:, 0].numpy(), varied[:, 0].numpy(), strict=True):
        assert np.abs(found - warped(face, matrix)).mean() < 0.5


def test_shift_against_opencv(faces, fixed_chances):
    varied = random_affine(faces, size=48, **{**NO_MOVEMENT, "shift": 0.125}, generator=seeded())
    for face, found in zip(faces[:, 0].numpy(), varied[:, 0].numpy(), strict=True):
        assert found == pytest.approx(warped(face, np.float64([[1, 0, 6], [0, 1, 6]])), abs=1e-2)


def test_zoom_and_shear_against_opencv(faces, fixed_chances):
    varied = random_affine(faces, size=48, **{**NO_MOVEMENT, "scale": 0.2, "shear": 10.0}, generator=seeded())
    # The width's own stretch is a third of the zoom, on the logarithmic scale.
    across = np.array([[1.2 * 1.2 ** (1 / 3), 1.2 * math.tan(math.radians(10))], [0, 1.2]])
    matrix = np.column_stack([across, np.full(2, 23.5) - across @ np.full(2, 23.5)])
    for face, found in zip(faces[:, 0].numpy(), varied[:, 0].numpy(), strict=True):
        assert np.abs(found - warped(face, matrix)).mean() < 0.5


def test_movements_stay_within_their_limits():
    # One bright dot in the middle moves by at most the limit.
    dot = torch.zeros(500, 1, 33, 33)
    dot[:, :, 16, 16] = 255
    moved = random_affine(dot, size=33, **{**NO_MOVEMENT, "shift": 0.1}, generator=seeded())[:, 0]
    weight = moved / moved.sum((1, 2), keepdim=True)
    places = torch.arange(33.0) - 16
    for offsets in ((weight.sum(1) * places).sum(1), (weight.sum(2) * places).sum(1)):
        assert offsets.abs().max() <= 3.3 + 1e-3
        assert offsets.abs().max() > 3.0
        assert offsets.mean().abs() < 0.3


@pytest.mark.parametrize("size", [24, 32, 48, 64])
def test_another_size(faces, size):
    varied = STILL.vary(faces, size, seeded())
    assert varied.shape == (6, 1, size, size)
    assert varied.mean((1, 2, 3)).tolist() == pytest.approx(faces.mean((1, 2, 3)).tolist(), abs=3)


def test_half_the_size_is_the_mean_of_four(faces):
    means = torch.nn.functional.avg_pool2d(faces, 2)
    assert torch.allclose(STILL.vary(faces, 24, seeded()), means, atol=1e-2)


def test_light_is_linear_where_it_is_not_cut_off(faces):
    soft = faces * 0.2 + 100
    varied = random_light(soft, brightness=0.1, contrast=0.3, generator=seeded())
    for before, after in zip(soft.flatten(1), varied.flatten(1), strict=True):
        factor, offset = np.polyfit(before, after, 1)
        assert 1 / 1.3 <= factor <= 1.3
        assert after.tolist() == pytest.approx((factor * before + offset).tolist(), abs=0.05)
        assert (after.mean() - before.mean()).abs() <= 25.5 + 1e-3


@given(st.floats(0, 1), st.floats(0, 3), st.integers(0, 1000))
def test_light_stays_between_black_and_white(brightness, contrast, seed):
    ramp = torch.linspace(0, 255, 64).view(1, 1, 8, 8).expand(20, 1, 8, 8)
    varied = random_light(ramp, brightness=brightness, contrast=contrast, generator=seeded(seed))
    assert varied.min() >= 0
    assert varied.max() <= 255


def test_erasing_covers_one_rectangle_with_the_mean():
    ramp = torch.arange(1600.0).view(1, 1, 40, 40).expand(400, 2, 40, 40)
    varied = random_erasing(ramp, probability=0.75, area=(0.1, 0.2), generator=seeded())
    covered = varied != ramp
    assert torch.equal(covered[:, 0], covered[:, 1])  # all channels alike
    assert (varied[covered] == ramp[0].mean()).all()
    touched = covered[:, 0][covered[:, 0].any(2).any(1)].numpy()
    assert len(touched) / 400 == pytest.approx(0.75, abs=0.06)
    for mask in touched:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        tall, wide = len(rows), len(columns)
        assert mask.sum() == tall * wide == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 0.1 * 1600 - tall - wide <= tall * wide <= 0.2 * 1600 + tall + wide
        assert 0.4 < tall / wide < 2.5
    assert touched.mean() == pytest.approx(0.15, abs=0.01)


def test_erasing_nothing(faces):
    assert torch.equal(random_erasing(faces, probability=0, area=(0.1, 0.2), generator=seeded()), faces)


@given(st.integers(0, 1000), st.integers(1, 9))
def test_mixup_blends_pictures_and_targets_alike(seed, count):
    pictures, targets = torch.eye(9)[:count].view(count, 1, 3, 3), torch.eye(9)[:count]
    mixed_pictures, mixed_targets = mixup([pictures, targets], probability=1.0, alpha=0.5, generator=seeded(seed))
    assert torch.allclose(mixed_pictures.view(count, 9), mixed_targets)
    assert mixed_targets.sum(1).tolist() == pytest.approx([1] * count)
    ratios = mixed_targets[torch.arange(count), torch.arange(count)]
    blended = ratios[ratios < 1 - 1e-6]  # a face that met itself stays as it was
    assert (blended - blended[:1]).abs().max() < 1e-6 if len(blended) else True
    # Each face is given away exactly once.
    assert mixed_targets.sum(0).tolist() == pytest.approx([1] * count + [0] * (9 - count), abs=1e-6)


def test_mixup_at_the_given_rate():
    batch = torch.arange(8.0)[:, None]
    generator = seeded()
    changed = [
        not torch.equal(mixup([batch], probability=0.3, alpha=1.0, generator=generator)[0], batch) for _ in range(1000)
    ]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.05)


def test_mixup_of_probability_zero(faces):
    (same,) = mixup([faces], probability=0, alpha=0.2, generator=seeded())
    assert torch.equal(same, faces)


def test_mixup_ratios_follow_the_beta_distribution():
    batch = torch.eye(3)
    generator = seeded()
    ratios = []
    for _ in range(3000):
        (mixed,) = mixup([batch], probability=1.0, alpha=0.4, generator=generator)
        if mixed[0, 0] < 1:
            ratios.append(mixed[0, 0].item())
    # Beta(a, a) has the variance 1 / (4 (2a + 1)).
    assert np.mean(ratios) == pytest.approx(0.5, abs=0.03)
    assert np.var(ratios) == pytest.approx(1 / (4 * 1.8), abs=0.015)


def test_cutmix_pastes_one_rectangle_and_counts_its_area():
    pictures = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 2, 10, 20)
    targets = torch.eye(6)
    generator = seeded()
    shares = []
    for _ in range(200):
        mixed, mixed_targets = cutmix([pictures, targets], probability=1.0, alpha=1.0, generator=generator)
        assert torch.equal(mixed[:, 0], mixed[:, 1])
        pasted = (mixed[:, 0] != pictures[:, 0]).numpy()
        share = 1 - mixed_targets[torch.arange(6), torch.arange(6)]
        for picture, mask, target, own in zip(mixed[:, 0], pasted, mixed_targets, range(6), strict=True):
            if mask.any():  # a face that met itself stays as it was
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                assert mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
                (giver,) = picture[mask].unique().int().tolist()
                assert target[giver].item() == pytest.approx(mask.mean(), abs=1e-6)
                assert target[own].item() == pytest.approx(1 - mask.mean(), abs=1e-6)
        shares.append(share.max().item())
        assert mixed_targets.sum(1).tolist() == pytest.approx([1] * 6)
        assert mixed_targets.sum(0).tolist() == pytest.approx([1] * 6)
    # The area is evenly between 0 and 1, and a side s loses s²/4 of its length at the picture's edges on average.
    assert np.mean(shares) == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.05)


def test_cutmix_at_the_given_rate():
    batch = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 9, 9)
    generator = seeded()
    changed = [cutmix([batch], probability=0.3, alpha=1.0, generator=generator)[0] is not batch for _ in range(500)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.06)


def test_a_batch_is_mixed_in_one_way_only():
    pictures, targets = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 12, 12), torch.eye(8)
    both = Augmentation(mixup=0.5, mixup_alpha=1.0, cutmix=1.0)
    generator = seeded()
    blended = []
    for _ in range(200):
        mixed, _ = both.mix([pictures, targets], generator)
        blended.append((mixed != mixed.round()).any().item())
        if blended[-1]:  # mixup's blends are the same all over the picture
            assert torch.equal(mixed, mixed[:, :, :1, :1].expand_as(mixed))
    assert np.mean(blended) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(pictures, torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 12, 12))


def test_mixing_switched_off(faces):
    (same,) = replace(STILL, cutmix=0.0).mix([faces], seeded())
    assert torch.equal(same, faces)


def test_changes_that_are_off_draw_no_random_numbers(faces):
    # Released recipes rely on it: their faces come out as they did before these changes existed.
    generator, counted = seeded(), seeded()
    Augmentation().vary(faces, 48, generator)
    for _ in range(7 + 2 + 5):  # movement, light, erasing
        torch.rand(len(faces), generator=counted)
    assert torch.equal(generator.get_state(), counted.get_state())


def test_all_changes_together(faces):
    colour = faces.expand(-1, 3, -1, -1)
    everything = Augmentation(
        vertical_flip=0.5, crop=(0.7, 1.0), saturation=0.3, hue=0.1, grayscale=0.2, blur=0.5, noise=0.1, cutmix=1.0
    )

    def made(seed):
        generator = seeded(seed)
        varied = everything.vary(colour, 40, generator)
        return everything.mix([varied, torch.eye(6)], generator)

    for one, same, other in zip(made(5), made(5), made(6), strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    varied, targets = made(5)
    assert varied.shape == (6, 3, 40, 40)
    assert varied.min() >= 0
    assert varied.max() <= 255
    assert targets.sum(1).tolist() == pytest.approx([1] * 6)


def test_the_usual_amounts_are_taken():
    Augmentation().check(channels=1)
    replace(STILL, crop=(0.6, 1.0), size_by_epoch={0: 32, 4: 48}).check(channels=3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("flip", 1.5),
        ("mixup", -0.1),
        ("rotation", -1.0),
        ("noise", -0.1),
        ("shear", 90.0),
        ("hue", 0.6),
        ("mixup_alpha", 0.0),
        ("crop", 0.0),
        ("crop", 1.2),
        ("crop", (0.9, 0.6)),
        ("blur_sigma", (2.0, 1.0)),
        ("erasing_area", (0.1, 1.1)),
        ("size_by_epoch", {0: 4}),
    ],
)
def test_amounts_that_make_no_sense_are_refused(setting, value):
    with pytest.raises(InputError, match=rf"^augmentation: {setting} must .*, not ") as refused:
        Augmentation(**{setting: value}).check(3)
    assert str(refused.value).endswith(f"not {value}")


@pytest.mark.parametrize("setting", ["saturation", "hue", "grayscale"])
def test_colour_is_refused_for_grey_faces(setting):
    changed = Augmentation(**{setting: 0.2})
    changed.check(channels=3)
    with pytest.raises(InputError, match=f"{setting} 0.2 needs faces in colour, and the model's have 1 channel"):
        changed.check(channels=1)


def test_equal_generators_give_equal_faces(faces):
    augmentation = Augmentation()
    one, same, other = (augmentation.vary(faces, 48, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_two_readings_of_the_same_change(faces):
    """The second is what the first would be without the changes that spoil pictures."""
    spoiling = {"blur": 1.0, "low_resolution": 1.0, "noise": 0.1, "jpeg": 1.0}
    moving = Augmentation(erasing=0.0)
    spoilt, clear = replace(moving, **spoiling).vary_twice(faces, 40, seeded())
    assert torch.equal(spoilt, replace(moving, **spoiling).vary(faces, 40, seeded()))
    assert torch.equal(clear, moving.vary(faces, 40, seeded()))
    assert not torch.allclose(spoilt, clear, atol=5)


def test_two_readings_are_covered_alike():
    plain = torch.arange(48.0 * 48).view(1, 1, 48, 48).expand(32, 1, 48, 48) / 12 + 20
    covering = replace(STILL, erasing=0.5, erasing_area=(0.1, 0.2), noise=0.001)
    noisy, clear = covering.vary_twice(plain, 48, seeded())
    hidden_noisy, hidden_clear = ((seen - plain).abs() > 5 for seen in (noisy, clear))
    assert torch.equal(hidden_noisy, hidden_clear)
    assert 8 < hidden_clear.flatten(1).any(1).sum() < 24


def test_each_face_is_varied_in_its_own_way(faces):
    varied = Augmentation().vary(faces[:1].expand(8, 1, 48, 48), 48, seeded())
    assert len(varied.flatten(1).unique(dim=0)) == 8


def test_the_given_faces_are_left_alone(faces):
    before = faces.clone()
    Augmentation().vary(faces, 48, seeded())
    assert torch.equal(faces, before)


@pytest.mark.parametrize(
    ("plan", "epoch", "size"),
    [
        (None, 0, 48),
        ({}, 3, 48),
        ({0: 32, 20: 40, 40: 44}, 0, 32),
        ({0: 32, 20: 40, 40: 44}, 19, 32),
        ({0: 32, 20: 40, 40: 44}, 20, 40),
        ({40: 44, 0: 32, 20: 40}, 99, 44),  # the order of the entries does not matter
        ({5: 32}, 4, 48),  # before the first entry
    ],
)
def test_size_by_epoch(plan, epoch, size):
    assert Augmentation(size_by_epoch=plan).size_at(epoch, 48) == size


def test_half_precision_does_not_touch_the_pictures():
    everything = Augmentation(blur=0.5, noise=0.05, low_resolution=0.5, jpeg=0.5, crop=0.9, saturation=0.2, hue=0.1)
    faces = torch.randint(0, 256, (16, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    plain = everything.vary(faces, 20, torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        varied = everything.vary(faces, 20, torch.Generator().manual_seed(1))
    assert varied.dtype == torch.float32
    assert torch.equal(varied, plain)
