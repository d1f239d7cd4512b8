"""Finding faces with the Haar cascade that OpenCV brings along."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.detection import Detection

CASCADE_FILE: Final = "haarcascade_frontalface_default.xml"

_SMALLEST_FACE: Final = 24  # the cascade's own window
_LONGEST_SIDE: Final = 1280
_SCALE_STEP: Final = 1.1
_NEIGHBOURS: Final = 5


class HaarDetector:
    """Finds upright frontal faces with a cascade of Haar features (Viola and Jones 2001,
    https://doi.org/10.1109/CVPR.2001.990517): no network, no landmarks, and more mistakes than YuNet.

    Pictures are searched with their long side at no more than 1280 pixels, for faces of at least 24 pixels. The score
    of a face is `w / (w + 4)`, where `w` is the sum of the last stage's weights, as OpenCV reports it: a rank, no
    probability. One detector may serve several threads at once.

    Args:
        min_score: faces with a lower score, 0 to 1, are left out.

    Raises:
        InputError: OpenCV was installed without the cascade, or `min_score` is outside 0 to 1.
    """

    def __init__(self, min_score: float = 0.0) -> None:
        if not 0 <= min_score <= 1:
            raise InputError(f"the lowest detection score must be within 0 and 1, not {min_score}")
        self._min_score = min_score
        self._cascades = _Cascades(_cascade_path())

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in `uint8 (H, W, 3)` RGB; the largest comes first."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        height, width = grey.shape
        scale = min(1.0, _LONGEST_SIDE / max(height, width))
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        boxes, _, weights = self._cascades.of_this_thread.detectMultiScale3(
            cv2.equalizeHist(grey),
            _SCALE_STEP,
            _NEIGHBOURS,
            minSize=(_SMALLEST_FACE, _SMALLEST_FACE),
            outputRejectLevels=True,
        )
        across, down = width / grey.shape[1], height / grey.shape[0]
        found = []
        for (left, top, side, _), weight in zip(boxes, np.maximum(np.ravel(weights), 0), strict=True):
            box = (float(left * across), float(top * down), float((left + side) * across), float((top + side) * down))
            found.append(Detection(box, (), float(weight / (weight + 4))))
        kept = [one for one in found if one.score >= self._min_score]
        return sorted(kept, key=lambda one: one.box[0] - one.box[2])


class _Cascades(threading.local):
    """A cascade keeps its state between calls, so that every thread needs its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def of_this_thread(self) -> cv2.CascadeClassifier:
        return cv2.CascadeClassifier(str(self._path))


def _cascade_path() -> Path:
    path = Path(cv2.__file__).parent / "data" / CASCADE_FILE
    if not path.is_file():
        raise InputError(
            f"OpenCV's file {CASCADE_FILE} is missing; install it with: pip install --force-reinstall "
            "'opencv-python-headless>=4.11,<5'"
        )
    return path
