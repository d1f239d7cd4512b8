"""Dividing a stored corpus into splits and folds, evenly by class and closed over groups.

Faces of one subject or film, exact copies and near-duplicates (`kaoiro.corpus.closed_groups`) never come into two of
the splits or folds that are made here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kaoiro.corpus.apportioning import apportion
from kaoiro.corpus.balance import Balance, balance_of
from kaoiro.corpus.closed_groups import closed_groups
from kaoiro.corpus.ferplus import majority
from kaoiro.corpus.near_duplicates import comparison_pictures, find_pairs
from kaoiro.corpus.rewriting import rewrite_corpus
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT
from kaoiro.files import check_target, kind_of

FOLD: Final = "fold"
"""The column with the number of a training face's fold, from 0; null in other faces."""

DEFAULT_RATIOS: Final = (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))

_CLASSES: Final = (*EIGHT, "no label")
_TRAIN: Final = 0
# Which part of all work is done when pictures are read, and when they are compared.
_READ, _COMPARED = 0.3, 0.9


@dataclass(frozen=True)
class Wish:
    """How a corpus is to be divided.

    Args:
        ratios: the shares of train, validation and test; None makes no splits, only folds.
        folds: how many folds the training faces are divided into; None for none.
        seed: another seed divides in another way.
        anew: divide all faces, those of the source's own validation and test splits too.
        drop_leaks: leave out the faces that are tied to a face of a later split of the source's.

    Raises:
        InputError: there is nothing to make, the ratios are not three shares that sum to 1 and leave something to train
            on, or there are fewer than two folds.
    """

    ratios: tuple[Fraction, Fraction, Fraction] | None = DEFAULT_RATIOS
    folds: int | None = None
    seed: int = 0
    anew: bool = False
    drop_leaks: bool = False

    def __post_init__(self) -> None:
        if self.ratios is not None:
            shown = " ".join(str(float(ratio)) for ratio in self.ratios)
            if min(self.ratios) < 0:
                raise InputError(f"the ratios {shown} are shares; none of them can be below 0")
            if sum(self.ratios) != 1:
                raise InputError(f"the ratios {shown} must sum to 1, not to {float(sum(self.ratios)):g}")
            if self.ratios[_TRAIN] == 0:
                raise InputError(f"the ratios {shown} leave nothing to train on; the first one is that of train")
        if self.folds is not None and self.folds < 2:
            raise InputError(f"{self.folds} folds are too few to validate on one and train on others; give 2 or more")


@dataclass(frozen=True)
class Division:
    """How a corpus is divided.

    Attributes:
        splits: each face's split, by its place in `SPLITS`, `int64 (n,)`.
        folds: each face's fold, -1 where it is not a training face, `int64 (n,)`; None where there are no folds.
        keep: `bool (n,)`: is the face kept.
        leaks: how many faces are tied to a face of a later split, by the names of both splits. With `drop_leaks` they
            are not kept.
        own_splits: the splits of the source that stay as they are.
        split_balance: how near the splits come to their ratios.
        fold_balance: how near the folds come to theirs.
        groups: the number of groups of several faces.
        largest_group: the number of faces in the largest group.
    """

    splits: NDArray[np.int64]
    folds: NDArray[np.int64] | None
    keep: NDArray[np.bool_]
    leaks: dict[tuple[str, str], int]
    own_splits: tuple[str, ...]
    split_balance: Balance
    fold_balance: Balance | None
    groups: int
    largest_group: int

    def as_dict(self) -> dict[str, Any]:
        """Give the counts, for JSON."""
        return {
            "faces": int(self.keep.sum()),
            "dropped": int((~self.keep).sum()),
            "groups": {"of_several_faces": self.groups, "largest": self.largest_group},
            "own_splits_kept": list(self.own_splits),
            "leaks": [{"split": of, "tied_to": to, "faces": n} for (of, to), n in self.leaks.items()],
            "splits": self.split_balance.as_dict(),
            "folds": None if self.fold_balance is None else self.fold_balance.as_dict(),
        }


def parse_ratios(texts: Sequence[str]) -> tuple[Fraction, Fraction, Fraction]:
    """Read the shares of train, validation and test exactly as they are written; without a third one test gets nothing.

    Raises:
        InputError: there are other than two or three, or one is not a number.

    >>> parse_ratios(["0.9", "0.1"])
    (Fraction(9, 10), Fraction(1, 10), Fraction(0, 1))
    """
    if len(texts) not in (2, 3):
        raise InputError(
            f"--ratios takes the shares of train, validation and test, or the first two, not {len(texts)} "
            f"({' '.join(texts)}); for example --ratios 0.8 0.1 0.1"
        )
    try:
        train, validation, test = (Fraction(text) for text in (*texts, "0")[:3])
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"--ratios {' '.join(texts)}: these are not all numbers, such as 0.8 or 2/3") from error
    return train, validation, test


def split_corpus(
    source: Path,
    target: Path,
    wish: Wish,
    *,
    near_duplicates: bool = True,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Division:
    """Divide a stored corpus and write it as a new one.

    `target` appears, or is replaced, only when it is complete.

    Args:
        source: the corpus to read; it is not touched.
        target: the corpus to write.
        wish: what is wanted.
        near_duplicates: keep near-duplicates in one split, which means to decode and compare all pictures.
        on_progress: is told now and then which part of the work is done, from 0 to 1.

    Raises:
        CorpusError: the source cannot be read or has nothing to divide, or the target cannot be written.
        InputError: there are fewer groups of training faces than folds.
    """
    stored = open_row_groups(source)
    check_target(target)
    if kind_of(target) == "file" and target.samefile(source):
        raise CorpusError(f"{target} is to be read, and would be overwritten; give another file to write")
    corpus = Corpus(source, pa.concat_tables(stored.without_pictures(group).table for group in range(len(stored))))
    pairs = None
    if near_duplicates:
        pictures = comparison_pictures(source, lambda done: on_progress(_READ * done))
        pairs = find_pairs(pictures, on_progress=lambda done: on_progress(_READ + (_COMPARED - _READ) * done))
    division = divide(corpus, closed_groups(corpus, pairs), wish)
    columns = {"split": pa.array(SPLITS, pa.string()).take(pa.array(division.splits))}
    if division.folds is not None:
        columns[FOLD] = pa.array(division.folds, pa.int32(), mask=division.folds < 0)
    elif FOLD in corpus.extra_columns():  # of another division
        columns[FOLD] = pa.nulls(len(corpus), pa.int32())
    begun = _COMPARED if near_duplicates else 0.0
    rewrite_corpus(
        source,
        target,
        keep=division.keep,
        columns=columns,
        on_progress=lambda done: on_progress(begun + (1 - begun) * done),
    )
    return division


def divide(corpus: Corpus, groups: NDArray[np.int64], wish: Wish) -> Division:
    """Find each face's split and fold.

    Where the corpus has validation or test faces and `wish.anew` is not set, these stay; what is missing of the two
    comes out of the other faces, in the ratios among what is divided. A face that cannot be divided because its group
    has a validation or test face of the corpus's own is a leak: it stays in train, or is dropped.

    Args:
        corpus: its pictures are not looked at, so they may be missing.
        groups: each face's group, `int64 (n,)` from 0 to below n, as `closed_groups` gives them.
        wish: what is wanted.

    Raises:
        CorpusError: no face is left to train on.
        InputError: there are fewer groups of training faces than folds.
    """
    own = np.array(pc.fill_null(pc.index_in(corpus.table["split"], pa.array(SPLITS)), _TRAIN), np.int64)
    if wish.anew:
        own[:] = _TRAIN
    latest = np.zeros(len(own), np.int64)
    np.maximum.at(latest, groups, own)
    tied_to = latest[groups]
    leaks = own < tied_to
    keep = ~leaks if wish.drop_leaks else np.ones(len(own), np.bool_)
    if not (keep & (own == _TRAIN)).any():
        raise CorpusError(
            f"{corpus.path} has no face for training that could be divided; --anew divides those of its other splits"
        )

    ratios = _ratios_of_rest(wish.ratios or (Fraction(1), Fraction(0), Fraction(0)), set(own[own != _TRAIN].tolist()))
    classes, names = _classes(corpus), corpus.table["sha256"].to_pylist()
    splits = own.copy()
    divided = (own == _TRAIN) & (tied_to == _TRAIN)
    there = np.zeros((len(SPLITS), len(_CLASSES)), np.int64)
    there[_TRAIN] = np.bincount(classes[keep & leaks & (own == _TRAIN)], minlength=len(_CLASSES))
    rest = np.flatnonzero(divided)
    splits[rest] = apportion(
        groups[rest],
        classes[rest],
        [names[row] for row in rest.tolist()],
        [ratio or Fraction(0) for ratio in ratios],
        seed=wish.seed,
        there=there,
    )
    folds = None if wish.folds is None else _folds(corpus.path, groups, classes, names, keep & (splits == _TRAIN), wish)
    sizes = np.bincount(groups)
    return Division(
        splits=splits,
        folds=folds,
        keep=keep,
        leaks={
            (SPLITS[of], SPLITS[to]): int(number)
            for of in range(len(SPLITS))
            for to in range(of + 1, len(SPLITS))
            if (number := (leaks & (own == of) & (tied_to == to)).sum())
        },
        own_splits=tuple(SPLITS[place] for place in np.unique(own[own != _TRAIN]).tolist()),
        split_balance=balance_of(
            SPLITS,
            # A single part has all of what is divided, which says nothing.
            ratios if sum(1 for ratio in ratios if ratio) > 1 else [None] * len(SPLITS),
            _CLASSES,
            splits[keep],
            classes[keep],
        ),
        fold_balance=None if folds is None else _fold_balance(folds, classes),
        groups=int((sizes > 1).sum()),
        largest_group=int(sizes.max()),
    )


def _ratios_of_rest(ratios: Sequence[Fraction], own: set[int]) -> list[Fraction | None]:
    """Give the ratios among the splits that are divided, and None for the corpus's own."""
    whole = sum((ratio for place, ratio in enumerate(ratios) if place not in own), Fraction(0))
    return [None if place in own else ratio / whole for place, ratio in enumerate(ratios)]


def _classes(corpus: Corpus) -> NDArray[np.int64]:
    """Give each face's class: its label, or else what most of its votes say, or else the last one."""
    classes = corpus.label_indices()
    votes = corpus.votes()
    if votes is not None:
        unlabelled = classes < 0
        classes[unlabelled] = majority(votes[unlabelled])
    return np.where(classes < 0, len(_CLASSES) - 1, classes)


def _folds(
    path: Path,
    groups: NDArray[np.int64],
    classes: NDArray[np.int64],
    names: Sequence[str],
    training: NDArray[np.bool_],
    wish: Wish,
) -> NDArray[np.int64]:
    assert wish.folds is not None
    rows = np.flatnonzero(training)
    apart = len(np.unique(groups[rows]))
    if apart < wish.folds:
        raise InputError(
            f"{path}: {wish.folds} folds need as many groups of training faces, and there are {apart}; give fewer folds"
        )
    folds = np.full(len(training), -1, np.int64)
    folds[rows] = apportion(
        groups[rows],
        classes[rows],
        [names[row] for row in rows.tolist()],
        [Fraction(1, wish.folds)] * wish.folds,
        seed=wish.seed,
    )
    return folds


def _fold_balance(folds: NDArray[np.int64], classes: NDArray[np.int64]) -> Balance:
    there = folds >= 0
    number = int(folds.max()) + 1
    ratios = [Fraction(1, number)] * number
    names = [f"fold {place}" for place in range(number)]
    return balance_of(names, ratios, _CLASSES, folds[there], classes[there])
