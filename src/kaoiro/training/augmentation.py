"""Random changes to whole batches of faces, as tensor operations on the training device.

Faces are `float32 (batch, channels, height, width)` with values 0 to 255. Each batch has a generator of its own, made
from the run's seed and the numbers of the epoch, the step and the process, so that a resumed run sees the same pictures
as one that was never stopped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kaoiro.errors import InputError
from kaoiro.training.degradation import random_jpeg, random_low_resolution
from kaoiro.training.photo_effects import random_blur, random_colour, random_noise
from kaoiro.training.random_amounts import uniform


def _shares(crop: float | tuple[float, float]) -> tuple[float, float]:
    return crop if isinstance(crop, tuple) else (crop, crop)


def random_affine(
    faces_BCHW: Tensor,
    *,
    size: int,
    rotation: float,
    scale: float,
    shift: float,
    shear: float,
    flip: float,
    vertical_flip: float = 0.0,
    crop: float | tuple[float, float] = 1.0,
    generator: torch.Generator,
) -> Tensor:
    """Cut a window out of every face, rotate, zoom, move, shear and mirror it, and bring it to `size`.

    Each face has random amounts of its own. All of it is one reading of the picture, so nothing is smoothed twice.

    Args:
        faces_BCHW: `float32 (batch, channels, height, width)`.
        size: side of the result in pixels.
        rotation: largest angle in degrees.
        scale: largest relative zoom; 0.2 means a factor between 1/1.2 and 1.2.
        shift: largest movement as a share of the side (of the window's side where there is a crop).
        shear: largest shear in degrees.
        flip: probability of a mirror image.
        vertical_flip: probability of an image that is upside down, after the rotation.
        crop: side of a square window at a random place, as a share of the picture's side; of a pair, each face draws
            a share between the two. At 1 no random numbers are drawn for it, nor for a `vertical_flip` of 0.

    Returns:
        `float32 (batch, channels, size, size)`. What lies outside the picture repeats its border.
    """
    count, channels = faces_BCHW.shape[:2]
    angle_B = uniform(count, -rotation, rotation, faces_BCHW, generator) * (math.pi / 180)
    slant_B = torch.tan(uniform(count, -shear, shear, faces_BCHW, generator) * (math.pi / 180))
    log_scale = math.log1p(scale)
    zoom_B = torch.exp(uniform(count, -log_scale, log_scale, faces_BCHW, generator))
    stretch_B = torch.exp(uniform(count, -log_scale / 3, log_scale / 3, faces_BCHW, generator))
    mirror_B = 1 - 2 * (uniform(count, 0, 1, faces_BCHW, generator) < flip).float()
    cos_B, sin_B = torch.cos(angle_B), torch.sin(angle_B)
    theta_B23 = torch.zeros(count, 2, 3, device=faces_BCHW.device)
    theta_B23[:, 0, 0] = mirror_B * cos_B * zoom_B * stretch_B
    theta_B23[:, 0, 1] = mirror_B * (slant_B * cos_B - sin_B) * zoom_B
    theta_B23[:, 1, 0] = sin_B * zoom_B * stretch_B
    theta_B23[:, 1, 1] = (slant_B * sin_B + cos_B) * zoom_B
    # The grid's coordinates run from -1 to 1, so a share of the side is twice that.
    theta_B23[:, 0, 2] = uniform(count, -2 * shift, 2 * shift, faces_BCHW, generator)
    theta_B23[:, 1, 2] = uniform(count, -2 * shift, 2 * shift, faces_BCHW, generator)
    if vertical_flip > 0:
        theta_B23[:, :, 1] *= (1 - 2 * (uniform(count, 0, 1, faces_BCHW, generator) < vertical_flip).float())[:, None]
    least, largest = _shares(crop)
    if least < 1:
        share_B = uniform(count, least, largest, faces_BCHW, generator)
        theta_B23 *= share_B[:, None, None]
        for axis in (0, 1):
            theta_B23[:, axis, 2] += (1 - share_B) * uniform(count, -1, 1, faces_BCHW, generator)
    grid_BHW2 = F.affine_grid(theta_B23, [count, channels, size, size], align_corners=False)
    return F.grid_sample(faces_BCHW, grid_BHW2, mode="bilinear", padding_mode="border", align_corners=False)


def random_light(faces_BCHW: Tensor, *, brightness: float, contrast: float, generator: torch.Generator) -> Tensor:
    """Change every face's brightness (a share of 255, added) and contrast (a relative factor) within ± the limits."""
    count = len(faces_BCHW)
    offset_B111 = 255 * uniform(count, -brightness, brightness, faces_BCHW, generator).view(-1, 1, 1, 1)
    log_contrast = math.log1p(contrast)
    factor_B111 = torch.exp(uniform(count, -log_contrast, log_contrast, faces_BCHW, generator)).view(-1, 1, 1, 1)
    if brightness == 0 and contrast == 0:  # the numbers are drawn all the same, so that later ones do not change
        return faces_BCHW
    mean_B111 = faces_BCHW.mean((1, 2, 3), keepdim=True)
    return (faces_BCHW - mean_B111).mul_(factor_B111).add_(mean_B111).add_(offset_B111).clamp_(0, 255)


def random_erasing(
    faces_BCHW: Tensor, *, probability: float, area: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Cover one rectangle of some faces with the face's mean.

    Source: Zhong et al. 2020, "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896.

    Args:
        faces_BCHW: `float32 (batch, channels, height, width)`.
        probability: share of the faces that are changed.
        area: least and largest share of the picture that is covered; the sides' ratio lies between 1:2 and 2:1.
    """
    count, _, height, width = faces_BCHW.shape
    log_two = math.log(2)
    aspect_B = torch.exp(uniform(count, -log_two, log_two, faces_BCHW, generator))
    area_B = uniform(count, *area, faces_BCHW, generator)
    tall_B = (area_B * aspect_B).sqrt().clamp(max=1) * height
    wide_B = (area_B / aspect_B).sqrt().clamp(max=1) * width
    top_B = uniform(count, 0, 1, faces_BCHW, generator) * (height - tall_B)
    left_B = uniform(count, 0, 1, faces_BCHW, generator) * (width - wide_B)
    chosen_B = uniform(count, 0, 1, faces_BCHW, generator) < probability
    if probability == 0:
        return faces_BCHW
    rows_H = torch.arange(height, device=faces_BCHW.device) + 0.5
    columns_W = torch.arange(width, device=faces_BCHW.device) + 0.5
    in_rows_BH = (rows_H >= top_B[:, None]) & (rows_H < (top_B + tall_B)[:, None])
    in_columns_BW = (columns_W >= left_B[:, None]) & (columns_W < (left_B + wide_B)[:, None])
    covered_B1HW = (in_rows_BH[:, None, :, None] & in_columns_BW[:, None, None, :]) & chosen_B.view(-1, 1, 1, 1)
    return torch.where(covered_B1HW, faces_BCHW.mean((1, 2, 3), keepdim=True), faces_BCHW)


def mixup(
    tensors: Sequence[Tensor], *, probability: float, alpha: float, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Blend a batch with a shuffled copy of itself, pictures and targets alike, with one ratio for the whole batch.

    Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", https://arxiv.org/abs/1710.09412.

    Args:
        tensors: floating tensors whose first dimension is the batch.
        probability: share of the batches that are blended.
        alpha: both parameters of the Beta distribution that the ratio comes from.
    """
    decision, gamma_seed = torch.rand(2, generator=generator, device=generator.device).tolist()
    if decision >= probability:
        return tuple(tensors)
    # torch has no Beta sampler that takes a generator, so the ratio is read off numpy's, seeded from ours.
    ratio = float(np.random.default_rng(int(gamma_seed * 2**32)).beta(alpha, alpha))
    order_B = torch.randperm(len(tensors[0]), generator=generator, device=generator.device).to(tensors[0].device)
    return tuple(ratio * tensor + (1 - ratio) * tensor[order_B] for tensor in tensors)


def cutmix(
    tensors: Sequence[Tensor], *, probability: float, alpha: float, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Put one rectangle of a shuffled copy of the batch into it, and blend the targets by the rectangle's area.

    Source: Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
    https://arxiv.org/abs/1905.04899.

    Args:
        tensors: the pictures `(batch, channels, height, width)`, then floating tensors whose first dimension is the
            batch.
        probability: share of the batches that are changed.
        alpha: both parameters of the Beta distribution that the rectangle's share of the picture comes from.
    """
    pictures_BCHW, *targets = tensors
    height, width = pictures_BCHW.shape[2:]
    decision, seed, across, down = torch.rand(4, generator=generator, device=generator.device).tolist()
    if decision >= probability:
        return tuple(tensors)
    side = math.sqrt(float(np.random.default_rng(int(seed * 2**32)).beta(alpha, alpha)))
    # The rectangle's middle lies anywhere in the picture, and what sticks out is cut off.
    top, bottom = (round(min(max((down + half) * height, 0), height)) for half in (-side / 2, side / 2))
    left, right = (round(min(max((across + half) * width, 0), width)) for half in (-side / 2, side / 2))
    order_B = torch.randperm(len(pictures_BCHW), generator=generator, device=generator.device).to(pictures_BCHW.device)
    mixed_BCHW = pictures_BCHW.clone()
    mixed_BCHW[:, :, top:bottom, left:right] = pictures_BCHW[order_B, :, top:bottom, left:right]
    ratio = 1 - (bottom - top) * (right - left) / (height * width)
    return (mixed_BCHW, *(ratio * tensor + (1 - ratio) * tensor[order_B] for tensor in targets))


@dataclass(frozen=True)
class Augmentation:
    """How training faces are varied. An amount of 0 switches a change off; `crop` is off at 1.

    Args:
        rotation: largest angle in degrees.
        scale: largest relative zoom; 0.2 means a factor between 1/1.2 and 1.2.
        shift: largest movement as a share of the side.
        shear: largest shear in degrees.
        flip: probability of a mirror image.
        vertical_flip: probability of an image that is upside down.
        crop: side of a window at a random place, as a share of the picture's side: 0.875 is what "resize to 256, crop
            224" does, and a pair such as [0.6, 1.0] draws the share for each face ("random resized crop"). Validation
            and inference read the whole face.
        brightness: largest brightness that is added or taken, as a share of white.
        contrast: largest relative factor of contrast; 0.4 means a factor between 1/1.4 and 1.4.
        saturation: the same for saturation, of RGB faces.
        hue: largest turn of the hue as a share of the full circle, of RGB faces.
        grayscale: probability of a grey picture, of RGB faces.
        blur: probability of a Gaussian blur.
        blur_sigma: least and largest standard deviation of the blur, in pixels of the training picture.
        noise: largest standard deviation of Gaussian noise, as a share of white.
        low_resolution: probability that a face is shrunken and enlarged again, like one that was small in its photo.
        low_resolution_share: least and largest share of the side that it is shrunken to; one is drawn for each batch.
        jpeg: probability that a face loses what JPEG takes from it.
        jpeg_quality: least and largest quality of JPEG, 1 to 100.
        erasing: probability that one rectangle is covered.
        erasing_area: least and largest share of the picture that is covered.
        mixup: share of the batches in which each face is blended with another.
        mixup_alpha: both parameters of the Beta distribution of mixup's ratio; small ones give uneven blends.
        cutmix: share of the batches, of those without mixup, in which a rectangle comes from another face.
        cutmix_alpha: both parameters of the Beta distribution of the rectangle's area.
        size_by_epoch: side of the training pictures in pixels from the given epoch on, for example
            `{0: 32, 20: 40, 40: 48}`: small pictures first are cheap, the last epochs get the full size.
            Epochs before the first entry, or an empty mapping, train at the model's own size.
    """

    rotation: float = 12.0
    scale: float = 0.15
    shift: float = 0.08
    shear: float = 5.0
    flip: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.4
    erasing: float = 0.5
    erasing_area: tuple[float, float] = (0.02, 0.2)
    mixup: float = 0.5
    mixup_alpha: float = 0.2
    size_by_epoch: dict[int, int] | None = None
    vertical_flip: float = 0.0
    crop: float | tuple[float, float] = 1.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    noise: float = 0.0
    low_resolution: float = 0.0
    low_resolution_share: tuple[float, float] = (0.4, 0.9)
    jpeg: float = 0.0
    jpeg_quality: tuple[float, float] = (15.0, 80.0)
    cutmix: float = 0.0
    cutmix_alpha: float = 1.0

    def check(self, channels: int) -> None:
        """Refuse amounts that make no sense, and changes of colour for faces without colour.

        Args:
            channels: of the model's faces.

        Raises:
            InputError: which amount it is, and what it may be.
        """
        for name in (
            *("flip", "vertical_flip", "grayscale", "blur", "low_resolution"),
            *("jpeg", "erasing", "mixup", "cutmix"),
        ):
            self._check(name, 0 <= getattr(self, name) <= 1, "must lie between 0 and 1")
        for name in ("rotation", "scale", "shift", "brightness", "contrast", "saturation", "noise"):
            self._check(name, getattr(self, name) >= 0, "must be 0 or more")
        self._check("shear", 0 <= self.shear < 90, "must be 0 or more and below 90 degrees")
        self._check("hue", 0 <= self.hue <= 0.5, "must lie between 0 and 0.5, half of the circle")
        for name in ("mixup_alpha", "cutmix_alpha"):
            self._check(name, getattr(self, name) > 0, "must be more than 0")
        least, largest = _shares(self.crop)
        self._check("crop", 0 < least <= largest <= 1, "must be a share above 0 and up to 1, or a rising pair of them")
        least, largest = self.blur_sigma
        self._check("blur_sigma", 0 < least <= largest, "must be two rising numbers above 0")
        least, largest = self.low_resolution_share
        self._check("low_resolution_share", 0 < least <= largest <= 1, "must be two rising shares above 0 and up to 1")
        least, largest = self.jpeg_quality
        self._check("jpeg_quality", 1 <= least <= largest <= 100, "must be two rising numbers between 1 and 100")
        least, largest = self.erasing_area
        self._check("erasing_area", 0 <= least <= largest <= 1, "must be two rising shares between 0 and 1")
        smallest = min((self.size_by_epoch or {}).values(), default=8)
        self._check("size_by_epoch", smallest >= 8, "must not go below 8 pixels")
        for name in ("saturation", "hue", "grayscale"):
            if getattr(self, name) and channels != 3:
                raise InputError(
                    f"augmentation: {name} {getattr(self, name)} needs faces in colour, and the model's have "
                    f"{channels} channel{'' if channels == 1 else 's'}; set it to 0, or the model's channels to 3"
                )

    def _check(self, name: str, right: bool, rule: str) -> None:
        if not right:
            raise InputError(f"augmentation: {name} {rule}, not {getattr(self, name)}")

    def size_at(self, epoch: int, full_size: int) -> int:
        """Side of the training pictures in this epoch."""
        reached = [start for start in self.size_by_epoch or {} if start <= epoch]
        return self.size_by_epoch[max(reached)] if self.size_by_epoch and reached else full_size

    def vary(self, faces_BCHW: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """Apply all changes to single pictures; `mix`, which needs the targets too, comes after it."""
        # Half precision is for the network: it would round places and pixels.
        with torch.autocast(faces_BCHW.device.type, enabled=False):
            clear_BCHW = self._moved_and_lit(faces_BCHW.float(), size, generator)
            return self._covered(self._spoilt(clear_BCHW, generator), generator)

    def vary_twice(self, faces_BCHW: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Apply all changes to single pictures, and also all but those that spoil them.

        Returns:
            The pictures that `vary` gives, and the same ones without blur, few pixels, noise and JPEG: turned, lit and
            covered alike.
        """
        with torch.autocast(faces_BCHW.device.type, enabled=False):
            clear_BCHW = self._moved_and_lit(faces_BCHW.float(), size, generator)
            spoilt_BCHW = self._spoilt(clear_BCHW, generator)
            # A copy of the generator covers the same places.
            same = torch.Generator(generator.device).set_state(generator.get_state())
            return self._covered(spoilt_BCHW, generator), self._covered(clear_BCHW, same)

    def _covered(self, faces_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        return random_erasing(faces_BCHW, probability=self.erasing, area=self.erasing_area, generator=generator)

    def _moved_and_lit(self, faces_BCHW: Tensor, size: int, generator: torch.Generator) -> Tensor:
        faces_BCHW = random_affine(
            faces_BCHW,
            size=size,
            rotation=self.rotation,
            scale=self.scale,
            shift=self.shift,
            shear=self.shear,
            flip=self.flip,
            vertical_flip=self.vertical_flip,
            crop=self.crop,
            generator=generator,
        )
        # What is switched off draws no random numbers, so that a recipe gives the same faces as before there was more
        # to choose from.
        if self.saturation or self.hue or self.grayscale:
            faces_BCHW = random_colour(
                faces_BCHW,
                saturation=self.saturation,
                hue=self.hue,
                grayscale=self.grayscale,
                generator=generator,
            )
        return random_light(faces_BCHW, brightness=self.brightness, contrast=self.contrast, generator=generator)

    def _spoilt(self, faces_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        if self.blur:
            faces_BCHW = random_blur(faces_BCHW, probability=self.blur, sigma=self.blur_sigma, generator=generator)
        if self.low_resolution:
            faces_BCHW = random_low_resolution(
                faces_BCHW, probability=self.low_resolution, share=self.low_resolution_share, generator=generator
            )
        if self.noise:
            faces_BCHW = random_noise(faces_BCHW, deviation=self.noise, generator=generator)
        if self.jpeg:
            faces_BCHW = random_jpeg(faces_BCHW, probability=self.jpeg, quality=self.jpeg_quality, generator=generator)
        return faces_BCHW

    def mix(self, tensors: Sequence[Tensor], generator: torch.Generator) -> tuple[Tensor, ...]:
        """Mix the faces of a batch, and their targets alike, by mixup or cutmix.

        Args:
            tensors: the pictures `(batch, channels, height, width)`, then floating tensors whose first dimension is
                the batch.
            generator: the batch's own.

        Returns:
            Tensors of the same shapes; the given ones are left alone.
        """
        mixed = mixup(tensors, probability=self.mixup, alpha=self.mixup_alpha, generator=generator)
        if self.cutmix and mixed[0] is tensors[0]:
            mixed = cutmix(tensors, probability=self.cutmix, alpha=self.cutmix_alpha, generator=generator)
        return mixed
