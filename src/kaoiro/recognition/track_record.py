"""What is kept of a person's track, however long it becomes."""

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
        self._rows: list[NDArray[np.float64]] = []

    def add(self, time: float, box: Box, probabilities: NDArray[np.float64]) -> None:
        """Keep one more moment: its time in seconds, the box, and probabilities `(classes,)`."""
        if self._frames % self._every == 0:
            if len(self._rows) == MOST_MOMENTS:
                del self._rows[1::2]
                self._every *= 2
            self._rows.append(np.array([time, *box, *probabilities]))
        self._frames += 1

    def track(self) -> Track:
        """The track so far."""
        rows = np.array(self._rows).reshape(len(self._rows), 5 + len(self._expressions))
        return Track(self._number, self._expressions, rows[:, 0], rows[:, 1:5], rows[:, 5:], self._frames)
