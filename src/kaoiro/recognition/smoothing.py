"""Reading an expression over time: what the last frames said counts as well."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError

DEFAULT_SMOOTHING: Final = 0.1
"""Seconds; `ExpressionFilter` says what they mean."""

# How long the first frame is taken to have lasted.
_FIRST_SECONDS: Final = 0.04


class ExpressionFilter:
    """Estimates a face's expression from all frames until now, of which the latest count most.

    The answer is the mean of what the recogniser said of each moment, weighted by `exp(-age / seconds)`. This is an
    exponential filter in continuous time: each frame stands for the time since the one before, so that irregular times
    are exact, and the frame rate does not matter. It gives the mean of all frames for as long as there are few, so that
    the first one has no lasting influence. A mean of probabilities is never surer than the frames that it is made of; a
    product of them, as in a hidden Markov model, takes a repeated error for proof.

    Args:
        seconds: the filter's time constant, above 0; more makes the answer calmer and later. After a change, half of
            the weight is on the new expression `0.69 · seconds` later.

    Raises:
        InputError: `seconds` is not above 0, or infinite.
    """

    def __init__(self, seconds: float = DEFAULT_SMOOTHING) -> None:
        if not 0 < seconds < math.inf:
            raise InputError(f"the time of smoothing must be a number of seconds above 0, not {seconds}")
        self._seconds = seconds
        self._time = 0.0
        self._sum: NDArray[np.float64] | None = None

    def update(self, time: float, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take in what the recogniser says of the next frame.

        Args:
            time: the frame's, in seconds; an earlier time than before counts as the same.
            probabilities: `(classes,)`, which sum to 1.

        Returns:
            `(classes,)`: the probabilities after this frame and all before it; they sum to 1. After the first frame
            they are that frame's.
        """
        if self._sum is None:
            lasted, self._time = _FIRST_SECONDS, time
            self._sum = np.zeros(len(probabilities))
        else:
            lasted = max(0.0, time - self._time)
            self._time += lasted
        old = math.exp(-lasted / self._seconds)
        self._sum = old * self._sum + (1 - old) * probabilities
        return np.asarray(self._sum / self._sum.sum())
