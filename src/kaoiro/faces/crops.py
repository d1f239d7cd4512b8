"""Cutting a face out of a picture."""

from math import floor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""`(left, top, right, bottom)` in pixels of the upright picture."""

Point = tuple[float, float]
"""`(x, y)` in pixels of the upright picture."""

# Below this scale, interpolating between four pixels would leave some out; the picture is averaged first.
_LEAST_SCALE: Final = 0.75
_ENLARGING: Final = 1.5


def cut_face(
    image: NDArray[np.uint8],
    box: Box,
    side: float = 1.0,
    shift_x: float = 0.0,
    shift_y: float = 0.0,
    roll: float = 0.0,
) -> NDArray[np.uint8]:
    """Cut a square about a face, in the picture's own resolution.

    Args:
        image: `uint8 (H, W, 3)` or `(H, W)`.
        box: the face's box, `xyxy` in pixels; it may reach outside the picture.
        side: the square's side in units of the longer side of the box.
        shift_x: how far right of the box's centre the square's centre lies, in units of the square's side.
        shift_y: how far below it.
        roll: how far the face is turned clockwise, in degrees. The square is turned with it, about the centre of the
            box, so that the face is upright in the result.

    Returns:
        `uint8 (n, n, 3)` or `(n, n)` with `n = max(1, round(side × longer side))`. Where the square reaches
        outside the picture, the picture's border pixels are repeated.
    """
    left, top, right, bottom = box
    square = side * max(right - left, bottom - top)
    pixels = max(1, floor(square + 0.5))
    if roll:
        centre = (left + right) / 2, (top + bottom) / 2
        matrix = square_map(centre, roll, 1.0, pixels)
        matrix[:, 2] -= shift_x * square, shift_y * square
        return warped_square(image, matrix, pixels)
    x = floor((left + right) / 2 + shift_x * square - pixels / 2 + 0.5)
    y = floor((top + bottom) / 2 + shift_y * square - pixels / 2 + 0.5)
    height, width = image.shape[:2]
    if x >= 0 and y >= 0 and x + pixels <= width and y + pixels <= height:
        return image[y : y + pixels, x : x + pixels].copy()
    rows = np.clip(np.arange(y, y + pixels), 0, height - 1)
    columns = np.clip(np.arange(x, x + pixels), 0, width - 1)
    return image[rows[:, None], columns]


def square_map(centre: Point, roll: float, scale: float, pixels: int) -> NDArray[np.float64]:
    """Give the affine map that turns and scales a picture about a point, and puts this point in the middle of a square.

    Args:
        centre: the point, where 0 is the picture's left or upper edge.
        roll: how far what is turned clockwise now shall be turned back, in degrees.
        scale: how many pixels of the square one of the picture becomes.
        pixels: the side of the square.

    Returns:
        `float64 (2, 3)`, from coordinates of the picture to those of the square.
    """
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, roll, scale), np.float64)
    matrix[:, 2] += pixels / 2 - centre[0], pixels / 2 - centre[1]
    return matrix


def warped_square(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], pixels: int, scale: float = 1.0
) -> NDArray[np.uint8]:
    """Apply an affine map as `square_map` gives it; outside the picture, its border pixels are repeated.

    Args:
        image: `uint8 (H, W, 3)` or `(H, W)`.
        matrix: `(2, 3)`, between coordinates in which 0 is the edge of a picture, not the middle of its first pixel.
        pixels: the side of the result.
        scale: by how much the map enlarges.

    Returns:
        `uint8 (pixels, pixels, 3)` or `(pixels, pixels)`, free of aliasing.
    """
    if scale < _LEAST_SCALE:
        image, matrix = _shrunk(image, matrix, pixels, scale)
    # OpenCV counts from the middle of the first pixel.
    matrix = matrix + np.array([[0, 0, 1], [0, 0, 1]]) * (matrix[:, :2].sum(axis=1, keepdims=True) / 2 - 0.5)
    method = cv2.INTER_CUBIC if scale > _ENLARGING else cv2.INTER_LINEAR
    square = cv2.warpAffine(image, matrix, (pixels, pixels), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square, np.uint8)


def _shrunk(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], pixels: int, scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Shrink the part of a picture that a map shows, by averaging; gives it and the map from it."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [pixels, 0], [0, pixels], [pixels, pixels]], np.float64)
    back = cv2.invertAffineTransform(matrix)
    shown = corners @ back[:, :2].T + back[:, 2]
    x0, y0 = np.clip(np.floor(shown.min(axis=0)).astype(int), 0, (width - 1, height - 1)).tolist()
    x1, y1 = np.clip(np.ceil(shown.max(axis=0)).astype(int), (x0 + 1, y0 + 1), (width, height)).tolist()
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    small = np.asarray(cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), np.uint8)
    linear = matrix[:, :2] * ((x1 - x0) / size[0], (y1 - y0) / size[1])
    return small, np.column_stack([linear, matrix[:, 2] + matrix[:, :2] @ (x0, y0)])
