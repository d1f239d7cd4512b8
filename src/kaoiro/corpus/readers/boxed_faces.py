"""Faces that their corpus gives as a box in a larger picture: cutting them out."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.corpus.readers.picture_files import PictureFile, path_text
from kaoiro.errors import ImageError
from kaoiro.media.images import decode_image


@dataclass(frozen=True, slots=True)
class BoxedFace:
    """A face still to be cut out of its picture.

    Attributes:
        picture: the whole picture, and what its source says of the face.
        name: the name under which the cut face is stored.
        box: left, top, right and bottom in pixels (`xyxy`), the right and the bottom edge not part of it. What lies
            outside of the picture is not looked at.
        where: the file and line that give the face, as `path:line`.
    """

    picture: PictureFile
    name: str
    box: tuple[int, int, int, int]
    where: str


def cut_face(face: BoxedFace) -> LabelledFace | LeftOut:
    """Read the picture and cut the face out of it; the cut is stored as PNG, which loses nothing more."""
    picture = face.picture
    file = path_text(picture.file)
    try:
        rgb = decode_image(picture.file.read_bytes(), file)
    except ImageError as error:
        return LeftOut(face.where, f"its picture {file}: {str(error).removeprefix(f'cannot read {file!r}: ')}")
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        return LeftOut(face.where, f"its picture {file} cannot be read ({getattr(error, 'strerror', None) or error})")
    height, width = rgb.shape[:2]
    left, top, right, bottom = face.box
    cut = rgb[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if cut.size == 0:
        box = f"{left}, {top} to {right}, {bottom}"
        return LeftOut(face.where, f"its box ({box}) has nothing of its picture of {width} × {height} pixels")
    return picture.face(_encode_colour_png(cut), face.name)


def _encode_colour_png(rgb: NDArray[np.uint8]) -> bytes:
    encodes, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert encodes
    return png.tobytes()
