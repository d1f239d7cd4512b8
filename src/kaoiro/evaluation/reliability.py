"""How far confidence and truth lie apart."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS: Final = 15
_DRAWS: Final = 500


@dataclass(frozen=True)
class ReliabilityBin:
    """The faces whose confidence lies in one stretch.

    Attributes:
        low: the stretch begins above this confidence.
        high: and ends with this one.
        n: faces in it.
        confidence: their mean confidence, None where there is no face.
        accuracy: the share of them that got the right answer, None where there is no face.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Sort faces into 15 stretches of equal width by their confidence: the data of a reliability diagram.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.

    Args:
        confidence: highest probabilities, `(n,)`, 0 to 1.
        right: which faces got the right answer, `bool (n,)`.
    """
    places = _bins(confidence)
    found = []
    for place in range(CALIBRATION_BINS):
        inside = places == place
        n = int(inside.sum())
        found.append(
            ReliabilityBin(
                low=place / CALIBRATION_BINS,
                high=(place + 1) / CALIBRATION_BINS,
                n=n,
                confidence=float(confidence[inside].mean()) if n else None,
                accuracy=float(right[inside].mean()) if n else None,
            )
        )
    return found


def calibration_error_by_chance(confidence: NDArray[np.floating[Any]], *, seed: int = 0) -> float:
    """Give the expected calibration error that honest confidences would show on as many faces, 0 to 1.

    Few faces in a bin are never right in exactly the share that their confidence says, so that even a model whose
    confidences are true shows an error. This is its mean over 500 draws of right and wrong answers.

    Args:
        confidence: highest probabilities, `(n,)`, 0 to 1.
        seed: of the draws.
    """
    places = _bins(confidence)
    generator = np.random.default_rng(seed)
    errors = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        excess = confidence - (generator.random(len(confidence)) < confidence)
        errors[draw] = np.abs(np.bincount(places, excess, CALIBRATION_BINS)).sum() / len(confidence)
    return float(errors.mean())


def _bins(confidence: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Find each confidence's bin; an edge belongs to the bin below it."""
    places = np.ceil(confidence.astype(np.float64) * CALIBRATION_BINS).astype(np.int64) - 1
    return np.clip(places, 0, CALIBRATION_BINS - 1)
