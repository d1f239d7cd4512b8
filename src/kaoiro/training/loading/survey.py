"""A first look at a stored corpus: which of its rows are taken, and what they are, without their pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from kaoiro.corpus.ferplus import seen_as_faces
from kaoiro.corpus.row_groups import RowGroups
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError
from kaoiro.training.heads import HeadConfig, Targets, head_targets
from kaoiro.training.loading.folds import Folds


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split.

    Attributes:
        chosen: for each row group, which of its rows are taken, `bool (rows,)`.
        left_out: how many rows of the split are not taken.
        class_weight_sums: by head, how much of the faces' weight each output has, `float64 (outputs,)`.
        answers: by head, each taken face's class, `int8 (faces,)`, -1 where it has none.
    """

    chosen: list[NDArray[np.bool_]]
    left_out: int
    class_weight_sums: dict[str, Tensor]
    answers: dict[str, Tensor]

    @property
    def sizes(self) -> list[int]:
        """How many rows of each row group are taken."""
        return [int(rows.sum()) for rows in self.chosen]


def survey(
    stored: RowGroups,
    heads: Mapping[str, HeadConfig],
    *,
    only_seen_as_faces: Mapping[str, bool],
    validation_fold: int | None = None,
) -> dict[str, SplitRows]:
    """Look through the rows of some splits, a row group at a time.

    Args:
        stored: the corpus.
        heads: what is learnt.
        only_seen_as_faces: the splits, and of each whether faces that `seen_as_faces` does not find are left out.
        validation_fold: take the training faces of this fold for the split `validation`, and those of the other folds
            for `train`.

    Raises:
        CorpusError: the corpus breaks the format's rules, lacks a split or the fold, or does not have what a head is
            trained on.
    """
    gathered = {split: _Gathered(split, heads, only_seen) for split, only_seen in only_seen_as_faces.items()}
    folds = None if validation_fold is None else Folds(validation_fold)
    all_splits: set[str] = set()
    for group in range(len(stored)):
        corpus = stored.without_pictures(group)
        if folds is not None:
            corpus = folds.as_splits(corpus)
        all_splits.update(corpus.splits())
        for split in gathered.values():
            split.add(corpus)
    if folds is not None:
        folds.check(stored.path)
    for name in gathered:
        if name not in all_splits:
            # `select` refuses with the line that says which splits there are.
            Corpus(stored.path, pa.table({"split": pa.array(sorted(all_splits), pa.string())})).select(name)
    return {name: split.rows() for name, split in gathered.items()}


def group_targets(
    stored: RowGroups, group: int, chosen: NDArray[np.bool_], heads: Mapping[str, HeadConfig]
) -> dict[str, Targets]:
    """Read the targets of some of a row group's rows, by head.

    Args:
        stored: the corpus.
        group: number of the row group.
        chosen: which rows, `bool (rows,)`.
        heads: what is learnt.
    """
    return _targets(_taken(stored.without_pictures(group), chosen), heads)


def _taken(corpus: Corpus, chosen: NDArray[np.bool_]) -> Corpus:
    return Corpus(corpus.path, corpus.table.filter(pa.array(chosen)))


def _targets(corpus: Corpus, heads: Mapping[str, HeadConfig]) -> dict[str, Targets]:
    return {name: head_targets(corpus, head, part=True) for name, head in heads.items()}


class _Gathered:
    """What is known of one split so far."""

    def __init__(self, split: str, heads: Mapping[str, HeadConfig], only_seen_as_faces: bool) -> None:
        self._split = split
        self._heads = heads
        self._only_seen_as_faces = only_seen_as_faces
        self._chosen: list[NDArray[np.bool_]] = []
        self._left_out = 0
        self._weights = dict.fromkeys(heads, 0.0)
        self._sums: dict[str, list[Tensor]] = {name: [] for name in heads}
        self._answers: dict[str, list[Tensor]] = {name: [] for name in heads}
        self._sample: Corpus | None = None

    def add(self, corpus: Corpus) -> None:
        in_split = pc.fill_null(pc.equal(corpus.table["split"], self._split), False)
        chosen = np.array(in_split.to_numpy(), dtype=np.bool_)
        before = int(chosen.sum())
        if self._only_seen_as_faces and (votes := corpus.votes()) is not None:
            chosen &= seen_as_faces(votes)
        self._chosen.append(chosen)
        self._left_out += before - int(chosen.sum())
        if not chosen.any():
            return
        taken = _taken(corpus, chosen)
        self._sample = self._sample or taken
        for name, targets in _targets(taken, self._heads).items():
            self._weights[name] += float(targets.weight.sum())
            self._sums[name].append(targets.class_weight_sums())
            self._answers[name].append(targets.answer.to(torch.int8))

    def rows(self) -> SplitRows:
        sample = self._sample
        if sample is None:
            return SplitRows(self._chosen, self._left_out, {}, {})
        for name, weight in self._weights.items():
            if weight == 0:
                # It refuses a corpus in which nothing is known of any face, and this part is like all others.
                try:
                    head_targets(sample, self._heads[name])
                except CorpusError as error:
                    raise CorpusError(f"{error} (split {self._split!r})") from error
        return SplitRows(
            self._chosen,
            self._left_out,
            {name: torch.stack(sums).sum(dim=0) for name, sums in self._sums.items()},
            {name: torch.cat(answers) for name, answers in self._answers.items()},
        )
