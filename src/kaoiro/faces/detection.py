"""What a face detector gives, and what every detector must be able to do."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box, Point


@dataclass(frozen=True)
class Detection:
    """A face that was found."""

    box: Box
    """`(left, top, right, bottom)` in pixels of the upright picture; may reach a little outside it."""
    landmarks: tuple[Point, ...]
    """Five points: the eye on the picture's left, the eye on its right, the tip of the nose, the corner of
    the mouth on the left, the one on the right. Empty from a detector that gives none."""
    score: float
    """The detector's confidence that this is a face, 0 to 1. What a value means differs from detector to detector."""


@runtime_checkable
class Detector(Protocol):
    """Anything that finds faces. A detector of your own needs this one method, and nothing to inherit from."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture; several threads may call this at once.

        Args:
            image: `uint8 (H, W, 3)` RGB, of any size from 1 × 1. It must not be changed.

        Returns:
            The faces, the largest first; an empty list where there is none.
        """
        ...
