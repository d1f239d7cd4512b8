"""Cutting a face out of a picture."""

from math import floor

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""`(left, top, right, bottom)` in pixels of the upright picture."""

Point = tuple[float, float]
"""`(x, y)` in pixels of the upright picture."""


def cut_face(
    image: NDArray[np.uint8], box: Box, side: float = 1.0, shift_x: float = 0.0, shift_y: float = 0.0
) -> NDArray[np.uint8]:
    """Cut a square about a face, in the picture's own resolution.

    Args:
        image: `uint8 (H, W, 3)` or `(H, W)`.
        box: the face's box, `xyxy` in pixels; it may reach outside the picture.
        side: the square's side in units of the longer side of the box.
        shift_x: how far right of the box's centre the square's centre lies, in units of the square's side.
        shift_y: how far below it.

    Returns:
        `uint8 (n, n, 3)` or `(n, n)` with `n = max(1, round(side × longer side))`. Where the square reaches
        outside the picture, the picture's border pixels are repeated.
    """
    left, top, right, bottom = box
    square = side * max(right - left, bottom - top)
    pixels = max(1, floor(square + 0.5))
    x = floor((left + right) / 2 + shift_x * square - pixels / 2 + 0.5)
    y = floor((top + bottom) / 2 + shift_y * square - pixels / 2 + 0.5)
    height, width = image.shape[:2]
    if x >= 0 and y >= 0 and x + pixels <= width and y + pixels <= height:
        return image[y : y + pixels, x : x + pixels].copy()
    rows = np.clip(np.arange(y, y + pixels), 0, height - 1)
    columns = np.clip(np.arange(x, x + pixels), 0, width - 1)
    return image[rows[:, None], columns]
