"""Covering a large picture with overlapping tiles of equal size."""

from collections.abc import Iterator
from math import ceil
from typing import Final

TILE: Final = 1280
"""The longest side of a tile in pixels; it bounds the memory that one look takes."""
OVERLAP: Final = 192
"""How many pixels two neighbouring tiles share at least."""
LARGEST_FACE: Final = 128
"""In pixels. A face with no side longer than this lies whole within some tile, with a margin of 32 pixels
about it where the picture has them."""


def tiles(width: int, height: int, longest: int = TILE, overlap: int = OVERLAP) -> Iterator[tuple[int, int, int, int]]:
    """Cover a picture with tiles, row by row.

    Args:
        width: of the picture in pixels.
        height: of the picture in pixels.
        longest: the longest side that a tile may have; larger than `overlap`.
        overlap: what two neighbouring tiles share at least.

    Yields:
        `(left, top, right, bottom)` in pixels. All tiles have the same size. Every square with a side of `overlap`
        or less lies whole within one of them.
    """
    for top, bottom in _spans(height, longest, overlap):
        for left, right in _spans(width, longest, overlap):
            yield left, top, right, bottom


def _spans(length: int, longest: int, overlap: int) -> list[tuple[int, int]]:
    """Cover `0` to `length` with as few spans as will do."""
    if length <= longest:
        return [(0, length)]
    count = ceil((length - overlap) / (longest - overlap))
    size = ceil((length + (count - 1) * overlap) / count)
    starts = [(length - size) * place // (count - 1) for place in range(count)]
    return [(start, start + size) for start in starts]
