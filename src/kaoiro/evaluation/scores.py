"""Scores of one head on one set of faces."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from kaoiro.errors import InputError
from kaoiro.evaluation.measured import Measured
from kaoiro.evaluation.reliability import (
    CALIBRATION_BINS,
    ReliabilityBin,
    calibration_error_by_chance,
    reliability,
)
from kaoiro.evaluation.selection import Selection, selection
from kaoiro.expressions import Expression

__all__ = ["RESAMPLES", "ClassScores", "Measured", "Scores", "score"]

RESAMPLES: Final = 2000


@dataclass(frozen=True)
class ClassScores:
    """One class's scores between 0 and 1, and how many faces have that class as their right answer."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Scores:
    """How right a head is.

    Attributes:
        n: faces that have a right answer.
        accuracy: share of them that got it.
        macro_f1: mean of the classes' F1; classes that no face has as its right answer are left out of the mean.
        calibration_error: expected calibration error of the highest probability, 15 bins of equal width.
        calibration_error_by_chance: what that error would be on as many faces if every confidence were true.
        reliability: those bins.
        selection: what the head gains by staying silent about the faces of which it is least sure.
        classes: scores by class.
        confusion: rows are right answers, columns are the model's, both in the order of `classes`.
    """

    n: int
    accuracy: Measured
    macro_f1: Measured
    calibration_error: float
    calibration_error_by_chance: float
    reliability: list[ReliabilityBin]
    selection: Selection
    classes: dict[Expression, ClassScores]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain types that `json.dumps` takes."""
        return asdict(self)


def _macro_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Macro-F1 of confusion matrices `(…, classes, classes)`, over the classes that occur as right answers."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    right, answered = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = np.divide(2.0 * hits, right + answered, out=np.zeros(hits.shape), where=right + answered > 0)
    occurs = right > 0
    return np.asarray((f1 * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _interval(samples: NDArray[np.float64], value: float) -> Measured:
    low, high = np.quantile(samples, [0.025, 0.975])
    return Measured(value, float(low), float(high))


def score(
    probabilities: NDArray[np.floating[Any]],
    answers: NDArray[np.int64],
    classes: tuple[Expression, ...],
    *,
    seed: int = 0,
) -> Scores:
    """Score probabilities against right answers.

    The intervals are percentile bootstraps over faces. Drawing faces with replacement draws the confusion matrix's
    cells from a multinomial distribution, so that is what is drawn.

    Args:
        probabilities: `(n, classes)`, rows sum to 1.
        answers: `int64 (n,)`, the right class of each face; faces with -1 have none and are left out.
        classes: what the columns stand for.
        seed: of the bootstrap.

    Raises:
        InputError: no face has a right answer.
    """
    known = answers >= 0
    if not known.any():
        raise InputError("none of the faces has a right answer for this head")
    found, right = torch.from_numpy(probabilities[known]).float(), torch.from_numpy(answers[known])
    correct = (found.argmax(dim=1) == right).numpy()
    confidence = np.asarray(probabilities[known].max(axis=1), np.float64)
    confusion = multiclass_confusion_matrix(found, right, len(classes)).numpy()
    n = int(known.sum())
    generator = np.random.default_rng(seed)
    resampled = generator.multinomial(n, confusion.ravel() / n, size=RESAMPLES).reshape(-1, *confusion.shape)
    hits = np.diagonal(confusion)
    occurring, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    by_class = {
        expression: ClassScores(
            precision=float(hits[i] / answered[i]) if answered[i] else 0.0,
            recall=float(hits[i] / occurring[i]) if occurring[i] else 0.0,
            f1=float(2 * hits[i] / (occurring[i] + answered[i])) if occurring[i] + answered[i] else 0.0,
            n=int(occurring[i]),
        )
        for i, expression in enumerate(classes)
    }
    return Scores(
        n=n,
        accuracy=_interval(np.trace(resampled, axis1=1, axis2=2) / n, float(hits.sum() / n)),
        macro_f1=_interval(_macro_f1(resampled), float(_macro_f1(confusion))),
        calibration_error=float(multiclass_calibration_error(found, right, len(classes), CALIBRATION_BINS)),
        calibration_error_by_chance=calibration_error_by_chance(confidence),
        reliability=reliability(confidence, correct),
        selection=selection(confidence, correct),
        classes=by_class,
        confusion=confusion.tolist(),
    )
