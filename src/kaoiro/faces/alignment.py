"""How far a face is tilted, and where it would lie if it were upright."""

from dataclasses import dataclass
from math import atan2, degrees, hypot
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box, Point, square_map, warped_square
from kaoiro.faces.detection import Detection, Detector

# YuNet's landmarks of an upright face tell tilts of a few degrees by chance.
_LEAST_TILT: Final = 3.0

# The second look shows this much of the picture, in units of the box's longer side, at so many pixels. The face then
# has some 140. With fewer, answers are less steady; with more, hardly steadier.
_SURROUNDINGS: Final = 1.6
_LOOK_SIDE: Final = 224


@dataclass(frozen=True)
class Pose:
    """Where a face lies and how far it is tilted."""

    box: Box
    """The face's box after turning the picture about the box's centre by `roll`, `xyxy` in pixels."""
    roll: float
    """How far the face is turned clockwise in the picture's plane, in degrees, -180 to 180; 0 where it counts as
    upright."""


def roll(landmarks: tuple[Point, ...]) -> float:
    """Measure a face's tilt by the lines of the eyes and of the mouth, each weighted by its length.

    Args:
        landmarks: five points as in `Detection`.

    Returns:
        Degrees clockwise, -180 to 180: 0 where both lines are level.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks
    across = right_eye[0] - left_eye[0] + right_mouth[0] - left_mouth[0]
    down = right_eye[1] - left_eye[1] + right_mouth[1] - left_mouth[1]
    return degrees(atan2(down, across))


def pose(image: NDArray[np.uint8], detection: Detection, detector: Detector) -> Pose:
    """Find out how a detected face must be turned to be upright.

    Landmarks of tilted faces are biased towards upright ones, and boxes grow with the tilt. Where the landmarks show
    a tilt of at least 3°, the face is therefore turned back by it and looked at again; what the detector then finds
    refines the tilt and gives the box.

    Args:
        image: the picture, `uint8 (H, W, 3)` RGB.
        detection: the face.
        detector: what takes the second look.

    Returns:
        The detection's own box and a roll of 0 where the face is about upright or has no landmarks.
    """
    if len(detection.landmarks) != 5:
        return Pose(detection.box, 0.0)
    angle = roll(detection.landmarks)
    if abs(angle) < _LEAST_TILT:
        return Pose(detection.box, 0.0)
    seen = _look_again(image, detection.box, angle, detector)
    if seen is None:
        return Pose(detection.box, angle)
    box, further = seen
    return Pose(box, (angle + further + 180) % 360 - 180)


def _look_again(image: NDArray[np.uint8], box: Box, angle: float, detector: Detector) -> tuple[Box, float] | None:
    """Search the turned surroundings of a face: its box about its place in the picture, and its remaining tilt."""
    left, top, right, bottom = box
    centre = (left + right) / 2, (top + bottom) / 2
    longer = max(right - left, bottom - top)
    scale = _LOOK_SIDE / (_SURROUNDINGS * longer)
    matrix = square_map(centre, angle, scale, _LOOK_SIDE)
    surroundings = warped_square(image, matrix, _LOOK_SIDE, scale)
    half, reach = _LOOK_SIDE / 2, 0.35 * longer * scale

    def distance(one: Detection) -> float:
        return hypot((one.box[0] + one.box[2]) / 2 - half, (one.box[1] + one.box[3]) / 2 - half)

    near = [one for one in detector.detect(surroundings) if distance(one) < reach and len(one.landmarks) == 5]
    if not near:
        return None
    face = min(near, key=distance)
    back = cv2.invertAffineTransform(matrix)
    middle = np.array([(face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2, 1.0])
    x, y = (back @ middle).tolist()
    wide, high = ((face.box[2] - face.box[0]) / scale / 2, (face.box[3] - face.box[1]) / scale / 2)
    return (x - wide, y - high, x + wide, y + high), roll(face.landmarks)
