"""What is kept of a person's track, however long it becomes."""

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.expressions import Expression
from kaoiro.faces.crops import Box
from kaoiro.recognition.results import Track

MOST_MOMENTS: Final = 1024
"""How many moments of a track are kept at most."""


class TrackRecord:
    """Moments of a track, in bounded memory.

    Every frame is kept until there are `MOST_MOMENTS`; then every other one is dropped, and from then on only every
    second frame is kept, then every fourth, and so on. So a track of any length is known at 512 to 1,024 moments spread
    over the whole of it.

    Args:
        number: the person's.
        expressions: what the columns of the probabilities stand for.
    """

    def __init__(self, number: int, expressions: tuple[Expression, ...]) -> None:
        self._number = number
        self._expressions = expressions
        self._every = 1
        self._frames = 0
        self._width = 5 + len(expressions)
        # One row after the other: a small array for each moment would take twice the memory.
        self._rows = array("d")

    def add(self, time: float, box: Box, probabilities: NDArray[np.float64]) -> None:
        """Keep one more moment: its time in seconds, the box, and probabilities `(classes,)`."""
        if self._frames % self._every == 0:
            if len(self._rows) == MOST_MOMENTS * self._width:
                self._rows = array("d", self._moments()[::2].tobytes())
                self._every *= 2
            self._rows.extend([time, *box, *probabilities])
        self._frames += 1

    def track(self) -> Track:
        """The track so far."""
        rows = self._moments()
        return Track(self._number, self._expressions, rows[:, 0], rows[:, 1:5], rows[:, 5:], self._frames)

    def _moments(self) -> NDArray[np.float64]:
        """`(n, 5 + classes)`, a copy: an array that looks into the record would keep it from growing."""
        return np.array(self._rows).reshape(-1, self._width)
