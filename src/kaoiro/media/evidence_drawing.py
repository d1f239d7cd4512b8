"""Drawing which parts of a face spoke for an expression and which against it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kaoiro.expressions import Language
from kaoiro.media.label_font import Font, label_font

FOR: Final = (213, 94, 0)
AGAINST: Final = (0, 114, 178)
"""RGB: vermilion and blue of Okabe and Ito's palette, which people with any colour vision can tell apart."""

_SIDE: Final = 320
_MARGIN: Final = 12
_LINE: Final = 24
_STRONGEST: Final = 0.65  # of the colour where the evidence is strongest, so that the face stays visible


@dataclass(frozen=True, eq=False)
class FaceEvidence:
    """What `draw_evidence` needs to know of a face."""

    title: str
    pixels: NDArray[np.uint8]
    """The face: `uint8 (n, n)` grey or `(n, n, 3)` RGB."""
    evidence: NDArray[np.float64]
    """`float64 (n, n)`, positive for, negative against."""


def draw_evidence(
    faces: list[FaceEvidence], *, speaks_for: str, speaks_against: str, language: Language = Language.ENGLISH
) -> NDArray[np.uint8]:
    """Draw faces side by side with the evidence laid over them, and a key.

    Each face has its own scale: its strongest evidence, for or against, has the full colour.

    Args:
        faces: at least one.
        speaks_for: the key's word for positive evidence.
        speaks_against: its word for negative evidence.
        language: of all words; the letters are those of `label_font`.

    Returns:
        `uint8 (H, W, 3)` RGB.
    """
    columns = 1 if len(faces) == 1 else 2 if len(faces) <= 8 else 3
    rows = -(-len(faces) // columns)
    panel = 2 * _SIDE + 3 * _MARGIN, _SIDE + _LINE + 2 * _MARGIN
    canvas = Image.new("RGB", (columns * panel[0], rows * panel[1] + _LINE + _MARGIN), "white")
    pen = ImageDraw.Draw(canvas)
    font = label_font(language, 0.75 * _LINE)
    for number, face in enumerate(faces):
        x, y = number % columns * panel[0] + _MARGIN, number // columns * panel[1] + _MARGIN
        pen.text((x, y), face.title, fill="black", font=font)
        large = _enlarged(face.pixels)
        canvas.paste(Image.fromarray(large), (x, y + _LINE))
        canvas.paste(Image.fromarray(overlay(large, face.evidence)), (x + _SIDE + _MARGIN, y + _LINE))
    _draw_key(pen, (_MARGIN, canvas.height - _LINE - _MARGIN // 2), font, speaks_for, speaks_against)
    return np.array(canvas)


def overlay(face: NDArray[np.uint8], evidence: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colour a face where evidence lies: vermilion for, blue against, the more the stronger.

    Args:
        face: `uint8 (H, W, 3)` RGB.
        evidence: `float64 (h, w)` of any size; it is enlarged to the face's.

    Returns:
        `uint8 (H, W, 3)` RGB.
    """
    height, width = face.shape[:2]
    large = np.asarray(cv2.resize(evidence, (width, height), interpolation=cv2.INTER_CUBIC), np.float64)
    strength = np.clip(large / max(float(np.abs(large).max()), 1e-12), -1, 1)[..., None]
    colour = np.where(strength > 0, np.array(FOR, np.float64), np.array(AGAINST, np.float64))
    share = _STRONGEST * np.abs(strength)
    # In grey, so that no colour of the face is taken for evidence.
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float64)
    return np.asarray(np.rint(grey * (1 - share) + colour * share), np.uint8)


def _enlarged(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour = cv2.cvtColor(face, cv2.COLOR_GRAY2RGB) if face.ndim == 2 else face
    return np.asarray(cv2.resize(colour, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _draw_key(pen: ImageDraw.ImageDraw, corner: tuple[int, int], font: Font, *words: str) -> None:
    x, y = corner
    for colour, word in zip((FOR, AGAINST), words, strict=True):
        pen.rectangle((x, y + 3, x + _LINE - 8, y + _LINE - 5), fill=colour)
        pen.text((x + _LINE, y), word, fill="black", font=font)
        x += _LINE + round(font.getlength(word)) + 2 * _MARGIN
