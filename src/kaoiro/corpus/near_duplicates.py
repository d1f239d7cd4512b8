"""Near-duplicates: pictures that show the same photograph again, perhaps brighter, mirrored, re-encoded or moved.

Two faces of 48×48 pixels are near-duplicates where

- their z-normalised pixels correlate by at least 0.90 (Pearson's *r*), the second one mirrored or not, or
- their fine detail, once the one is moved by up to a few pixels, correlates by at least 0.85.

The first rule alone takes two people for one where light and outline agree, and misses copies that were cut out
a little differently. `DuplicatePairs.sure` tells the pairs of the first rule whose detail agrees too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.duplicate_candidates import find_candidates
from kaoiro.corpus.duplicate_check import CORRELATION, DETAIL, check_candidates
from kaoiro.corpus.duplicate_pairs import DuplicatePairs
from kaoiro.corpus.duplicate_views import SIDE
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.parallel import available_cores

__all__ = ["CORRELATION", "DETAIL", "DuplicatePairs", "comparison_pictures", "find_pairs"]

MANY_COPIES: Final = 50
"""Of more identical pictures than this, each is paired with the first of them only."""


def comparison_pictures(path: Path, on_progress: Callable[[float], None] = lambda _: None) -> NDArray[np.uint8]:
    """Decode a stored corpus's faces to the form in which they are compared: `uint8 (n, 48, 48)` grey.

    Raises:
        CorpusError: the corpus cannot be read, or a picture cannot be decoded.
    """
    stored = open_row_groups(path)
    faces = np.empty((stored.contents.num_rows, SIDE, SIDE), np.uint8)
    done = 0
    for group in range(len(stored)):
        rows = np.arange(stored.contents.row_group(group).num_rows)
        decoded = stored.pictures(group).decode(rows, SIDE, 1, threads=available_cores())
        faces[done : done + len(rows)] = decoded[:, 0]
        done += len(rows)
        on_progress(done / len(faces))
    return faces


def find_pairs(
    faces: NDArray[np.uint8],
    on_progress: Callable[[float], None] = lambda _: None,
) -> DuplicatePairs:
    """Find the pairs of near-duplicates, exact copies among them, mirror images included.

    The same faces give the same pairs on every machine, in whatever order they come. Up to 40,960 different pictures,
    no pair that correlates by 0.90 is passed over; beyond, nearly none (`kaoiro.corpus.duplicate_candidates`). Pictures
    of one single colour have no structure to compare: they are paired with identical ones only.

    Args:
        faces: `uint8 (n, 48, 48)` grey.
        on_progress: is told now and then which part is done, from 0 to 1.
    """
    rows, picture_of = _different(faces)
    pictures = faces[rows]
    candidates = find_candidates(pictures, lambda part: on_progress(0.8 * part))
    pairs = check_candidates(pictures, candidates, lambda part: on_progress(0.8 + 0.2 * part))
    return _with_copies(pairs, picture_of)


def _different(faces: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give a row of each different picture, and of each face the place of its own among them.

    The pictures come in the order of their bytes: which of two is compared with which then depends on the two alone,
    not on where in the corpus they stand.
    """
    whole = np.ascontiguousarray(faces).reshape(len(faces), SIDE * SIDE).view(f"V{SIDE * SIDE}")[:, 0]
    _, first, picture_of = np.unique(whole, return_index=True, return_inverse=True)
    return first, picture_of


def _with_copies(pairs: DuplicatePairs, picture_of: NDArray[np.int64]) -> DuplicatePairs:
    """Turn pairs of different pictures into pairs of faces, and add those of identical pictures.

    Args:
        pairs: of pictures.
        picture_of: each face's picture, `int64 (n,)`.
    """
    order = np.argsort(picture_of, kind="stable")
    copies = np.split(order, np.cumsum(np.bincount(picture_of))[:-1])
    rows: list[tuple[int, int]] = []
    of_pair: list[int] = []
    for place, (one, other) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        between = [(first, second) for first in _few(copies[one]) for second in _few(copies[other])]
        rows += between
        of_pair += [place] * len(between)
    identical: list[tuple[int, int]] = []
    for same in (same.tolist() for same in copies if len(same) > 1):
        firsts = len(same) if len(same) <= MANY_COPIES else 1
        identical += [(same[place], other) for place in range(firsts) for other in same[place + 1 :]]

    ends = np.sort(np.array(rows + identical, np.int64).reshape(-1, 2), axis=1)
    ones = np.ones(len(identical), np.float32)
    found = DuplicatePairs(
        faces=len(picture_of),
        first=ends[:, 0],
        second=ends[:, 1],
        correlation=np.concatenate([pairs.correlation[of_pair], ones]),
        detail=np.concatenate([pairs.detail[of_pair], ones]),
        mirrored=np.concatenate([pairs.mirrored[of_pair], ones < 0]),
    )
    return found.select(np.lexsort((found.second, found.first)))


def _few(copies: NDArray[np.int64]) -> list[int]:
    """Give all copies of a picture, or the first where there are very many."""
    few: list[int] = copies[: len(copies) if len(copies) <= MANY_COPIES else 1].tolist()
    return few
