"""Random losses that small, far or much compressed pictures have: fewer pixels, and JPEG's blocks.

Faces are `float32 (batch, channels, height, width)` with values 0 to 255.
"""

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from kaoiro.training.random_amounts import uniform

# ITU-T T.81 (JPEG), tables K.1 and K.2, row by row.
_LUMA_STEPS: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_STEPS: Final = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
# BT.601 as JFIF has it.
_TO_LUMA_AND_CHROMA: Final = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_BLOCK: Final = 8


def random_low_resolution(
    faces_BCHW: Tensor, *, probability: float, share: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Shrink some faces and enlarge them again, as a face that was small in its photo is.

    Args:
        faces_BCHW: `float32 (batch, channels, height, width)`.
        probability: share of the faces that are changed.
        share: least and largest share of the sides that is left; one share is drawn for each batch.
    """
    count, _, height, width = faces_BCHW.shape
    left = float(uniform(1, *share, faces_BCHW, generator))
    chosen_B = uniform(count, 0, 1, faces_BCHW, generator) < probability
    small = (max(round(left * height), 1), max(round(left * width), 1))
    if small == (height, width) or not chosen_B.any():
        return faces_BCHW
    shrunken = F.interpolate(faces_BCHW[chosen_B], small, mode="bilinear", antialias=True, align_corners=False)
    result_BCHW = faces_BCHW.clone()
    enlarged = F.interpolate(shrunken, (height, width), mode="bicubic", align_corners=False)
    result_BCHW[chosen_B] = enlarged.clamp_(0, 255)
    return result_BCHW


def random_jpeg(
    faces_BCHW: Tensor, *, probability: float, quality: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Take from some faces what JPEG at a random quality takes from them, chroma at full resolution.

    Source: ITU-T T.81, with the steps scaled by the quality as in the Independent JPEG Group's library.

    Args:
        faces_BCHW: `float32 (batch, 1 or 3, height, width)`.
        probability: share of the faces that are changed.
        quality: least and largest quality, 1 to 100.
    """
    count, channels, height, width = faces_BCHW.shape
    chosen_B = uniform(count, 0, 1, faces_BCHW, generator) < probability
    quality_N = uniform(count, *quality, faces_BCHW, generator)[chosen_B]
    if not len(quality_N):
        return faces_BCHW
    chosen_NCHW = faces_BCHW[chosen_B].round()
    colours_33 = torch.tensor(_TO_LUMA_AND_CHROMA, device=faces_BCHW.device)
    if channels == 3:
        chosen_NCHW = torch.einsum("dc,nchw->ndhw", colours_33, chosen_NCHW)
        chosen_NCHW[:, 1:] += 128
    stored_NCHW = _quantized(chosen_NCHW, _steps(quality_N, channels))[..., :height, :width].clamp_(0, 255)
    if channels == 3:
        stored_NCHW[:, 1:] -= 128
        stored_NCHW = torch.einsum("cd,ndhw->nchw", torch.linalg.inv(colours_33), stored_NCHW)
    result_BCHW = faces_BCHW.clone()
    result_BCHW[chosen_B] = stored_NCHW.round().clamp_(0, 255)
    return result_BCHW


def _steps(quality_N: Tensor, channels: int) -> Tensor:
    """The steps of each face's coefficients, `(n, channels, 8, 8)`."""
    tables = torch.tensor((_LUMA_STEPS, _CHROMA_STEPS, _CHROMA_STEPS)[:channels], device=quality_N.device)
    percent_N = torch.where(quality_N < 50, 5000 / quality_N, 200 - 2 * quality_N)
    scaled = (tables.float() * percent_N.view(-1, 1, 1, 1) + 50) / 100
    return scaled.floor().clamp(1, 255)


def _quantized(planes_NCHW: Tensor, steps_NCUV: Tensor) -> Tensor:
    """Round the cosine coefficients of every 8 × 8 block; sides are filled up to whole blocks."""
    height, width = planes_NCHW.shape[2:]
    fill = [0, -width % _BLOCK, 0, -height % _BLOCK]
    padded_NCHW = F.pad(planes_NCHW, fill, mode="replicate")
    rows, columns = (side // _BLOCK for side in padded_NCHW.shape[2:])
    blocks = padded_NCHW.reshape(*padded_NCHW.shape[:2], rows, _BLOCK, columns, _BLOCK).transpose(3, 4) - 128
    cosines_UX = _cosines(planes_NCHW.device)
    steps = steps_NCUV[:, :, None, None]
    coefficients = cosines_UX @ blocks @ cosines_UX.T
    rounded = (coefficients / steps).round_() * steps
    restored = cosines_UX.T @ rounded @ cosines_UX + 128
    return restored.transpose(3, 4).reshape(padded_NCHW.shape)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform of 8 values, as a matrix."""
    place_X = torch.arange(_BLOCK, device=device) + 0.5
    wave_U1 = torch.arange(_BLOCK, device=device)[:, None]
    cosines_UX = torch.cos(math.pi / _BLOCK * wave_U1 * place_X) * math.sqrt(2 / _BLOCK)
    cosines_UX[0] /= math.sqrt(2)
    return cosines_UX
