"""Whether two faces that look alike show the same photograph."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.duplicate_candidates import Candidates
from kaoiro.corpus.duplicate_pairs import DuplicatePairs
from kaoiro.corpus.duplicate_views import SIDE, fine_band
from kaoiro.parallel import ordered_map

CORRELATION: Final = 0.90
"""Correlation from which two pictures are near-duplicates."""

DETAIL: Final = 0.85
"""Correlation of the fine detail from which two pictures are near-duplicates, whatever their light."""

_REACH = 5  # by how many pixels a picture may be moved
_STEPS = 3
_HOPELESS = 0.62  # pairs that agree no better after a step in every direction will not agree
_CHUNK = 2048
_INNER = slice(_REACH, SIDE - _REACH)
_NEIGHBOURS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


def check_candidates(
    pictures: NDArray[np.uint8], candidates: Candidates, on_progress: Callable[[float], None]
) -> DuplicatePairs:
    """Keep the candidates that are near-duplicates.

    Args:
        pictures: `uint8 (n, 48, 48)`, all different.
        candidates: pairs of them.
        on_progress: is told now and then which part is done, from 0 to 1.
    """
    if len(candidates.first) == 0:
        nothing = np.empty(0, np.float32)
        return DuplicatePairs(len(pictures), candidates.first, candidates.second, nothing, nothing, candidates.mirrored)
    concerned, places = np.unique(np.concatenate([candidates.first, candidates.second]), return_inverse=True)
    band = fine_band(pictures[concerned])
    first, second = places[: len(candidates.first)], places[len(candidates.first) :]
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(first), _CHUNK)]

    def check(chunk: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mirrored = candidates.mirrored[chunk]
        detail = _detail(band[first[chunk]], _turned(band[second[chunk]], mirrored), candidates.shift[chunk])
        # Worked out in full for those alone that need it.
        worth = candidates.low_resolution[chunk] | (detail >= DETAIL)
        one, other = (pictures[rows[chunk][worth]] for rows in (candidates.first, candidates.second))
        correlation = np.zeros(len(detail), np.float32)
        correlation[worth] = _correlation(one, _turned(other, mirrored[worth]))
        return correlation, detail

    results = []
    for done, result in enumerate(ordered_map(check, chunks), 1):
        results.append(result)
        on_progress(done / len(chunks))
    correlation, detail = (np.concatenate(column) for column in zip(*results, strict=True))
    pairs = DuplicatePairs(len(pictures), candidates.first, candidates.second, correlation, detail, candidates.mirrored)
    return pairs.select((correlation >= CORRELATION) | (detail >= DETAIL))


def _turned(pictures: NDArray[Any], mirrored: NDArray[np.bool_]) -> NDArray[Any]:
    pictures[mirrored] = pictures[mirrored, :, ::-1]
    return pictures


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlate pictures pair by pair, `(p, 48, 48)` each: exact sums."""
    size = SIDE * SIDE
    a, b = (pictures.reshape(len(pictures), size).astype(np.float64) for pictures in (one, other))
    sum_a, sum_b = a.sum(axis=1), b.sum(axis=1)
    covariance = size * np.einsum("pm,pm->p", a, b) - sum_a * sum_b
    variance_a = size * np.einsum("pm,pm->p", a, a) - sum_a**2
    variance_b = size * np.einsum("pm,pm->p", b, b) - sum_b**2
    return np.asarray(covariance / (np.sqrt(variance_a) * np.sqrt(variance_b)), np.float32)


def _detail(one: NDArray[np.int16], other: NDArray[np.int16], shift: NDArray[np.int64]) -> NDArray[np.float32]:
    """Climb from a first guess to the shift at which the detail agrees most, and give the cosine there.

    The band has next to no mean, so the cosine is as good as the correlation, and cheaper.
    """
    inner = other[:, _INNER, _INNER].reshape(len(other), -1).astype(np.float32)
    length = np.sqrt(np.einsum("pm,pm->p", inner, inner))
    shift = shift.copy()
    best = _cosine_at(shift, one, inner, length)
    climbing = np.arange(len(one))
    for _ in range(_STEPS):
        tried = np.full((len(climbing), len(_NEIGHBOURS)), -1, np.float32)
        for place, step in enumerate(_NEIGHBOURS):
            there = shift[climbing] + step
            within = np.abs(there).max(axis=1) <= _REACH
            rows = climbing[within]
            tried[within, place] = _cosine_at(there[within], one[rows], inner[rows], length[rows])
        higher = tried.max(axis=1)
        better = higher > best[climbing]
        climbing, higher = climbing[better], higher[better]
        shift[climbing] += np.asarray(_NEIGHBOURS)[tried[better].argmax(axis=1)]
        best[climbing] = higher
        climbing = climbing[higher > _HOPELESS]
        if len(climbing) == 0:
            break
    return best


def _cosine_at(
    shift: NDArray[np.int64], one: NDArray[np.int16], inner: NDArray[np.float32], length: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compare what one picture shows at `shift` with the inner part of the other, of the length given."""
    cosine = np.empty(len(one), np.float32)
    codes = shift[:, 0] * SIDE + shift[:, 1]
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        down, right = shift[rows[0]]
        there = one[rows, _REACH + down : SIDE - _REACH + down, _REACH + right : SIDE - _REACH + right]
        flat = there.reshape(len(rows), -1).astype(np.float32)
        scale = np.sqrt(np.einsum("pm,pm->p", flat, flat)) * length[rows]
        product = np.einsum("pm,pm->p", flat, inner[rows])
        cosine[rows] = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    return cosine
