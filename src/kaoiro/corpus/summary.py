"""What a corpus holds: faces by expression and split, votes, groups, columns of numbers; without its pictures."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kaoiro.corpus.row_groups import RowGroups
from kaoiro.corpus.schema import SPLITS
from kaoiro.expressions import EIGHT

# A face without a label or a split has the number -1, which finds the last of these.
_LABELS = (*EIGHT, None)
_SPLITS = (*SPLITS, None)


@dataclass(frozen=True)
class Counts:
    """The number of faces of each label and split.

    Attributes:
        labels: the labels that occur, in the order of `Expression`; None, where it occurs, is last.
        splits: the splits that occur, in the order of `SPLITS`; None, where it occurs, is last.
        faces: the number of faces by label and split. A pair that does not occur is not in it.
    """

    labels: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    faces: dict[tuple[str | None, str | None], int]

    def of_label(self, label: str | None) -> int:
        """Give the number of faces of a label, over all splits."""
        return sum(self.faces.get((label, split), 0) for split in self.splits)

    def of_split(self, split: str | None) -> int:
        """Give the number of faces of a split, over all labels."""
        return sum(self.faces.get((label, split), 0) for label in self.labels)

    def total(self) -> int:
        """Give the number of faces."""
        return sum(self.faces.values())


@dataclass(frozen=True)
class Summary:
    """What is known of all faces.

    Attributes:
        labels: each face's expression, by its place in `Expression`, -1 where it has none; `int8 (n,)`.
        splits: each face's split, by its place in `SPLITS`, -1 where it has none; `int8 (n,)`.
        vote_entropy: of each face's votes, in bits, 0 where all raters agree, NaN without votes; `float32 (n,)`.
        group_sizes: the number of faces in each group, the largest first; `int64 (g,)`.
        columns: the known values of each column of numbers, `float32 (k,)`, by its name.
    """

    labels: NDArray[np.int8]
    splits: NDArray[np.int8]
    vote_entropy: NDArray[np.float32]
    group_sizes: NDArray[np.int64]
    columns: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def with_votes(self) -> int:
        """The number of faces that have votes."""
        return int((~np.isnan(self.vote_entropy)).sum())

    def counts(self) -> Counts:
        """Count the faces by label and split."""
        pairs = Counter(zip(self.labels.tolist(), self.splits.tolist(), strict=True))
        faces = {(_LABELS[label], _SPLITS[split]): number for (label, split), number in pairs.items()}
        labels = {label for label, _ in faces}
        splits = {split for _, split in faces}
        return Counts(
            labels=tuple(label for label in _LABELS if label in labels),
            splits=tuple(split for split in _SPLITS if split in splits),
            faces=faces,
        )

    def rows_of(self, label: str | None, split: str | None) -> NDArray[np.int64]:
        """Give the rows of the faces of a label and split, `int64 (m,)`."""
        kind = -1 if label is None else _LABELS.index(label)
        part = -1 if split is None else _SPLITS.index(split)
        return np.flatnonzero((self.labels == kind) & (self.splits == part))


def summarise(stored: RowGroups) -> Summary:
    """Look through a corpus, a row group at a time.

    Raises:
        CorpusError: the file cannot be read any more, or its contents break the format's rules.
    """
    labels, splits, entropies = [], [], []
    groups: Counter[str] = Counter()
    columns: dict[str, list[NDArray[np.float32]]] = {}
    for group in range(len(stored)):
        corpus = stored.without_pictures(group)
        labels.append(corpus.label_indices().astype(np.int8))
        splits.append(_indices(corpus.table["split"], SPLITS))
        votes = corpus.votes()
        entropies.append(np.full(len(corpus), np.nan, np.float32) if votes is None else _entropy(votes))
        groups.update(name for name in corpus.groups() if name is not None)
        for name in corpus.extra_columns():
            values = corpus.column(name)
            columns.setdefault(name, []).append(values[np.isfinite(values)])
    return Summary(
        labels=np.concatenate(labels),
        splits=np.concatenate(splits),
        vote_entropy=np.concatenate(entropies),
        group_sizes=np.array(sorted(groups.values(), reverse=True), np.int64),
        columns={name: np.concatenate(values) for name, values in columns.items()},
    )


def _indices(column: pa.ChunkedArray, names: tuple[str, ...]) -> NDArray[np.int8]:
    indices = pc.fill_null(pc.index_in(column, value_set=pa.array(names, pa.string())), -1)
    return np.asarray(indices.to_numpy(), dtype=np.int8)


def _entropy(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    total = votes.sum(axis=1, keepdims=True)
    shares = np.divide(votes, total, out=np.full(votes.shape, np.nan), where=total > 0)
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    # Not minus the sum: zero is to stay zero and not become minus zero.
    entropy: NDArray[np.float32] = np.abs((shares * logarithms).sum(axis=1)).astype(np.float32)
    return entropy
