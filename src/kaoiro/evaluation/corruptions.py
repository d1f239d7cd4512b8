"""Changes that faces suffer on their way to a model: blur, compression, bad light, few pixels, tilt, covers, noise.

Sizes are stated for a face of 48 × 48 pixels, as FER2013 has them, and grow in proportion with larger ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Face = NDArray[np.uint8]
"""`uint8 (H, W)` grey or `(H, W, 3)` RGB, with H = W."""

STATED_SIDE: Final = 48
"""Side in pixels of the faces for which the changes' sizes are stated."""


@dataclass(frozen=True)
class Corruption:
    """One named change."""

    name: str
    description: str
    """What is done, with its numbers, as half a sentence."""
    apply: Callable[[Face, np.random.Generator], Face]
    """Gives the changed face as a new array of the same form; the generator is what noise is drawn from."""


def _blur(sigma: float) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        pixels = sigma * len(face) / STATED_SIDE
        side = 2 * min(math.ceil(3 * pixels), len(face) - 1) + 1
        return np.asarray(cv2.GaussianBlur(face, (side, side), pixels, borderType=cv2.BORDER_REFLECT_101), np.uint8)

    return apply


def _jpeg(quality: int) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        # OpenCV takes three channels for BGR on both ways.
        encoded = cv2.imencode(".jpg", face[..., ::-1] if face.ndim == 3 else face, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = np.asarray(cv2.imdecode(encoded[1], cv2.IMREAD_UNCHANGED), np.uint8)
        return decoded[..., ::-1].copy() if face.ndim == 3 else decoded

    return apply


def _light(factor: float, offset: float) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        return np.asarray(np.clip(np.rint(face * factor + offset * 255), 0, 255), np.uint8)

    return apply


def _few_pixels(side: int) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        height, width = face.shape[:2]
        small = max(1, round(side * height / STATED_SIDE))
        shrunken = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunken, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

    return apply


def _rotation(degrees: float) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        height, width = face.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        turned = cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, np.uint8)

    return apply


@dataclass(frozen=True)
class Rectangle:
    """A part of the face's square; edges in shares of its side from the left and from the top."""

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        across, down = (self.left, self.right), (self.top, self.bottom)
        return " × ".join(f"{100 * near:.0f}–{100 * far:.0f} %" for near, far in (across, down))


EYES: Final = Rectangle(0.15, 0.25, 0.85, 0.5)
"""Of FER2013's training faces, the detector sees eight in ten eyes between 0.29 and 0.46 from the top."""
MOUTH: Final = Rectangle(0.15, 0.6, 0.85, 1.0)
"""From the median nose tip down; eight in ten corners of mouths lie between 0.67 and 0.84 from the top."""


def _cover(where: Rectangle, value: int) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, _: np.random.Generator) -> Face:
        height, width = face.shape[:2]
        rows = slice(round(where.top * height), round(where.bottom * height))
        columns = slice(round(where.left * width), round(where.right * width))
        covered = face.copy()
        covered[rows, columns] = value
        return covered

    return apply


def _noise(deviation: float) -> Callable[[Face, np.random.Generator], Face]:
    def apply(face: Face, generator: np.random.Generator) -> Face:
        noisy = face + generator.normal(0, deviation * 255, face.shape)
        return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)

    return apply


CORRUPTIONS: Final = (
    Corruption("blur σ 1 px", "Gaussian blur with a standard deviation of 1 pixel", _blur(1)),
    Corruption("blur σ 2 px", "Gaussian blur with a standard deviation of 2 pixels", _blur(2)),
    Corruption("JPEG quality 20", "stored as JPEG of quality 20 and read again", _jpeg(20)),
    Corruption("darker by 40 %", "values × 0.6", _light(0.6, 0)),
    Corruption("brighter by 40 %", "values × 1.4, clipped at white", _light(1.4, 0)),
    Corruption("40 % of white taken", "values − 102, clipped at black", _light(1, -0.4)),
    Corruption("40 % of white added", "values + 102, clipped at white", _light(1, 0.4)),
    Corruption("24 px", "shrunken to 24 × 24 pixels and enlarged again", _few_pixels(24)),
    Corruption("turned left 20°", "turned by 20° against the clock; the border's pixels are repeated", _rotation(20)),
    Corruption("turned right 20°", "turned by 20° with the clock; the border's pixels are repeated", _rotation(-20)),
    Corruption("mouth covered", f"a light grey rectangle (208) over {MOUTH} of the square", _cover(MOUTH, 208)),
    Corruption("eyes covered", f"a dark grey rectangle (32) over {EYES} of the square", _cover(EYES, 32)),
    Corruption("noise", "Gaussian noise with a standard deviation of 20 of 255", _noise(20 / 255)),
)
