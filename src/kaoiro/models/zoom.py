"""Enlarging faces about their middle, as two matrix products."""

import torch
from torch import Tensor


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
