"""Pictures that show no face: the detector looks at each of them, and turns it before it gives up."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.detector import FaceDetector
from kaoiro.parallel import ordered_map

THRESHOLD: Final = 0.85
"""Score from which a picture counts as one without a face.

Chosen on FER2013's training and validation pictures, so that hardly a face is among the flagged ones."""

# How far the picture is turned, in degrees, and the side in pixels to which it is scaled. A look at 64 pixels is
# the cheapest and settles most pictures; 160 helps with dark and unsharp ones, turning with heads that lie or bow.
_LOOKS: Final = ((0, 64), (0, 160), (35, 96), (-35, 96), (90, 96), (-90, 96), (180, 96))
_FACE = 0.5  # detection score from which no other look is needed
_FAINTEST = 0.02
_AHEAD = 64
_REPORT_EVERY = 256


def no_face(faces: NDArray[np.uint8], on_progress: Callable[[float], None] = lambda _: None) -> NDArray[np.float32]:
    """Say how sure it is that each picture shows no face.

    The score is 1 less the best score that YuNet (`kaoiro.faces.detector`) gives to any face, in the picture as it is
    or turned. Once a look finds a clear face there are no more looks, so scores below 0.5 tell little apart.

    Args:
        faces: `uint8 (n, side, side)` grey; a face, where there is one, about fills its picture.
        on_progress: is told now and then which part is done, from 0 to 1.

    Returns:
        `float32 (n,)`, 0 to 1.

    Raises:
        InputError: the detector's file is missing.
    """
    detector = FaceDetector(min_score=_FAINTEST)

    def clearest_face(face: NDArray[np.uint8]) -> float:
        clearest = 0.0
        for degrees, side in _LOOKS:
            look = cv2.cvtColor(_turned(face, degrees), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
            clearest = max(clearest, float(detector.scores_at(look, side).max(initial=0)))
            if clearest >= _FACE:
                break
        return clearest

    score = np.empty(len(faces), np.float32)
    for row, clearest in enumerate(ordered_map(clearest_face, faces, ahead=_AHEAD)):
        score[row] = 1 - clearest
        if row % _REPORT_EVERY == 0 or row == len(faces) - 1:
            on_progress((row + 1) / len(faces))
    return score


def _turned(face: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn a square picture about its centre; its border pixels fill the corners."""
    if degrees == 0:
        return face
    side = len(face)
    centre = (side - 1) / 2
    turn = cv2.getRotationMatrix2D((centre, centre), degrees, 1)
    return np.asarray(cv2.warpAffine(face, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)
