"""The forms in which two pictures are compared, from coarse to fine, all computed in whole numbers.

Sums of whole numbers below 2²⁴ are exact in float32, in whatever order a machine adds them up. So two machines find the
same duplicates, and draw the same splits.

A form is cut into what mirroring keeps (`even`) and what it turns round (`odd`): the similarity of a picture with
another one is `even·even + odd·odd`, and with the other one mirrored `even·even − odd·odd`, so the larger of the two is
`even·even + |odd·odd|`.
"""

from collections.abc import Callable, Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.parallel import ordered_map

SIDE: Final = 48
"""Side in pixels of the pictures compared."""

UNIT: Final = 4000
"""Length of every vector given here; the product of two is at most 16 million, below 2²⁴."""

SHIFTS: Final = (-3, 0, 3)
"""By how many pixels the windows of `band_windows` are moved, in each direction."""

_BLOCK = 3  # pixels of a block of the low resolution
_WINDOW = 40
_WINDOW_BLOCK = 4
_CHUNK = 256


def low_resolution(faces: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Shrink faces to 16×16 pixels of mean 0 and length `UNIT`.

    Args:
        faces: `uint8 (n, 48, 48)`.

    Returns:
        `int16 (n, 2, 128)`: even and odd part; zeros for a face of one single colour.
    """

    def shrink(chunk: NDArray[np.uint8]) -> NDArray[np.int16]:
        side = SIDE // _BLOCK
        blocks = chunk.astype(np.int64).reshape(-1, side, _BLOCK, side, _BLOCK).sum(axis=(2, 4))
        return _even_and_odd(blocks)

    return _in_chunks(shrink, faces, (2, (SIDE // _BLOCK) ** 2 // 2))


def band_windows(faces: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Keep the coarse structure of faces (a band of spatial frequencies), seen through nine windows.

    Args:
        faces: `uint8 (n, 48, 48)`.

    Returns:
        `int16 (n, 9, 2, 50)`: for each pair of `SHIFTS` (down, right), even and odd part of the 40×40 pixels there,
        shrunk to 10×10.
    """
    middle = (SIDE - _WINDOW) // 2
    side = _WINDOW // _WINDOW_BLOCK

    def windows(chunk: NDArray[np.uint8]) -> NDArray[np.int16]:
        band = _band(chunk, 2, 6)
        parts = []
        for down in SHIFTS:
            for right in SHIFTS:
                window = band[:, middle + down :, middle + right :][:, :_WINDOW, :_WINDOW]
                blocks = window.reshape(-1, side, _WINDOW_BLOCK, side, _WINDOW_BLOCK).sum(axis=(2, 4))
                parts.append(_even_and_odd(blocks))
        return np.stack(parts, axis=1)

    return _in_chunks(windows, faces, (len(SHIFTS) ** 2, 2, side**2 // 2))


def fine_band(faces: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Keep the fine structure of faces: what is left of light, shade and outline when both are blurred away.

    Args:
        faces: `uint8 (n, 48, 48)`.

    Returns:
        `int16 (n, 48, 48)`, each of length `UNIT`; zeros for a face of one single colour.
    """

    def fine(chunk: NDArray[np.uint8]) -> NDArray[np.int16]:
        band = _band(chunk, 1, 3).astype(np.float64)
        length = np.sqrt((band * band).sum(axis=(1, 2), keepdims=True))
        return np.asarray(
            np.rint(band * np.divide(UNIT, length, out=np.zeros_like(length), where=length > 0)), np.int16
        )

    return _in_chunks(fine, faces, (SIDE, SIDE))


def _in_chunks(
    function: Callable[[NDArray[np.uint8]], NDArray[np.int16]], faces: NDArray[np.uint8], shape: tuple[int, ...]
) -> NDArray[np.int16]:
    out = np.empty((len(faces), *shape), np.int16)

    def chunks() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(faces), _CHUNK):
            yield faces[start : start + _CHUNK]

    for place, part in enumerate(ordered_map(function, chunks())):
        out[place * _CHUNK : place * _CHUNK + len(part)] = part
    return out


def _even_and_odd(blocks: NDArray[np.int64]) -> NDArray[np.int16]:
    """Bring `(n, side, side)` to mean 0 and length `UNIT`, cut in two: `int16 (n, 2, side² / 2)`."""
    n, side, _ = blocks.shape
    # Times their number, so that the mean is a whole number too.
    centred = blocks * side**2 - blocks.sum(axis=(1, 2), keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=(1, 2)).astype(np.float64))
    scale = np.divide(UNIT / np.sqrt(2), length, out=np.zeros(n), where=length > 0)
    left, right = centred[:, :, : side // 2], centred[:, :, : side // 2 - 1 : -1]
    parts = np.stack([left + right, left - right], axis=1).reshape(n, 2, -1)
    return np.asarray(np.rint(parts * scale[:, None, None]), np.int16)


def _band(faces: NDArray[np.uint8], fine: float, coarse: float) -> NDArray[np.int64]:
    """Take one blurred picture from another (a difference of Gaussians), in sixteenths of a grey level."""
    return np.stack([_blurred(face, fine) - _blurred(face, coarse) for face in faces.astype(np.float32)])


def _blurred(face: NDArray[np.float32], sigma: float) -> NDArray[np.int64]:
    kernel = np.rint(cv2.getGaussianKernel(2 * round(3 * sigma) + 1, sigma) * 256).astype(np.float32)
    kernel[len(kernel) // 2] += 256 - kernel.sum()
    nothing = np.ones(1, np.float32)
    across = np.rint(cv2.sepFilter2D(face, cv2.CV_32F, kernel, nothing) / 16)
    both = np.rint(cv2.sepFilter2D(across, cv2.CV_32F, nothing, kernel) / 256)
    return both.astype(np.int64)
