"""Whole photos with a known number of faces: parts of the Solvay photo of 1927, and the portrait in the repository."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.media.images import load_image

SIDE: Final = 640
"""The longer side of every photo, in pixels."""

_ASTRONAUT: Final = Path(__file__).parents[2] / "examples/photos/astronaut.jpg"
_SOLVAY: Final = "solvay_conference_1927.jpg"
_SOLVAY_SIZE: Final = (1024, 741)

# Left, top, width, height, and how many faces a person counts there, every one of them whole.
_PARTS: Final = (
    (53, 226, 146, 97, 1),
    (876, 208, 129, 129, 1),
    (120, 211, 159, 119, 2),
    (289, 347, 106, 106, 2),
    (825, 349, 196, 110, 3),
    (536, 217, 207, 116, 3),
    (758, 354, 255, 191, 4),
    (32, 332, 199, 199, 4),
    (515, 336, 255, 255, 5),
    (17, 345, 269, 151, 5),
    (30, 346, 312, 176, 6),
    (136, 348, 310, 207, 6),
)


@dataclass(frozen=True)
class Photo:
    """A whole photo."""

    name: str
    image: NDArray[np.uint8]
    """`uint8 (H, W, 3)` RGB, the longer side `SIDE` pixels."""
    faces: int
    """How many faces are in it, counted by eye."""


def photos(folder: Path) -> list[Photo]:
    """Make the photos.

    Args:
        folder: where `solvay_conference_1927.jpg` lies, 1024 × 741 pixels (public domain).

    Raises:
        InputError: it is not there, or it has another size.
    """
    path = folder / _SOLVAY
    if not path.is_file():
        raise InputError(f"there is no {_SOLVAY} in {str(folder)!r}; give the folder that holds it with --photos")
    solvay = load_image(path)
    if (solvay.shape[1], solvay.shape[0]) != _SOLVAY_SIZE:
        raise InputError(f"{str(path)!r} has {solvay.shape[1]} × {solvay.shape[0]} pixels; 1024 × 741 are expected")
    made = [Photo("astronaut", _scaled(load_image(_ASTRONAUT)), 1)]
    for number, (left, top, width, height, faces) in enumerate(_PARTS, start=1):
        made.append(Photo(f"solvay-{number:02}", _scaled(solvay[top : top + height, left : left + width]), faces))
    return made


def variants(base: list[Photo], count: int) -> Iterator[Photo]:
    """Make more photos of those given, in turn: each mirrored or not, and a little brighter or darker."""
    for number in range(count):
        photo = base[number % len(base)]
        turn = number // len(base)
        image = photo.image[:, ::-1] if turn % 2 else photo.image
        brighter = cv2.convertScaleAbs(image, alpha=1 + 0.02 * (turn // 2 % 11 - 5))
        yield Photo(f"{number:05}-{photo.name}", np.asarray(brighter, np.uint8), photo.faces)


def write(photo: Photo, folder: Path) -> Path:
    """Write a photo as JPEG of quality 90."""
    path = folder / f"{photo.name}.jpg"
    cv2.imwrite(str(path), photo.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def _scaled(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = SIDE / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
