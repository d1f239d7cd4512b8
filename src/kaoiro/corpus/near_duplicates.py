"""Finding the pairs of near-duplicates in a corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.duplicates import SIDE, THRESHOLD, _even_and_odd
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.parallel import available_cores

_BLOCK: Final = 1024


@dataclass(frozen=True)
class DuplicatePairs:
    """Pairs of faces that show the same photograph, in ascending order of (first, second), first < second.

    Attributes:
        first: rows, `int64 (p,)`.
        second: rows, `int64 (p,)`.
        correlation: of the two pictures, the second one mirrored where that is more; `float32 (p,)` in `[-1, 1]`.
        mirrored: is the second picture mirrored, `bool (p,)`.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float32]
    mirrored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)


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
    threshold: float = THRESHOLD,
    on_progress: Callable[[float], None] = lambda _: None,
) -> DuplicatePairs:
    """Find all pairs of near-duplicates, exact copies among them, mirror images included.

    Args:
        faces: `uint8 (n, 48, 48)` grey.
        threshold: the smallest correlation of a near-duplicate.
        on_progress: is told now and then which part is done, from 0 to 1.
    """
    even, odd, _ = _even_and_odd(faces)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]] = []
    for start in range(0, len(faces), _BLOCK):
        rows = slice(start, start + _BLOCK)
        a, b = even[rows] @ even[start:].T, odd[rows] @ odd[start:].T
        correlation = a + np.abs(b)
        first, second = np.nonzero(np.triu(correlation >= threshold, 1))
        found.append((first + start, second + start, correlation[first, second], b[first, second] < 0))
        on_progress(min(start + _BLOCK, len(faces)) / len(faces))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return DuplicatePairs(columns[0], columns[1], columns[2], columns[3])
