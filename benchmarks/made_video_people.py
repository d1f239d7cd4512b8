"""People for made videos: labelled faces of a corpus with a head, hair and clothes about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import Corpus
from kaoiro.expressions import SEVEN, Expression
from kaoiro.faces.detector import FaceDetector

# A person is painted once for each face at this size and then moved, turned and scaled.
CANVAS: Final = 320
FACE_SIDE: Final = 128
_FACE_LEFT: Final = (CANVAS - FACE_SIDE) // 2
_FACE_TOP: Final = 72
_LEAST_SCORE: Final = 0.75


@dataclass(frozen=True)
class SourceFace:
    """A face of the corpus that the detector finds when it is shown alone."""

    pixels: NDArray[np.uint8]
    """`uint8 (48, 48)` grey."""
    expression: Expression
    row: int
    """Which row of its split it is."""


@dataclass(frozen=True)
class Outfit:
    """What tells one person from another, whatever the face shows: colours as RGB, 0 to 255."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    clothes: tuple[int, int, int]
    stripes: tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """A person with one expression."""

    pixels: NDArray[np.uint8]
    """`uint8 (CANVAS, CANVAS, 4)` RGBA."""
    box: tuple[float, float, float, float]
    """The face's box in it, as the detector finds it before a plain background."""
    expression: Expression


def source_faces(corpus: Corpus, rows: Sequence[int], each: int, detector: FaceDetector) -> list[SourceFace]:
    """Take the first faces of each expression, among the given rows, that the detector finds.

    Args:
        corpus: one split of FER2013, without contempt.
        rows: in the order in which they are tried.
        each: how many of each expression.
    """
    pixels = corpus.decode_faces(48, 1)[:, 0]
    labels = corpus.label_indices()
    plain = Outfit((205, 165, 140), (60, 45, 35), (90, 90, 100), (110, 110, 120))
    found: dict[Expression, list[SourceFace]] = {expression: [] for expression in SEVEN}
    for row in rows:
        expression = SEVEN[labels[row]] if 0 <= labels[row] < len(SEVEN) else None
        if expression is None or len(found[expression]) >= each:
            continue
        face = SourceFace(pixels[row], expression, int(row))
        if dressed(face, plain, detector) is not None:
            found[expression].append(face)
        if all(len(faces) >= each for faces in found.values()):
            break
    return [face for faces in found.values() for face in faces]


def outfits(count: int, rng: np.random.Generator) -> list[Outfit]:
    """Different people: clothes of different hue, skin and hair by chance."""
    hues = (np.arange(count) / count + rng.random()) % 1
    rng.shuffle(hues)
    people = []
    for hue in hues:
        light = rng.uniform(0.55, 1.1)
        skin = tuple(int(min(255, light * part)) for part in (222, rng.uniform(165, 190), rng.uniform(130, 165)))
        hair = tuple(int(part) for part in rng.uniform(0.15, 0.8) * np.array([200, 160, 110]))
        clothes = _rgb(hue, rng.uniform(0.4, 0.9), rng.uniform(0.35, 0.9))
        stripes = _rgb(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.2, 0.9), rng.uniform(0.3, 1.0))
        people.append(Outfit(skin, hair, clothes, stripes))
    return people


def dressed(face: SourceFace, outfit: Outfit, detector: FaceDetector) -> Look | None:
    """Paint a person; None where the detector does not find just the one face."""
    pixels = _paint(face, outfit)
    alpha = pixels[..., 3:] / 255
    shown = (pixels[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8)
    found = detector.detect(np.asarray(cv2.copyMakeBorder(shown, 60, 60, 60, 60, cv2.BORDER_REPLICATE), np.uint8))
    if len(found) != 1 or found[0].score < _LEAST_SCORE:
        return None
    left, top, right, bottom = (value - 60 for value in found[0].box)
    middle_x, middle_y = (left + right) / 2 - CANVAS / 2, (top + bottom) / 2 - _FACE_TOP - FACE_SIDE / 2
    if max(abs(middle_x), abs(middle_y)) > FACE_SIDE / 4:
        return None
    return Look(pixels, (left, top, right, bottom), face.expression)


def _paint(face: SourceFace, outfit: Outfit) -> NDArray[np.uint8]:
    """`uint8 (CANVAS, CANVAS, 4)`: shoulders, hair, and the face with soft edges, tinted with the colour of skin."""
    canvas = np.zeros((CANVAS, CANVAS, 4), np.uint8)
    middle = CANVAS // 2
    cv2.ellipse(canvas, (middle, CANVAS + 20), (120, 100), 0, 0, 360, (*outfit.clothes, 255), -1, cv2.LINE_AA)
    for x in range(middle - 110, middle + 111, 36):
        stripe = np.zeros((CANVAS, CANVAS), np.uint8)
        cv2.line(stripe, (x, CANVAS - 90), (x, CANVAS), 255, 10)
        canvas[(stripe > 0) & (canvas[..., 3] > 0), :3] = outfit.stripes
    neck = tuple(int(0.8 * part) for part in outfit.skin)
    cv2.rectangle(canvas, (middle - 28, _FACE_TOP + 100), (middle + 28, CANVAS - 75), (*neck, 255), -1)
    centre = (middle, _FACE_TOP + FACE_SIDE // 2)
    cv2.ellipse(canvas, (middle, centre[1] - 14), (72, 84), 0, 0, 360, (*outfit.hair, 255), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, centre, (60, 76), 0, 0, 360, (*outfit.skin, 255), -1, cv2.LINE_AA)

    large = cv2.resize(face.pixels, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC)
    border = 16
    large = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
    # The brightest skin takes the tint itself; shadows keep their depth.
    tinted = large[..., None] / max(float(np.percentile(face.pixels, 85)), 60.0) * np.array(outfit.skin)
    mask = np.zeros(large.shape, np.float32)
    half = large.shape[0] // 2
    cv2.ellipse(mask, (half, half), (62, 74), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 5)[..., None]
    top, left = _FACE_TOP - border, _FACE_LEFT - border
    place = canvas[top : top + large.shape[0], left : left + large.shape[1]]
    place[..., :3] = (place[..., :3] * (1 - mask) + tinted.clip(0, 255) * mask).astype(np.uint8)
    place[..., 3] = np.maximum(place[..., 3], (255 * mask[..., 0]).astype(np.uint8))
    return canvas


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    hsv = np.array([[[hue % 1 * 179, saturation * 255, value * 255]]], np.uint8)
    red, green, blue = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue
