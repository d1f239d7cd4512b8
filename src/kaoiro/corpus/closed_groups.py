"""Closed groups: faces that must stay together, because they share something directly or through others.

A face of subject A that is a near-duplicate of a face of subject B ties both subjects together. The groups are the
connected components of all such ties.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kaoiro.corpus.near_duplicates import DuplicatePairs
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError


def closed_groups(corpus: Corpus, near_duplicates: DuplicatePairs | None = None) -> NDArray[np.int64]:
    """Put faces of one `group`, exact copies and near-duplicates together.

    Args:
        corpus: its pictures are not looked at, so they may be missing.
        near_duplicates: pairs of the corpus's rows.

    Returns:
        `int64 (n,)`: each face's group, by the smallest row in it. A face that is alone has its own row.

    Raises:
        CorpusError: a face has no `sha256`.
    """
    if corpus.table["sha256"].null_count:
        raise CorpusError(f"{corpus.path} has a face without its sha256; import the corpus again")
    ties = [_same_values(corpus.table["group"]), _same_values(corpus.table["sha256"])]
    if near_duplicates is not None:
        ties.append((near_duplicates.first, near_duplicates.second))
    first, second = (np.concatenate(rows) for rows in zip(*ties, strict=True))
    return connected(len(corpus), first, second)


def connected(faces: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the connected components of pairs.

    Args:
        faces: how many there are.
        first: one of each pair, `int64 (p,)`, from 0 to below `faces`.
        second: the other one.

    Returns:
        `int64 (faces,)`: each one's component, by the smallest number in it.

    >>> connected(5, np.array([4, 1]), np.array([1, 2])).tolist()
    [0, 1, 1, 3, 1]
    """
    root = np.arange(faces)
    while True:
        one, other = root[first], root[second]
        apart = one != other
        if not apart.any():
            return root
        # Each root goes to the smallest root that it is tied to, and then straight to the end of that way.
        np.minimum.at(root, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while not np.array_equal(further := root[root], root):
            root = further


def _same_values(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each row with the first row of the same value; nulls are like nothing."""
    rows = np.flatnonzero(column.is_valid().to_numpy())
    codes = column.drop_null().combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    return rows[first][codes], rows
