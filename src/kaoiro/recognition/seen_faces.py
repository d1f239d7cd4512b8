"""Faces on their way from where they are found to where they are read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box
from kaoiro.faces.detector import Detection


@dataclass(frozen=True, eq=False)
class SeenFaces:
    """The faces of one picture, cut out and in the model's input form; the picture itself is no longer needed."""

    boxes: tuple[Box, ...]
    detections: tuple[Detection | None, ...]
    """One a box; None where no detector was asked."""
    inputs: NDArray[np.uint8]
    """`uint8 (len(boxes), channels, size, size)`."""
