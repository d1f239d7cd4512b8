"""What the checks look at: a corpus without its pictures, and all of its faces small and grey."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kaoiro.corpus.near_duplicates import comparison_pictures
from kaoiro.corpus.row_groups import RowGroups, open_row_groups
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES


@dataclass(frozen=True)
class Material:
    """A corpus as the checks see it; a face is known by its row, from 0.

    Attributes:
        stored: the corpus's file.
        corpus: its columns without the pictures.
        faces: `uint8 (n, 48, 48)` grey; empty (0, 48, 48) where no check needs them.
    """

    stored: RowGroups
    corpus: Corpus
    faces: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.corpus)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Each face's expression by its place in `EIGHT`, -1 where it has none: `int64 (n,)`."""
        return self.corpus.label_indices()

    @cached_property
    def splits(self) -> NDArray[np.int64]:
        """Each face's split by its place in `SPLITS`, -1 where it has none: `int64 (n,)`."""
        return places(self.corpus.table["split"], SPLITS)

    @cached_property
    def votes(self) -> NDArray[np.uint8]:
        """The raters' votes, zeros where a face has none: `uint8 (n, 10)`."""
        votes = self.corpus.votes()
        return np.zeros((len(self), len(VOTE_NAMES)), np.uint8) if votes is None else votes

    @cached_property
    def hashes(self) -> list[str]:
        """Each picture's SHA-256 in hexadecimal."""
        hashes: list[str] = self.corpus.table["sha256"].to_pylist()
        return hashes


def places(column: pa.ChunkedArray, names: Iterable[str]) -> NDArray[np.int64]:
    """Give the place of each value of a column among `names`, -1 where it is none of them: `int64 (n,)`."""
    found = pa.compute.index_in(column, value_set=pa.array(list(names), pa.string()))
    return np.asarray(pa.compute.fill_null(found, -1).to_numpy(), np.int64)


def read_material(path: Path, *, faces: bool = True, on_progress: Callable[[float], None] = lambda _: None) -> Material:
    """Read what the checks look at.

    Args:
        path: a stored corpus.
        faces: decode the pictures too.
        on_progress: is told now and then which part is read, from 0 to 1.

    Raises:
        CorpusError: the corpus cannot be read, or a picture cannot be decoded.
    """
    stored = open_row_groups(path)
    groups = [number for number in range(len(stored)) if stored.contents.row_group(number).num_rows]
    table = pa.concat_tables(stored.without_pictures(number).table for number in groups)
    if table["sha256"].null_count:
        raise CorpusError(f"{path} has a face without its sha256; import the corpus again")
    pictures = comparison_pictures(path, on_progress) if faces else np.empty((0, 48, 48), np.uint8)
    return Material(stored, Corpus(path, table), pictures)


def encoded_pictures(stored: RowGroups, rows: NDArray[np.int64]) -> Iterator[tuple[int, bytes, str]]:
    """Read the encoded pictures of some rows, in ascending order: row, bytes and source of each.

    Raises:
        CorpusError: the corpus cannot be read.
    """
    wanted = np.unique(rows)
    start = 0
    for group in range(len(stored)):
        end = start + stored.contents.row_group(group).num_rows
        inside = wanted[(wanted >= start) & (wanted < end)]
        if len(inside):
            pictures = stored.pictures(group)
            for row in inside.tolist():
                yield row, pictures.encoded[row - start].as_py(), pictures.sources[row - start].as_py()
        start = end
