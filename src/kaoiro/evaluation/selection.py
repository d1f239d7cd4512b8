"""What a model gains by staying silent about the faces of which it is least sure."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.evaluation.measured import Measured

COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
_CURVE_POINTS: Final = 100
_NORMAL_QUANTILE: Final = 1.959963984540054


@dataclass(frozen=True)
class OperatingPoint:
    """What is to be had where a share of the faces is answered.

    Attributes:
        coverage: the share of faces that was asked for.
        threshold: the highest lowest confidence (`min_confidence`) that answers so many.
        answered: the share of faces that it answers: a little more than was asked for where confidences are equal.
        n: how many faces that is.
        accuracy: the share of them that got the right answer; the interval is Wilson's.
    """

    coverage: float
    threshold: float
    answered: float
    n: int
    accuracy: Measured


@dataclass(frozen=True)
class Selection:
    """Risk against coverage: the share of wrong answers among the surest faces, by how many of them are answered.

    Attributes:
        area: under the risk–coverage curve (AURC), 0 to 1, less is better: the mean of the risks at the coverages 1/n,
            2/n, … 1.
        coverage: places on the curve, rising to 1.
        risk: the share of wrong answers there.
        points: what is to be had at some coverages, the whole first.
    """

    area: float
    coverage: list[float]
    risk: list[float]
    points: list[OperatingPoint]


def selection(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> Selection:
    """Follow the risk from the surest face to the least sure one.

    Faces of equal confidence count as being answered in a random order: the curve is what is to be expected.

    Source: Geifman and El-Yaniv 2017, "Selective Classification for Deep Neural Networks",
    https://arxiv.org/abs/1705.08500.

    Args:
        confidence: highest probabilities, `(n,)`, 0 to 1; at least one.
        right: which faces got the right answer, `bool (n,)`.
    """
    n = len(confidence)
    surest_first = np.argsort(-confidence, kind="stable")
    sorted_confidence, wrong = confidence[surest_first], ~right[surest_first]
    # Where a run of equal confidences ends, the number of wrong answers is certain; within it, it grows evenly.
    ends = np.append(np.flatnonzero(np.diff(sorted_confidence)), n - 1) + 1
    errors = np.interp(np.arange(1, n + 1), np.append(0, ends), np.append(0, wrong.cumsum()[ends - 1]))
    risks = errors / np.arange(1, n + 1)
    places = np.unique(np.ceil(np.linspace(1 / _CURVE_POINTS, 1, _CURVE_POINTS) * n - 1e-9).astype(np.int64)) - 1
    return Selection(
        area=float(risks.mean()),
        coverage=((places + 1) / n).tolist(),
        risk=risks[places].tolist(),
        points=[_point(sorted_confidence, wrong, coverage) for coverage in COVERAGES],
    )


def _point(sorted_confidence: NDArray[np.floating[Any]], wrong: NDArray[np.bool_], coverage: float) -> OperatingPoint:
    n = len(sorted_confidence)
    threshold = sorted_confidence[math.ceil(coverage * n - 1e-9) - 1]
    answered = int((sorted_confidence >= threshold).sum())
    return OperatingPoint(
        coverage=coverage,
        threshold=float(threshold),
        answered=answered / n,
        n=answered,
        accuracy=share(answered - int(wrong[:answered].sum()), answered),
    )


def usable_threshold(threshold: float) -> str:
    """Write a threshold with three decimals, rounded down: given as `min_confidence` it answers no fewer faces."""
    return f"{math.floor(1000 * threshold) / 1000:.3f}"


def share(hits: int, n: int) -> Measured:
    """Give a share with Wilson's 95 % interval.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference",
    https://doi.org/10.1080/01621459.1927.10502953. Unlike a bootstrap it has a width where every answer is right.

    Args:
        hits: right answers.
        n: answers, at least 1.
    """
    z = _NORMAL_QUANTILE**2 / n
    value = hits / n
    middle = (value + z / 2) / (1 + z)
    half = math.sqrt(z * value * (1 - value) + z**2 / 4) / (1 + z)
    return Measured(value, max(0.0, middle - half), min(1.0, middle + half))
