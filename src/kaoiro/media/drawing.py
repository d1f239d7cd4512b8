"""Drawing what was read onto a picture."""

from collections.abc import Iterable
from math import hypot
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kaoiro.expressions import Expression, Language
from kaoiro.media.label_font import Font, label_font

_Rectangle = tuple[float, float, float, float]
_Colour = tuple[int, int, int]

COLOURS: Final[dict[Expression, _Colour]] = {
    Expression.ANGER: (213, 94, 0),
    Expression.DISGUST: (0, 158, 115),
    Expression.FEAR: (204, 121, 167),
    Expression.HAPPINESS: (240, 228, 66),
    Expression.SADNESS: (0, 114, 178),
    Expression.SURPRISE: (230, 159, 0),
    Expression.NEUTRAL: (190, 190, 190),
    Expression.CONTEMPT: (86, 180, 233),
}
"""RGB by expression: the palette of Okabe and Ito, which people with any colour vision can tell apart, and a
grey."""
_UNSURE: Final[_Colour] = (255, 255, 255)


class ReadFace(Protocol):
    """What `draw` needs to know of a face."""

    @property
    def box(self) -> _Rectangle: ...
    @property
    def expression(self) -> Expression | None: ...
    @property
    def confidence(self) -> float: ...
    @property
    def track(self) -> int | None: ...


def draw(image: NDArray[np.uint8], faces: Iterable[ReadFace], language: str = Language.ENGLISH) -> NDArray[np.uint8]:
    """Draw each face's box, expression and confidence; a face without an expression gets a white box and `?`.

    Where faces have the numbers of persons in a video, these come first: `#2 happiness 93%`.

    Lines and letters grow with the picture and with the face. A label lies within the picture, above or below
    its face or wherever it covers the least of other faces and labels, and is shortened where the picture is
    too narrow for it.

    Args:
        image: `uint8 (H, W, 3)` RGB; it stays as it is.
        faces: what was found in it.
        language: of the expressions' names, `en` or `ja`.

    Returns:
        `uint8 (H, W, 3)`, a new array.

    Raises:
        InputError: the language is unknown.
    """
    faces = list(faces)
    names = Language.of(language)
    canvas = Image.fromarray(image).copy()
    pen = ImageDraw.Draw(canvas)
    boxes = [face.box for face in faces]
    for face in faces:
        _draw_box(pen, face.box, _colour(face), _letter_height(canvas.size, face.box))

    labels: list[_Rectangle] = []
    for face in faces:
        text, font = _fitting_text(face, canvas.size, names)
        _, _, width, height = pen.textbbox((0, 0), text, font=font, anchor="lt")
        padding = max(1, height // 4)
        size = width + 2 * padding, height + 2 * padding
        label = _label_place(face.box, size, canvas.size, [box for box in boxes if box != face.box], labels)
        labels.append(label)
        colour = _colour(face)
        pen.rectangle(label, fill=colour)
        pen.text((label[0] + padding, label[1] + padding), text, fill=_ink_on(colour), font=font, anchor="lt")
    return np.array(canvas)


def _colour(face: ReadFace) -> _Colour:
    return _UNSURE if face.expression is None else COLOURS[face.expression]


def _letter_height(picture: tuple[int, int], box: _Rectangle) -> float:
    """The size of letters in pixels: a sixth of the face's width, at least 1.2 % of the picture's longer side and 11
    pixels, at most 3.5 % of that side; and never below 9 pixels."""
    long_side = max(picture)
    return max(9.0, min(max((box[2] - box[0]) / 6, 0.012 * long_side, 11.0), 0.035 * long_side))


def _draw_box(pen: ImageDraw.ImageDraw, box: _Rectangle, colour: _Colour, letter_height: float) -> None:
    line = max(1, round(letter_height / 7))
    edge = max(1, line // 4)
    left, top, right, bottom = map(round, box)
    if right - left > 4 * line and bottom - top > 4 * line:
        # A dark edge keeps a light box visible on a light picture.
        outer = (left - edge, top - edge, right + edge, bottom + edge)
        pen.rectangle(outer, outline=(0, 0, 0), width=line + 2 * edge)
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=line)


def _fitting_text(face: ReadFace, picture: tuple[int, int], language: Language) -> tuple[str, Font]:
    """The fullest wording, in the largest letters, whose label is no wider than the picture."""
    number = "" if face.track is None else f"#{face.track} "
    name = "?" if face.expression is None else face.expression.label(language)
    wordings = [f"{number}{name}", name]
    if face.expression is not None:
        wordings.insert(0, f"{number}{name} {face.confidence:.0%}")
    height = round(_letter_height(picture, face.box))
    font = label_font(language, height)
    for text in wordings:
        if font.getlength(text) + height / 2 <= picture[0]:
            return text, font
    return name, label_font(language, max(1.0, height * picture[0] / (font.getlength(name) + height)))


def _label_place(
    face: _Rectangle,
    size: tuple[float, float],
    picture: tuple[int, int],
    other_faces: list[_Rectangle],
    labels: list[_Rectangle],
) -> _Rectangle:
    """The place near the face, within the picture, that covers the least of other labels, then of other
    faces; of such places the nearest."""
    width, height = size
    left, top, right, bottom = face
    places = [
        (x, y)
        for y in (top - height, bottom, top - 2 * height, bottom + height, top, bottom - height)
        for x in (left + share * (right - width - left) for share in (0.0, 1.0, 0.5, 0.25, 0.75))
    ]

    def within_picture(x: float, y: float) -> _Rectangle:
        x = max(0, min(x, picture[0] - 1 - width))
        y = max(0, min(y, picture[1] - 1 - height))
        return x, y, x + width, y + height

    def cost(label: _Rectangle) -> float:
        return (
            4 * sum(_overlap(label, other) for other in labels)
            + 2 * sum(_overlap(label, other) for other in other_faces)
            + _overlap(label, face)
            + 2 * height * _gap(label, face)
        )

    return min((within_picture(x, y) for x, y in places), key=cost)


def _gap(a: _Rectangle, b: _Rectangle) -> float:
    """How far two rectangles are apart; 0 where they touch."""
    return hypot(max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0))


def _overlap(a: _Rectangle, b: _Rectangle) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _ink_on(colour: _Colour) -> _Colour:
    """Black or white, whichever stands out more (the luma of ITU-R BT.601 decides)."""
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else (255, 255, 255)
