"""Searching turned copies of a picture, for faces that lie on their side or upside down."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.pyramid import (
    FIRST_SIDE,
    SCORE,
    Faces,
    Look,
    best_of_each_face,
    largest_first,
    search,
    with_seen_heights,
)
from kaoiro.faces.tiling import TILE

# YuNet finds nearly all faces that are turned by up to 22.5°, and their landmarks are turned with them.
_ANGLES: Final = (45.0, -45.0, 90.0, -90.0, 135.0, -135.0, 180.0)

# Seven more looks have seven times the chance of taking a pattern for a face; true faces reach this score in the copy
# in which they are nearly upright.
_LEAST_SCORE: Final = 0.8

# An upright face shows in the copies too, now and then with a slightly higher score, but with a worse box.
_UPRIGHT_BONUS: Final = 0.03


def search_turned(image: NDArray[np.uint8], look: Look, min_score: float) -> Faces:
    """Find the faces in a picture at every scale, and the larger ones however they are turned.

    The picture itself is searched down to its own resolution; copies turned in steps of 45° with their long side
    at 640 pixels or, where the picture has them, up to 1280.

    Args:
        image: `uint8 (H, W, 3)` RGB.
        look: what searches a picture, or a tile of one, at the scale that it is given.
        min_score: faces with a lower score are left out, turned ones also with a score below 0.8.

    Returns:
        `float64 (n, 15)`, the largest face first. A turned face's box is the upright one about it, and its landmarks
        are turned with it.
    """
    upright = search(image, look, min_score, thorough=True)
    height, width = image.shape[:2]
    scale = min(max(FIRST_SIDE, height, width), TILE) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) if scale != 1 else image
    turned = np.vstack([_search_copy(small, angle, look, min_score) for angle in _ANGLES])
    turned[:, 0:SCORE:2] *= width / size[0]
    turned[:, 1:SCORE:2] *= height / size[1]
    faces = with_seen_heights(np.vstack([upright, turned]), scale)
    bonus = np.where(np.arange(len(faces)) < len(upright), _UPRIGHT_BONUS, 0)
    return largest_first(best_of_each_face(faces, min_score, bonus))


def _search_copy(image: NDArray[np.uint8], angle: float, look: Look, min_score: float) -> Faces:
    """Search a copy turned anticlockwise by an angle in degrees; gives faces in the pixels of the picture itself."""
    height, width = image.shape[:2]
    cosine, sine = abs(np.cos(np.radians(angle))), abs(np.sin(np.radians(angle)))
    copy_width, copy_height = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    matrix[:, 2] += (copy_width - width) / 2, (copy_height - height) / 2
    copy = cv2.warpAffine(image, matrix, (copy_width, copy_height), flags=cv2.INTER_LINEAR)
    found = look(np.asarray(copy, np.uint8))
    found = found[found[:, SCORE] >= max(min_score, _LEAST_SCORE)]
    back = cv2.invertAffineTransform(matrix)
    half = found[:, 2:4] / 2
    # The upright box about the ellipse that fills the turned one.
    new_half = np.hypot(half * cosine, half[:, ::-1] * sine)
    centre = (found[:, :2] + half) @ back[:, :2].T + back[:, 2]
    points = found[:, 4:SCORE].reshape(-1, 5, 2) @ back[:, :2].T + back[:, 2]
    return np.hstack([centre - new_half, 2 * new_half, points.reshape(-1, 10), found[:, SCORE:]])
