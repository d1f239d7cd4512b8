"""What was read in a face."""

from dataclasses import dataclass
from typing import Any

from kaoiro.expressions import Expression
from kaoiro.faces.crops import Box, Point


@dataclass(frozen=True)
class Face:
    """A face and the expression read in it."""

    box: Box
    """`(left, top, right, bottom)` in pixels of the upright picture. Of a crop given as a face: the whole
    crop."""
    expression: Expression | None
    """The most probable expression; None where its probability is below what the recogniser was asked for."""
    confidence: float
    """The highest probability, 0 to 1."""
    probabilities: dict[Expression, float]
    """Each expression's probability; they sum to 1 and are not rounded."""
    landmarks: tuple[Point, ...] | None = None
    """Five points: the eye on the picture's left, the eye on its right, the tip of the nose, the corner of
    the mouth on the left, the one on the right. None where no detector was asked."""
    detection_score: float | None = None
    """How sure the detector is that this is a face, 0 to 1. None where no detector was asked."""
    track: int | None = None
    """In a video: the number, from 1, of the person whom the face belongs to. None in a single picture."""

    @property
    def likeliest(self) -> Expression:
        """The most probable expression, however little probable it is."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    def to_dict(self) -> dict[str, Any]:
        """The face in plain types that `json.dumps` takes: lists, floats, strings, None."""
        return {
            "box": list(self.box),
            "expression": None if self.expression is None else self.expression.value,
            "confidence": self.confidence,
            "probabilities": {e.value: probability for e, probability in self.probabilities.items()},
            "landmarks": None if self.landmarks is None else [list(point) for point in self.landmarks],
            "detection_score": self.detection_score,
            "track": self.track,
        }


@dataclass(frozen=True)
class Frame:
    """One moment of a video and the faces in it."""

    index: int
    """Which frame of the video it is, from 0, counted in the order of showing."""
    time: float
    """When it is shown, in seconds from the beginning of the video."""
    faces: tuple[Face, ...]
    """The faces in it, the largest first."""

    def to_dict(self) -> dict[str, Any]:
        """The frame in plain types that `json.dumps` takes."""
        return {"frame": self.index, "time": self.time, "faces": [face.to_dict() for face in self.faces]}
