"""Showing which parts of a face carried the decision."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import Expression
from kaoiro.media.images import Picture, as_rgb
from kaoiro.recognition.occlusion import DEFAULT_COVERS, occlusion_evidence
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face
from kaoiro.recognition.seen_faces import SeenFaces

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Explanation:
    """What spoke for an expression in a face, and what against."""

    number: int
    """Which of the picture's faces it is, from 1, the largest first."""
    face: Face
    """The face as it was read."""
    expression: Expression
    """The expression that is explained."""
    pixels: NDArray[np.uint8]
    """What the model saw: `uint8 (size, size)` grey or `(size, size, 3)` RGB."""
    evidence: NDArray[np.float64]
    """`float64 (size, size)`: by how much the log-odds of the expression are higher, in nats, when a pixel's
    surroundings are visible than when they are covered. Positive speaks for the expression, negative against."""


def explain(
    recognizer: Recognizer,
    picture: Picture,
    expression: Expression | str | None = None,
    *,
    only: int | None = None,
    faces_are_crops: bool = False,
    covers: int = DEFAULT_COVERS,
) -> Iterator[Explanation]:
    """Explain how the faces in a picture were read, by covering parts of them.

    Args:
        recognizer: what reads them, with its head, prior and flip averaging.
        picture: as `Recognizer.predict` takes it.
        expression: which expression to explain; None: of each face its likeliest.
        only: the number of the one face to explain; None: all of them.
        faces_are_crops: whether the picture is a face that is already cut out.
        covers: how often each face is read, partly covered; more make the evidence less noisy.

    Returns:
        An explanation for each face, the largest first, each worked out as it is taken.

    Raises:
        ImageError: the file cannot be read.
        InputError: the recogniser does not know the expression, the picture has no face of this number, `covers` is
            below 2, or the array has another type or shape.
    """
    if covers < 2:
        raise InputError(f"a face must be covered at least twice, not {covers} times")
    asked = None if expression is None else _known(expression, recognizer)
    image = as_rgb(picture)
    seen = recognizer.see_crop(image) if faces_are_crops else recognizer.see_faces(image, recognizer.find_faces(image))
    faces = recognizer.read_seen([seen])[0]
    if only is not None and not 1 <= only <= len(faces):
        raise InputError(f"there is no face {only}; the number of faces found is {len(faces)}")
    return (
        _explanation(recognizer, number, face, asked or face.likeliest, inputs, covers)
        for number, (face, inputs) in enumerate(zip(faces, seen.inputs, strict=True), start=1)
        if only in (None, number)
    )


def _known(expression: Expression | str, recognizer: Recognizer) -> Expression:
    if expression not in recognizer.expressions:
        raise InputError(f"expression {str(expression)!r} is none of {', '.join(recognizer.expressions)}")
    return Expression(expression)


def _explanation(
    recognizer: Recognizer, number: int, face: Face, expression: Expression, inputs: NDArray[np.uint8], covers: int
) -> Explanation:
    """`inputs`: the face in the model's form, `uint8 (channels, size, size)`."""

    def probability(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        waiting = iter(pictures)
        answers: list[float] = []
        while batch := list(islice(waiting, _AT_ONCE)):
            seen = _as_seen([_planes(picture) for picture in batch])
            answers += [face.probabilities[expression] for [face] in recognizer.read_seen(list(seen))]
        return np.array(answers)

    pixels = inputs[0] if len(inputs) == 1 else np.ascontiguousarray(inputs.transpose(1, 2, 0))
    return Explanation(number, face, expression, pixels, occlusion_evidence(probability, pixels, covers))


def _as_seen(inputs: Iterable[NDArray[np.uint8]]) -> Iterator[SeenFaces]:
    for one in inputs:
        side = float(one.shape[-1])
        yield SeenFaces(((0.0, 0.0, side, side),), (None,), one[None])


def _planes(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
