"""Near-duplicates: pictures that show the same photograph again, perhaps brighter, noisier or mirrored.

Two faces of 48×48 pixels are near-duplicates where the correlation of their z-normalised pixels (Pearson's
*r*) is at least 0.90, the second one mirrored or not.

The mirrored comparison costs nothing extra. Split each picture into the part that mirroring keeps and the
part whose sign it turns: `r(a, b) = even + odd` and `r(a, mirror(b)) = even - odd`, where `even` and `odd`
are inner products of half the length, so the larger of the two is `even + |odd|`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError

SIDE: Final = 48
"""Side in pixels of the pictures compared; the threshold below means little at another size."""

THRESHOLD: Final = 0.90
"""Correlation from which two pictures count as near-duplicates."""

_QUERY_BLOCK = 8192  # 75 MB of float32: how many queries one pass over the references serves
_REFERENCE_BLOCK = 2048
_PRODUCT_ROWS = 1024  # two products of 1,024 × 2,048 float32 stay at 16 MB


def nearest_correlation(queries: NDArray[np.uint8], references: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Find how strongly each query correlates with the reference most like it, mirror images included.

    A constant picture has no variance and so no correlation; it counts as 1 with another constant picture,
    whatever their brightness, and as 0 with every other. Works in blocks: beside its arguments it holds
    some 170 MB at most.

    Args:
        queries: `uint8 (n, 48, 48)` grey.
        references: `uint8 (m, 48, 48)` grey.

    Returns:
        `float32 (n,)` in `[-1, 1]`; -1 throughout where there are no references.

    Raises:
        InputError: an array has another shape or dtype.
    """
    for name, pictures in (("queries", queries), ("references", references)):
        if pictures.dtype != np.uint8 or pictures.ndim != 3 or pictures.shape[1:] != (SIDE, SIDE):
            raise InputError(f"{name} must be uint8 (n, {SIDE}, {SIDE}), not {pictures.dtype} {tuple(pictures.shape)}")
    nearest = np.full(len(queries), -1, np.float32)
    for start in range(0, len(queries), _QUERY_BLOCK):
        _raise_to_nearest(nearest[start : start + _QUERY_BLOCK], queries[start : start + _QUERY_BLOCK], references)
    return nearest


def near_duplicates(
    queries: NDArray[np.uint8], references: NDArray[np.uint8], threshold: float = THRESHOLD
) -> NDArray[np.bool_]:
    """Say which queries are near-duplicates of any reference, mirror images included.

    Args:
        queries: `uint8 (n, 48, 48)` grey.
        references: `uint8 (m, 48, 48)` grey.
        threshold: the smallest correlation of a near-duplicate, in `[-1, 1]`.

    Returns:
        `bool (n,)`.

    Raises:
        InputError: an array has another shape or dtype, or `threshold` is out of range.
    """
    if not -1 <= threshold <= 1:
        raise InputError(f"threshold must lie in [-1, 1], not {threshold!r}")
    if len(references) == 0:
        return np.zeros(len(queries), np.bool_)
    return nearest_correlation(queries, references) >= threshold


def _raise_to_nearest(nearest: NDArray[np.float32], queries: NDArray[np.uint8], references: NDArray[np.uint8]) -> None:
    query_even, query_odd, query_constant = _even_and_odd(queries)
    for start in range(0, len(references), _REFERENCE_BLOCK):
        even, odd, constant = _even_and_odd(references[start : start + _REFERENCE_BLOCK])
        for row in range(0, len(queries), _PRODUCT_ROWS):
            rows = slice(row, row + _PRODUCT_ROWS)
            correlation = query_odd[rows] @ odd.T
            np.abs(correlation, out=correlation)
            correlation += query_even[rows] @ even.T
            np.maximum(nearest[rows], correlation.max(axis=1), out=nearest[rows])
        if constant.any():
            nearest[query_constant] = 1
    # Rounding leaves a picture's correlation with itself a hair above 1.
    np.clip(nearest, -1, 1, out=nearest)


def _even_and_odd(
    pictures: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Z-normalise pictures to unit length and split them by mirror symmetry.

    Returns:
        The even and the odd part, each `float32 (n, 1152)`, whose squares together sum to 1 a picture (to
        0 for a constant one), and `bool (n,)`: is the picture constant.
    """
    flat = pictures.reshape(len(pictures), -1)
    constant = flat.min(axis=1) == flat.max(axis=1)
    pixels = flat.astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    pixels[constant] = 0
    length = np.sqrt(np.einsum("np,np->n", pixels, pixels))
    pixels /= np.where(constant, 1, length * np.float32(np.sqrt(2)))[:, None].astype(np.float32)
    square = pixels.reshape(-1, SIDE, SIDE)
    left, right = square[:, :, : SIDE // 2], square[:, :, : SIDE // 2 - 1 : -1]
    return (left + right).reshape(len(pictures), -1), (left - right).reshape(len(pictures), -1), constant
