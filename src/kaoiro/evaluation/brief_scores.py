"""The few scores that a model file carries of itself."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kaoiro.evaluation.scores import score
from kaoiro.recognition.metadata import Head


def brief_scores(
    heads: Mapping[str, Head],
    answers: Mapping[str, NDArray[np.int64] | None],
    found: Mapping[str, NDArray[np.float64]],
) -> dict[str, dict[str, float]]:
    """Score heads on the faces whose right answer is known.

    Args:
        heads: the heads by name.
        answers: right classes `int64 (n,)` by head, -1 where there is none; None: the head is passed over.
        found: probabilities `(n, classes)` by head.

    Returns:
        By head: `n`, `accuracy`, `macro_f1` and `calibration_error`, the last three between 0 and 1.
    """
    scores = {}
    for name, known in answers.items():
        if known is not None:
            measured = score(found[name], known, heads[name].classes)
            scores[name] = {
                "n": measured.n,
                "accuracy": measured.accuracy.value,
                "macro_f1": measured.macro_f1.value,
                "calibration_error": measured.calibration_error,
            }
    return scores
