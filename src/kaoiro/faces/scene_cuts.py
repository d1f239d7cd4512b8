"""Noticing that a film cuts to another scene."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# About this many pixels of a frame are looked at along each side.
_SAMPLES: Final = 48
_LEVELS: Final = 4
_HISTOGRAM_CHANGE: Final = 0.2
_LEAST_CORRELATION: Final = 0.4


class SceneCuts:
    """Tells for one frame after the other whether another scene begins with it.

    A cut changes both the colours, wherever they are, and where things are: a flash or a fade changes the first more
    than the second, a fast camera the second more than the first.
    """

    def __init__(self) -> None:
        self._histogram: NDArray[np.float64] | None = None
        self._grey = np.zeros((1, 1))

    def is_cut(self, image: NDArray[np.uint8]) -> bool:
        """Whether `uint8 (H, W, 3)` RGB shows another scene than the frame given before; the first one does not."""
        height, width = image.shape[:2]
        sampled = image[height // _SAMPLES // 2 :: max(1, height // _SAMPLES), :: max(1, width // _SAMPLES)]
        levels = sampled.astype(np.int64) * _LEVELS // 256
        index = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
        histogram = np.bincount(index.ravel(), minlength=_LEVELS**3) / index.size
        grey = sampled.mean(axis=2)
        before, grey_before = self._histogram, self._grey
        self._histogram, self._grey = histogram, grey
        if before is None or grey.shape != grey_before.shape:
            return before is not None
        change = float(np.abs(histogram - before).sum()) / 2
        return change > _HISTOGRAM_CHANGE and _correlation(grey, grey_before) < _LEAST_CORRELATION


def _correlation(grey: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's, -1 to 1; 0 where one is of one colour."""
    a, b = grey - grey.mean(), other - other.mean()
    product = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / product if product > 0 else 0.0
