"""How right answers are, how two classifiers differ on the same faces, and what tells that one has seen them before."""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.evaluation.scores import RESAMPLES, Measured, Scores, score
from kaoiro.expressions import EIGHT


@dataclass(frozen=True)
class Difference:
    """One classifier's figures less another's on the same faces."""

    accuracy: Measured
    macro_f1: Measured
    only_first: int
    """Faces that the first has right and the second wrong."""
    only_second: int
    p: float
    """Of McNemar's exact two-sided test: how often such a difference comes about by chance."""


def score_answers(answers: NDArray[np.int64], right: NDArray[np.int64]) -> Scores:
    """Score answers, `(n,)` places in `EIGHT`, against the right ones, -1 where there is none.

    Raises:
        InputError: no face has a right answer.
    """
    return score(np.eye(len(EIGHT))[answers], right, EIGHT)


def paired_difference(
    first: NDArray[np.int64], second: NDArray[np.int64], right: NDArray[np.int64], *, seed: int = 0
) -> Difference:
    """Compare two classifiers' answers on the same faces.

    The intervals are 95 % percentile bootstraps over faces. A face matters only by its right answer and the two
    answers given, so that the numbers of such triples are drawn from a multinomial distribution.

    Args:
        first: `int64 (n,)`, places in `EIGHT`.
        second: the same of the other classifier.
        right: the right answers; faces with -1 are left out.
        seed: of the bootstrap.
    """
    known = right >= 0
    right, first, second = right[known], first[known], second[known]
    classes = len(EIGHT)
    triples, counts = np.unique((right * classes + first) * classes + second, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(right), counts / len(right), size=RESAMPLES)
    of_right, of_first, of_second = triples // classes**2, triples // classes % classes, triples % classes

    def accuracy(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        value = (of_first == of_right).astype(np.float64) - (of_second == of_right)
        return np.asarray(weights @ value / len(right))

    def macro_f1(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return _macro_f1(weights, of_right, of_first) - _macro_f1(weights, of_right, of_second)

    def measured(figure: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> Measured:
        low, high = np.quantile(figure(drawn), [0.025, 0.975])
        return Measured(float(figure(counts[None])[0]), float(low), float(high))

    only_first = int(((first == right) & (second != right)).sum())
    only_second = int(((first != right) & (second == right)).sum())
    return Difference(
        measured(accuracy), measured(macro_f1), only_first, only_second, mcnemar_p(only_first, only_second)
    )


def _macro_f1(weights: NDArray[np.int64], right: NDArray[np.int64], answer: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean F1 over the classes that occur as right answers, for each row of weights `(draws, triples)`."""
    classes = np.arange(len(EIGHT))
    hits = weights @ ((right == answer)[:, None] & (right[:, None] == classes))
    occurring, answered = weights @ (right[:, None] == classes), weights @ (answer[:, None] == classes)
    f1 = np.divide(2.0 * hits, occurring + answered, out=np.zeros(hits.shape), where=occurring + answered > 0)
    occurs = occurring > 0
    return np.asarray((f1 * occurs).sum(axis=1) / occurs.sum(axis=1))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Give McNemar's exact two-sided p: of a fair coin that falls as unevenly as this or more."""
    tosses = only_first + only_second
    tail = sum(comb(tosses, heads) for heads in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * tail / 2**tosses))


@dataclass(frozen=True)
class Familiarity:
    """How a classifier does on one split, and how far it knows that split's mistakes.

    Attributes:
        n: faces with a label.
        accuracy: share of labels answered.
        mislabelled: faces whose raters' majority is another expression than the label.
        repeated: share of those faces for which the label, wrong as it is, is answered; None without such faces.
    """

    n: int
    accuracy: float
    mislabelled: int
    repeated: float | None


def familiarity(
    answers: NDArray[np.int64], labels: NDArray[np.int64], majority: NDArray[np.int64] | None
) -> Familiarity:
    """Judge answers to one split's faces; all three are `(n,)` places in `EIGHT`, -1 where there is none."""
    known = labels >= 0
    wrong = known & (majority >= 0) & (majority != labels) if majority is not None else np.zeros_like(known)
    same = answers == labels
    return Familiarity(
        int(known.sum()),
        float(same[known].mean()),
        int(wrong.sum()),
        float(same[wrong].mean()) if wrong.any() else None,
    )


_LEARNED: Final = 0.5
_GAP: Final = 0.03


def verdict(train: Familiarity, held_out: Familiarity) -> str:
    """Say whether a classifier seems to have been trained on faces that were to be held out; a heuristic.

    Who has learned faces does better on them than on others, and repeats labels that the raters' majority calls wrong,
    which nothing in the picture tells. Repeating more than half of the held-out split's, with next to no gap to the
    training faces, is taken for having learned them.
    """
    gap = train.accuracy - held_out.accuracy
    repeated = held_out.repeated
    if gap < _GAP and repeated is not None and repeated > _LEARNED:
        return "trained on it"
    if gap < _GAP:
        return "not to be told: no better on training faces"
    return "not trained on it"
