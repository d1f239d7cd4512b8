"""Fitting the temperature that turns logits into honest probabilities."""

import numpy as np
from numpy.typing import NDArray


def negative_log_likelihood(logits: NDArray[np.float64], answers: NDArray[np.int64], temperature: float) -> float:
    """Mean negative log-likelihood of the answers after dividing the logits by a temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(scaled).sum(axis=1))
    return float((log_total - scaled[np.arange(len(answers)), answers]).mean())


def fit_temperature(logits: NDArray[np.floating], answers: NDArray[np.int64]) -> float:
    """Find the temperature under which the answers are likeliest.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.

    Args:
        logits: `(n, classes)`.
        answers: `int64 (n,)`, right classes; faces with -1 have none and are left out.

    Returns:
        A temperature between 0.05 and 20; 1 where no face has a right answer.
    """
    known = answers >= 0
    if not known.any():
        return 1.0
    exact, answers = logits[known].astype(np.float64), answers[known]
    # In 1/T the loss is convex, hence unimodal in log T too: a golden-section search cannot be misled.
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.05), np.log(20.0)
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(exact, answers, np.exp(left)) < negative_log_likelihood(
            exact, answers, np.exp(right)
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
