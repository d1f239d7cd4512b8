"""What FERPlus votes say: one expression, a distribution over eight, or several at once.

FERPlus (Barsoum et al. 2016, https://arxiv.org/abs/1608.01041) has ten raters' votes for every face of FER2013.
What its authors do with them is in their code, https://github.com/microsoft/FERPlus (`src/ferplus.py`): `majority`,
`authors_distribution` (their mode "crossentropy") and `multi_label` (their mode "multi_target").
"""

from collections.abc import Callable
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from kaoiro.expressions import EIGHT, VOTE_NAMES, Expression

LabelRule = Literal["majority", "clear-majority", "plurality"]
"""A rule by which votes become one label."""

_AUTHORS_SHARE: Final = 0.75
_AUTHORS_EXPRESSIONS: Final = 3


def without_outliers(votes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set single votes to zero, as FERPlus's authors do before they read the votes.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.
    """
    return np.where(votes > 1, votes, 0).astype(np.uint8)


def vote_distribution(votes: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn votes into targets for training.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        The distribution over the eight expressions, `float32 (n, 8)`, rows summing to 1 (or all zero), and the weight
        of each face, `float32 (n,)`: the share of its votes that name an expression, 0 to 1. Single votes are outliers
        and left out where anything else remains.
    """
    expressions = len(EIGHT)
    kept = without_outliers(votes)
    nothing_left = kept[:, :expressions].sum(axis=1) == 0
    kept[nothing_left] = votes[nothing_left]
    named = kept[:, :expressions].astype(np.float32)
    total = named.sum(axis=1, keepdims=True)
    distribution = np.divide(named, total, out=np.zeros_like(named), where=total > 0)
    all_votes = kept.sum(axis=1, dtype=np.float32)
    weight = np.divide(total[:, 0], all_votes, out=np.zeros_like(all_votes), where=all_votes > 0)
    return distribution, weight


def majority(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the majority as FERPlus's authors do: drop single votes, then ask for more than half of those left.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        `int64 (n,)`: the index of the expression in `EIGHT`, or -1 where no choice has more than half, or where that
        choice is "unknown" or "not a face".
    """
    kept = without_outliers(votes)
    winner = kept.argmax(axis=1)
    clear = 2 * kept.max(axis=1).astype(np.int64) > kept.sum(axis=1, dtype=np.int64)
    return np.where(clear & (winner < len(EIGHT)), winner, -1).astype(np.int64)


def clear_majority(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the expression that more than half of all raters name: of ten, at least six.

    Single votes are not dropped first; this is the strict reading of "majority" in the literature on FERPlus.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        `int64 (n,)`: the index of the expression in `EIGHT`, or -1 where there is none.
    """
    winner = votes.argmax(axis=1)
    clear = 2 * votes.max(axis=1).astype(np.int64) > votes.sum(axis=1, dtype=np.int64)
    return np.where(clear & (winner < len(EIGHT)), winner, -1).astype(np.int64)


def plurality(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the expression that has more votes than each of the nine other choices, however few they are.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        `int64 (n,)`: the index of the expression in `EIGHT`, or -1 where several choices have the most votes, or where
        "unknown" or "not a face" has.
    """
    most = votes.max(axis=1, keepdims=True)
    alone = (votes == most).sum(axis=1) == 1
    winner = votes.argmax(axis=1)
    return np.where(alone & (winner < len(EIGHT)), winner, -1).astype(np.int64)


LABEL_RULES: Final[dict[LabelRule, Callable[[NDArray[np.uint8]], NDArray[np.int64]]]] = {
    "majority": majority,
    "clear-majority": clear_majority,
    "plurality": plurality,
}
"""The rules by their names on the command line."""


@cache
def label_by_votes(votes: tuple[int, ...] | None, rule: LabelRule) -> Expression | None:
    """Read one face's label from its votes, ten counts in the order of `VOTE_NAMES`.

    >>> label_by_votes((0, 0, 0, 6, 0, 0, 4, 0, 0, 0), "clear-majority")
    <Expression.HAPPINESS: 'happiness'>
    """
    index = -1 if votes is None else int(LABEL_RULES[rule](np.array([votes], np.uint8))[0])
    return None if index < 0 else EIGHT[index]


def authors_distribution(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn votes into the distribution on which FERPlus's authors train with cross-entropy.

    Single votes are dropped. Then choices are taken in the order of their votes, those with equally many together,
    until three quarters of the votes that are left, or three choices, are reached. Where "unknown" or "not a face"
    comes up, taking ends: it is not taken itself if an expression has been (one with equally many votes counts), and
    otherwise the face is excluded. So is a face of which no more than half of the votes, or more than three choices,
    are taken.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        The distribution over the eight expressions, `float32 (n, 8)`: rows sum to 1, those of excluded faces to 0.
    """
    expressions = len(EIGHT)
    left = without_outliers(votes).astype(np.int64)
    total = left.sum(axis=1)
    taken = np.zeros((len(votes), expressions), np.int64)
    goes_on = total > 0
    for _ in range(_AUTHORS_EXPRESSIONS):
        goes_on &= (taken.sum(axis=1) < _AUTHORS_SHARE * total) & ((taken > 0).sum(axis=1) < _AUTHORS_EXPRESSIONS)
        next_ones = (left == left.max(axis=1, keepdims=True)) & (left > 0) & goes_on[:, None]
        taken += np.where(next_ones, left, 0)[:, :expressions]
        goes_on &= ~next_ones[:, expressions:].any(axis=1)
        left[next_ones] = 0
    excluded = (2 * taken.sum(axis=1) <= total) | ((taken > 0).sum(axis=1) > _AUTHORS_EXPRESSIONS)
    taken[excluded] = 0
    return _shares(taken)


def multi_label(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Turn votes into several equal labels, as FERPlus's authors do in their mode "multi_target".

    Single votes are dropped, and of those left every choice with at least 30 % is taken. A face is excluded if the
    choices taken have no more than half of the votes, or if "unknown" or "not a face" has more than every expression.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        Which of the eight expressions are right, `bool (n, 8)`; none is for excluded faces.
    """
    expressions = len(EIGHT)
    kept = without_outliers(votes).astype(np.int64)
    total = kept.sum(axis=1)
    enough = (10 * kept >= 3 * total[:, None]) & (kept > 0)
    most_are_taken = 2 * np.where(enough, kept, 0).sum(axis=1) > total
    an_expression_leads = kept.argmax(axis=1) < expressions
    return np.asarray(enough[:, :expressions] & (most_are_taken & an_expression_leads)[:, None])


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0), np.float32)


def seen_as_faces(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the faces that no more than half of the raters took for something else.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`; a face without votes has zeros.

    Returns:
        `bool (n,)`, true where nobody voted.
    """
    no_face = votes[:, VOTE_NAMES.index("not-a-face")].astype(np.int64)
    seen: NDArray[np.bool_] = 2 * no_face <= votes.sum(axis=1, dtype=np.int64)
    return seen
