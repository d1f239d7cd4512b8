"""Following a face from one frame to the next by optical flow."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box, Point
from kaoiro.faces.detection import Detection

# The face is looked at in a square patch of this many pixels, in which its box takes about half.
_PATCH: Final = 72
_REACH: Final = 2.0

_FLOW: Final = {
    "winSize": (13, 13),
    "maxLevel": 2,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.02),
}

# Points that do not come back to within this many patch pixels on the way backwards were not followed.
_BACKWARD_ERROR: Final = 1.0
_LEAST_SHARE: Final = 0.5
_LEAST_CORRELATION: Final = 0.6
_MOST_GROWTH: Final = 1.15

# Where in its box, from (0, 0) to (1, 1), points of the face are followed.
_GRID: Final = np.stack(np.meshgrid(np.linspace(0.2, 0.8, 6), np.linspace(0.15, 0.9, 7)), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class _Square:
    """A square part of a picture, shown as a patch of `_PATCH` pixels."""

    left: float
    top: float
    side: float

    def patch(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`uint8 (_PATCH, _PATCH)` grey; the picture's border pixels are repeated outside it."""
        height, width = image.shape[:2]
        left, top = int(np.floor(self.left)), int(np.floor(self.top))
        right, bottom = int(np.ceil(self.left + self.side)) + 1, int(np.ceil(self.top + self.side)) + 1
        x1, y1 = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        x2, y2 = min(max(right, x1 + 1), width), min(max(bottom, y1 + 1), height)
        grey = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY)
        scale = _PATCH / self.side
        if scale < 0.5:
            shrunk = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
            grey = cv2.resize(grey, shrunk, interpolation=cv2.INTER_AREA)
        along, down = scale * (x2 - x1) / grey.shape[1], scale * (y2 - y1) / grey.shape[0]
        matrix = np.array([[along, 0, (x1 - self.left) * scale], [0, down, (y1 - self.top) * scale]])
        patch = cv2.warpAffine(grey, matrix, (_PATCH, _PATCH), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(patch, np.uint8)

    def inward(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """Points of the picture `(n, 2)` as places in the patch."""
        return np.asarray((points - (self.left, self.top)) * (_PATCH / self.side), np.float32)

    def outward(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Places in the patch `(n, 2)` as points of the picture."""
        return np.asarray(points * (self.side / _PATCH) + (self.left, self.top), np.float64)


def follow(
    before: NDArray[np.uint8], now: NDArray[np.uint8], face: Detection, shift: Point = (0.0, 0.0)
) -> Detection | None:
    """Find a face of one frame in the next one.

    Points on the face are followed there and back by the method of Lucas and Kanade, and those that return give the
    shift, turn and growth (after the median-flow tracker of Kalal et al. 2010, https://doi.org/10.1109/ICPR.2010.675,
    with a similarity fitted to the points in place of medians).

    Args:
        before: `uint8 (H, W, 3)` RGB, the frame in which the face is known.
        now: the next frame, of the same size.
        face: the face in the former.
        shift: by how many pixels, right and down, it has probably moved.

    Returns:
        The face in the next frame, with its former score; None where it is hidden, left the picture, or changed too
        much.
    """
    left, top, right, bottom = face.box
    side = _REACH * max(right - left, bottom - top)
    if side < 8:
        return None
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    old, new = _Square(x, y, side), _Square(x + shift[0], y + shift[1], side)
    old_patch, new_patch = old.patch(before), new.patch(now)
    grid = _GRID * (right - left, bottom - top) + (left, top)
    start = old.inward(grid)[:, None]
    there, found, _ = cv2.calcOpticalFlowPyrLK(old_patch, new_patch, start, None, **_FLOW)  # type: ignore[call-overload]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(new_patch, old_patch, there, None, **_FLOW)  # type: ignore[call-overload]
    errors = np.linalg.norm((back - start)[:, 0], axis=1)
    good = (found[:, 0] > 0) & (returned[:, 0] > 0) & (errors < _BACKWARD_ERROR)
    if good.mean() < _LEAST_SHARE:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(
        grid[good], new.outward(there[good, 0]), ransacReprojThreshold=side * 1.5 / _PATCH, maxIters=200
    )
    if motion is None or inliers.sum() < _LEAST_SHARE * len(_GRID):
        return None
    growth = float(np.hypot(motion[0, 0], motion[1, 0]))
    if not 1 / _MOST_GROWTH < growth < _MOST_GROWTH:
        return None
    moved = _moved(face, np.asarray(motion, np.float64), growth)
    height, width = now.shape[:2]
    centre_x, centre_y = (moved.box[0] + moved.box[2]) / 2, (moved.box[1] + moved.box[3]) / 2
    if not (0 <= centre_x < width and 0 <= centre_y < height):
        return None
    if _correlation(before, face.box, now, moved.box) < _LEAST_CORRELATION:
        return None
    return moved


def _moved(face: Detection, motion: NDArray[np.float64], growth: float) -> Detection:
    left, top, right, bottom = face.box
    x, y = (motion @ ((left + right) / 2, (top + bottom) / 2, 1.0)).tolist()
    half_width, half_height = growth * (right - left) / 2, growth * (bottom - top) / 2
    landmarks = tuple((float(a), float(b)) for a, b in (motion @ (px, py, 1.0) for px, py in face.landmarks))
    return Detection((x - half_width, y - half_height, x + half_width, y + half_height), landmarks, face.score)


def _correlation(before: NDArray[np.uint8], old_box: Box, now: NDArray[np.uint8], new_box: Box) -> float:
    """How alike the pixels in two boxes are, -1 to 1."""
    old, new = (
        _Square((b[0] + b[2]) / 2 - s / 2, (b[1] + b[3]) / 2 - s / 2, s).patch(image)
        for image, b, s in ((before, old_box, _inner(old_box)), (now, new_box, _inner(new_box)))
    )
    return float(cv2.matchTemplate(new, old, cv2.TM_CCOEFF_NORMED)[0, 0])


def _inner(box: Box) -> float:
    return 0.8 * max(box[2] - box[0], box[3] - box[1])
