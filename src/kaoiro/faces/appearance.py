"""What a face looks like, in a few numbers: enough to tell apart the people in one scene."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box

Look = NDArray[np.float64]
"""`(parts, bins)`: the square roots of a histogram of each part's colours; zeros for a part outside the picture."""

# Parts of the picture about a face in units of its box: left, top, right, bottom, and how much they count. The clothes
# below the chin count most: they show nothing of the expression.
_PARTS: Final = (
    ((0.15, 0.1, 0.85, 0.5), 1.0),
    ((0.15, 0.5, 0.85, 0.95), 1.0),
    ((-0.1, 1.25, 1.1, 2.0), 2.0),
)
_WEIGHTS: Final = np.array([weight for _, weight in _PARTS])

_PATCH: Final = 16
_LEVELS: Final = np.array([10, 10, 4])
_STRIDES: Final = np.array([40, 4, 1])
_CORNERS: Final = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])

# Pictures are brought to this mean brightness, so that a change of light changes little.
_BRIGHTNESS: Final = 110.0
_SAMPLED: Final = 40


def look_of(image: NDArray[np.uint8], box: Box) -> Look:
    """Describe the upper half of a face, its lower half and the clothes beneath by their colours.

    Args:
        image: `uint8 (H, W, 3)` RGB.
        box: the face's, `xyxy` in pixels.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    sampled = image[:: max(1, image.shape[0] // _SAMPLED), :: max(1, image.shape[1] // _SAMPLED)]
    gain = _BRIGHTNESS / max(float(sampled.mean()), 1.0)
    return np.stack(
        [
            _colours(image, (left + x1 * width, top + y1 * height, left + x2 * width, top + y2 * height), gain)
            for (x1, y1, x2, y2), _ in _PARTS
        ]
    )


def likeness(look: Look, other: Look) -> float:
    """How alike two looks are, 0 to 1: the mean Bhattacharyya coefficient of the parts that both have."""
    weights = _WEIGHTS * (look.any(axis=1) & other.any(axis=1))
    return float(weights @ (look * other).sum(axis=1) / max(weights.sum(), 1e-9))


def blended(look: Look, newer: Look, share: float) -> Look:
    """A look that has `share`, 0 to 1, of the newer one; a part that one of them lacks is the other's."""
    mixed = np.sqrt((1 - share) * look**2 + share * newer**2)
    return np.asarray(mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9))


def _colours(image: NDArray[np.uint8], part: Box, gain: float) -> NDArray[np.float64]:
    """`(bins,)`: the roots of a histogram of red against green, blue against green, and brightness."""
    height, width = image.shape[:2]
    left, top = max(0, round(part[0])), max(0, round(part[1]))
    right, bottom = min(width, round(part[2])), min(height, round(part[3]))
    bins = int(_LEVELS.prod())
    if right <= left or bottom <= top:
        return np.zeros(bins)
    patch = cv2.resize(image[top:bottom, left:right], (_PATCH, _PATCH), interpolation=cv2.INTER_AREA)
    red, green, blue = (gain * patch.reshape(-1, 3).astype(np.float64)).clip(0, 255).T
    brightness = (red + green + blue) / 3
    against_green = 2 / (3 * brightness + 30)
    colours = np.stack(
        [(red - green) * against_green + 0.5, (blue - green) * against_green + 0.5, brightness / 255], axis=1
    )
    # Every value is shared among the two nearest levels, so that a small change moves little from bin to bin.
    places = colours.clip(0, 1) * (_LEVELS - 1)
    low = np.minimum(places.astype(np.int64), _LEVELS - 2)
    upper = (places - low)[:, None]
    shares = np.where(_CORNERS, upper, 1 - upper).prod(axis=2)
    index = (low[:, None] + _CORNERS) @ _STRIDES
    counts = np.bincount(index.ravel(), shares.ravel(), bins)
    return np.asarray(np.sqrt(counts / counts.sum()))
