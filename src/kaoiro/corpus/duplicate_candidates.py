"""Which pairs of faces are worth comparing in full: all that look alike in a coarse form.

Up to `ALL_PAIRS` faces, every pair is looked at. Beyond, some faces serve as pivots: each face goes to the pivots most
like it, and pairs are looked at among a pivot's faces only. With about √n pivots the work grows as n^1.5, where all
pairs take n². The number of pairs that happen to look alike would still grow as n², so the rules are stricter then, and
each face keeps the few faces most like it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kaoiro.corpus.duplicate_views import SHIFTS, UNIT, band_windows, low_resolution
from kaoiro.parallel import ordered_map

ALL_PAIRS: Final = 40_960
"""Number of faces up to which no pair is passed over."""

PIVOTS_A_FACE: Final = 12
"""To how many pivots each face goes."""

PIVOTS_A_ROOT: Final = 12
"""How many pivots there are for each unit of √n."""

NEIGHBOURS: Final = 16
"""How many candidates each face keeps where there are pivots, beside those that are alike at 16×16 pixels."""

# Pictures that correlate by 0.90 in full do so by 0.92 at 16×16 pixels.
_LOW_RESOLUTION_LIMIT = 0.915 * UNIT**2
_BAND_LIMIT = 0.78 * UNIT**2
_BAND_LIMIT_AT_PIVOTS = 0.83 * UNIT**2
_BLOCK = 512  # with four times as many others, a block of products stays in the cache
_WINDOWS = len(SHIFTS) ** 2
_STILL = _WINDOWS // 2  # the window that is not moved
_LOW_RESOLUTION = _WINDOWS  # stands for low resolution among the numbers of windows


@dataclass(frozen=True)
class Candidates:
    """Pairs of faces that look alike in a coarse form, in ascending order of (first, second), first < second.

    Attributes:
        first: rows, `int64 (p,)`.
        second: rows, `int64 (p,)`.
        mirrored: is the second picture more alike when it is mirrored, `bool (p,)`.
        low_resolution: are they alike at 16×16 pixels, `bool (p,)`; a pair that is not does not correlate by 0.90.
        shift: by how much the first picture seems to be moved against the second one, `int64 (p, 2)`: pixels down and
            to the right.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    low_resolution: NDArray[np.bool_]
    shift: NDArray[np.int64]


@dataclass(frozen=True)
class _Block:
    """Faces to compare with others: the places of both in the arrays of views."""

    rows: NDArray[np.int64]
    others: NDArray[np.int64]


_Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8], NDArray[np.float32]]


def find_candidates(faces: NDArray[np.uint8], on_progress: Callable[[float], None] = lambda _: None) -> Candidates:
    """Find the pairs that look alike.

    Args:
        faces: `uint8 (n, 48, 48)`.
        on_progress: is told now and then which part is done, from 0 to 1.
    """
    # Our threads share the work; threads of BLAS's own beside them wait in a loop, for most of the time if the machine
    # has other work.
    with threadpool_limits(limits=1, user_api="blas"):
        return _find_candidates(faces, on_progress)


def _find_candidates(faces: NDArray[np.uint8], on_progress: Callable[[float], None]) -> Candidates:
    low, band = low_resolution(faces), band_windows(faces)
    on_progress(0.1)
    exhaustive = len(faces) <= ALL_PAIRS
    if exhaustive:
        blocks = list(_all_pairs(len(faces)))
    else:
        blocks = list(_pairs_at_pivots(low, lambda part: on_progress(0.1 + 0.2 * part)))
    band_limit = _BAND_LIMIT if exhaustive else _BAND_LIMIT_AT_PIVOTS
    if not blocks:
        nothing = np.empty(0, np.int64)
        return Candidates(nothing, nothing, nothing > 0, nothing > 0, np.empty((0, 2), np.int64))
    work = np.cumsum([len(block.rows) * len(block.others) for block in blocks])
    found: list[_Found] = []
    for done, part in zip(work, ordered_map(lambda block: _alike(block, low, band, band_limit), blocks), strict=True):
        found.append(part)
        on_progress(0.3 + 0.7 * float(done / work[-1]))
    return _merged(found, None if exhaustive else NEIGHBOURS)


def _all_pairs(n: int) -> Iterator[_Block]:
    for start in range(0, n, _BLOCK):
        for other in range(start, n, 4 * _BLOCK):
            yield _Block(np.arange(start, min(start + _BLOCK, n)), np.arange(other, min(other + 4 * _BLOCK, n)))


def _pairs_at_pivots(low: NDArray[np.int16], on_progress: Callable[[float], None]) -> Iterator[_Block]:
    n = len(low)
    count = min(n, round(PIVOTS_A_ROOT * n**0.5))
    pivots = np.sort(np.random.default_rng(0).choice(n, count, replace=False))
    even, odd = (np.ascontiguousarray(low[pivots, part].astype(np.float32).T) for part in (0, 1))

    def nearest(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        alike = np.abs(low[rows, 1].astype(np.float32) @ odd)
        alike += low[rows, 0].astype(np.float32) @ even
        # A copy, since a view would keep the whole block in memory.
        return np.argpartition(alike, -PIVOTS_A_FACE, axis=1)[:, -PIVOTS_A_FACE:].copy()

    chunks = np.array_split(np.arange(n), -(-n // _BLOCK))
    near = []
    for done, part in enumerate(ordered_map(nearest, chunks), 1):
        near.append(part)
        on_progress(done / len(chunks))
    pivot_of = np.concatenate(near).ravel()
    order = np.argsort(pivot_of, kind="stable")
    rows = order // PIVOTS_A_FACE
    ends = np.searchsorted(pivot_of[order], np.arange(count), side="right")
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        members = rows[start:end]
        for place in range(0, len(members), _BLOCK):
            for other in range(place, len(members), 4 * _BLOCK):
                yield _Block(members[place : place + _BLOCK], members[other : other + 4 * _BLOCK])


def _alike(block: _Block, low: NDArray[np.int16], band: NDArray[np.int16], band_limit: float) -> _Found:
    """Find a block's pairs: two rows, the window (negative, less one, where mirrored) and how much alike."""
    still = band[block.others, _STILL]
    parts = [
        _above(low[block.rows], low[block.others], _LOW_RESOLUTION_LIMIT, _LOW_RESOLUTION),
        *(_above(band[block.rows, window], still, band_limit, window) for window in range(_WINDOWS)),
    ]
    first, second, windows, alike = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    first, second = block.rows[first], block.others[second]
    pairs = first < second
    return first[pairs], second[pairs], windows[pairs], alike[pairs]


def _above(one: NDArray[np.int16], other: NDArray[np.int16], limit: float, window: int) -> _Found:
    odd = one[:, 1].astype(np.float32) @ other[:, 1].astype(np.float32).T
    alike = np.abs(odd)
    alike += one[:, 0].astype(np.float32) @ other[:, 0].astype(np.float32).T
    places = np.flatnonzero(alike >= limit)
    first, second = np.divmod(places, alike.shape[1])
    windows = np.where(odd.ravel()[places] < 0, -1 - window, window).astype(np.int8)
    return first, second, windows, alike.ravel()[places]


def _merged(found: list[_Found], neighbours: int | None) -> Candidates:
    """Keep each pair once, in the window where it is most alike, and of each face so many `neighbours` only."""
    first, second, window, alike = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((window, -alike, second, first))
    first, second, window, alike = first[order], second[order], window[order], alike[order]
    new = np.ones(len(first), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    place = np.where(window < 0, -1 - window, window).astype(np.int64)
    starts = np.flatnonzero(new)
    low = np.logical_or.reduceat(place == _LOW_RESOLUTION, starts) if len(starts) else new
    place = np.where(place == _LOW_RESOLUTION, _STILL, place)[new]
    shift = np.asarray(SHIFTS)[np.stack([place // len(SHIFTS), place % len(SHIFTS)], axis=1)]
    first, second, alike, mirrored = first[new], second[new], alike[new], window[new] < 0
    if neighbours is None:
        return Candidates(first, second, mirrored, low, shift)
    keep = low | _near(first, second, alike, neighbours)
    return Candidates(first[keep], second[keep], mirrored[keep], low[keep], shift[keep])


def _near(
    first: NDArray[np.int64], second: NDArray[np.int64], alike: NDArray[np.float32], neighbours: int
) -> NDArray[np.bool_]:
    """Find the pairs of which one is among the `neighbours` faces most like the other: `bool (p,)`."""
    one, other = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((other, -np.concatenate([alike, alike]), one))
    starts = np.searchsorted(one[order], one[order])
    near = np.empty(len(one), np.bool_)
    near[order] = np.arange(len(one)) - starts < neighbours
    return near[: len(first)] | near[len(first) :]
