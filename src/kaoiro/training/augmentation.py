"""Random changes to whole batches of faces, as tensor operations on the training device.

Faces are `float32 (batch, channels, height, width)` with values 0 to 255. Each batch has a generator of its own, made
from the run's seed and the step's number, so that a resumed run sees the same pictures as one that was never stopped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def _uniform(count: int, low: float, high: float, like: Tensor, generator: torch.Generator) -> Tensor:
    values_B = torch.rand(count, generator=generator, device=generator.device)
    return (low + (high - low) * values_B).to(like.device)


def random_affine(
    faces_BCHW: Tensor,
    *,
    size: int,
    rotation: float,
    scale: float,
    shift: float,
    shear: float,
    flip: float,
    generator: torch.Generator,
) -> Tensor:
    """Rotate, zoom, move, shear and mirror every face by its own random amounts, and bring it to `size` in one pass.

    Args:
        faces_BCHW: `float32 (batch, channels, height, width)`.
        size: side of the result in pixels.
        rotation: largest angle in degrees.
        scale: largest relative zoom; 0.2 means a factor between 1/1.2 and 1.2.
        shift: largest movement as a share of the side.
        shear: largest shear in degrees.
        flip: probability of a mirror image.

    Returns:
        `float32 (batch, channels, size, size)`. What lies outside the picture repeats its border.
    """
    count, channels = faces_BCHW.shape[:2]
    angle_B = _uniform(count, -rotation, rotation, faces_BCHW, generator) * (math.pi / 180)
    slant_B = torch.tan(_uniform(count, -shear, shear, faces_BCHW, generator) * (math.pi / 180))
    log_scale = math.log1p(scale)
    zoom_B = torch.exp(_uniform(count, -log_scale, log_scale, faces_BCHW, generator))
    stretch_B = torch.exp(_uniform(count, -log_scale / 3, log_scale / 3, faces_BCHW, generator))
    mirror_B = 1 - 2 * (_uniform(count, 0, 1, faces_BCHW, generator) < flip).float()
    cos_B, sin_B = torch.cos(angle_B), torch.sin(angle_B)
    theta_B23 = torch.zeros(count, 2, 3, device=faces_BCHW.device)
    theta_B23[:, 0, 0] = mirror_B * cos_B * zoom_B * stretch_B
    theta_B23[:, 0, 1] = mirror_B * (slant_B * cos_B - sin_B) * zoom_B
    theta_B23[:, 1, 0] = sin_B * zoom_B * stretch_B
    theta_B23[:, 1, 1] = (slant_B * sin_B + cos_B) * zoom_B
    # The grid's coordinates run from -1 to 1, so a share of the side is twice that.
    theta_B23[:, 0, 2] = _uniform(count, -2 * shift, 2 * shift, faces_BCHW, generator)
    theta_B23[:, 1, 2] = _uniform(count, -2 * shift, 2 * shift, faces_BCHW, generator)
    grid_BHW2 = F.affine_grid(theta_B23, [count, channels, size, size], align_corners=False)
    return F.grid_sample(faces_BCHW, grid_BHW2, mode="bilinear", padding_mode="border", align_corners=False)


def random_light(faces_BCHW: Tensor, *, brightness: float, contrast: float, generator: torch.Generator) -> Tensor:
    """Change every face's brightness (a share of 255, added) and contrast (a relative factor) within ± the limits."""
    count = len(faces_BCHW)
    offset_B111 = 255 * _uniform(count, -brightness, brightness, faces_BCHW, generator).view(-1, 1, 1, 1)
    log_contrast = math.log1p(contrast)
    factor_B111 = torch.exp(_uniform(count, -log_contrast, log_contrast, faces_BCHW, generator)).view(-1, 1, 1, 1)
    mean_B111 = faces_BCHW.mean((1, 2, 3), keepdim=True)
    return ((faces_BCHW - mean_B111) * factor_B111 + mean_B111 + offset_B111).clamp(0, 255)


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
    aspect_B = torch.exp(_uniform(count, -log_two, log_two, faces_BCHW, generator))
    area_B = _uniform(count, *area, faces_BCHW, generator)
    tall_B = (area_B * aspect_B).sqrt().clamp(max=1) * height
    wide_B = (area_B / aspect_B).sqrt().clamp(max=1) * width
    top_B = _uniform(count, 0, 1, faces_BCHW, generator) * (height - tall_B)
    left_B = _uniform(count, 0, 1, faces_BCHW, generator) * (width - wide_B)
    chosen_B = _uniform(count, 0, 1, faces_BCHW, generator) < probability
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


@dataclass(frozen=True)
class Augmentation:
    """How training faces are varied; the limits are those of the functions in this module.

    Args:
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

    def size_at(self, epoch: int, full_size: int) -> int:
        """Side of the training pictures in this epoch."""
        reached = [start for start in self.size_by_epoch or {} if start <= epoch]
        return self.size_by_epoch[max(reached)] if self.size_by_epoch and reached else full_size

    def vary(self, faces_BCHW: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """Apply all changes to the pictures themselves; mixup, which needs the targets too, stays with the caller."""
        faces_BCHW = random_affine(
            faces_BCHW.float(),
            size=size,
            rotation=self.rotation,
            scale=self.scale,
            shift=self.shift,
            shear=self.shear,
            flip=self.flip,
            generator=generator,
        )
        faces_BCHW = random_light(faces_BCHW, brightness=self.brightness, contrast=self.contrast, generator=generator)
        return random_erasing(faces_BCHW, probability=self.erasing, area=self.erasing_area, generator=generator)
