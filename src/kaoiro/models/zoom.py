"""Enlarging faces about their middle, as two matrix products."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from kaoiro.errors import InputError

LARGEST_ZOOM: Final = 2.0


def check_zooms(name: str, factors: Sequence[float]) -> None:
    """Refuse zooms that show nothing of use, or the same twice.

    Args:
        name: of the setting, for the message.
        factors: by how much pictures are enlarged.

    Raises:
        InputError: which factors they are.
    """
    listed = ", ".join(f"{factor:g}" for factor in factors)
    least = 1 / LARGEST_ZOOM
    if not factors or any(not least <= factor <= LARGEST_ZOOM for factor in factors):
        raise InputError(f"{name} must lie between {least:g} and {LARGEST_ZOOM:g}, not {listed or 'nothing'}")
    if len(set(factors)) < len(factors):
        raise InputError(f"{name} must differ from each other; {listed} has one twice")


def zoom_matrix(size: int, factor: float) -> Tensor:
    """The matrix that enlarges a line of pixels about its middle, with linear interpolation.

    As products of constant matrices, `A @ picture @ A.T`, a zoom runs on every backend of a model file.

    Args:
        size: pixels of the line.
        factor: above 1 enlarges; below 1 shrinks, and the outermost pixels are repeated.

    Returns:
        `float32 (size, size)`; each row sums to 1.
    """
    middle = (size - 1) / 2
    places = ((torch.arange(size, dtype=torch.float64) - middle) / factor + middle).clamp(0, size - 1)
    # A triangle of one pixel's half width about each place is linear interpolation.
    weights = (1 - (places[:, None] - torch.arange(size, dtype=torch.float64)).abs()).clamp(min=0)
    return weights.float()
