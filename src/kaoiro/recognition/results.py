"""What was read in faces: in one face, in a frame of a video, over the time of a person's track."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kaoiro.expressions import Expression, Language
from kaoiro.faces.crops import Box, Point
from kaoiro.recognition.tables import Rows, to_arrow, to_pandas

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Tabular(ABC):
    """Something read that can become rows of a table."""

    @abstractmethod
    def to_rows(self, language: str | None = None) -> Rows:
        """The rows, each a dictionary from column to a plain value.

        Args:
            language: with `en` or `ja`, a column `label` names the expression in that language.
        """

    def to_arrow(self, language: str | None = None) -> "pa.Table":
        """The rows as an Arrow table; see `to_rows`.

        Raises:
            MissingExtraError: PyArrow is not installed.
        """
        return to_arrow([self], language)

    def to_pandas(self, language: str | None = None) -> "pd.DataFrame":
        """The rows as a pandas data frame; see `to_rows`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return to_pandas([self], language)


@dataclass(frozen=True)
class Face(Tabular):
    """A face and the expression read in it; one row of a table."""

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

    def to_dict(self, language: str | None = None) -> dict[str, Any]:
        """The face in plain types that `json.dumps` takes: lists, floats, strings, None.

        Args:
            language: with `en` or `ja`, a further entry `label` names the expression in that language.

        Raises:
            InputError: the language is unknown.
        """
        return {
            "box": list(self.box),
            **self._named(language),
            "confidence": self.confidence,
            "probabilities": {e.value: probability for e, probability in self.probabilities.items()},
            "landmarks": None if self.landmarks is None else [list(point) for point in self.landmarks],
            "detection_score": self.detection_score,
            "track": self.track,
        }

    def to_rows(self, language: str | None = None) -> Rows:
        return [
            {
                **dict(zip(("left", "top", "right", "bottom"), self.box, strict=True)),
                "detection_score": self.detection_score,
                **self._named(language),
                "confidence": self.confidence,
                **{expression.value: probability for expression, probability in self.probabilities.items()},
            }
        ]

    def _named(self, language: str | None) -> dict[str, str | None]:
        named = {"expression": None if self.expression is None else self.expression.value}
        if language is not None:
            known = Language.of(language)
            named["label"] = None if self.expression is None else self.expression.label(known)
        return named


@dataclass(frozen=True)
class Frame(Tabular):
    """One moment of a video and the faces in it; a table has a row for each face, and none where there is no face."""

    index: int
    """Which frame of the video it is, from 0, counted in the order of showing."""
    time: float
    """When it is shown, in seconds from the beginning of the video."""
    faces: tuple[Face, ...]
    """The faces in it, the largest first."""

    def to_dict(self, language: str | None = None) -> dict[str, Any]:
        """The frame in plain types that `json.dumps` takes; `language` as in `Face.to_dict`."""
        return {"frame": self.index, "time": self.time, "faces": [face.to_dict(language) for face in self.faces]}

    def to_rows(self, language: str | None = None) -> Rows:
        return [
            {"frame": self.index, "time": self.time, "track": face.track, **row}
            for face in self.faces
            for row in face.to_rows(language)
        ]


@dataclass(frozen=True, eq=False)
class Track(Tabular):
    """One person of a video, from the first to the last moment at which the face was seen; a row a moment.

    In rows and dictionaries each moment has its most probable expression, however little probable it is.
    """

    number: int
    """The person's number, from 1; that of `Face.track`."""
    expressions: tuple[Expression, ...]
    """What the columns of `probabilities` stand for."""
    times: NDArray[np.float64]
    """`(n,)`, rising: moments at which the face was seen, in seconds from the beginning of the video. In a long video
    not every moment is kept."""
    boxes: NDArray[np.float64]
    """`(n, 4)`: where the face was at these moments, `(left, top, right, bottom)` in pixels of the upright picture."""
    probabilities: NDArray[np.float64]
    """`(n, len(expressions))`: each expression's probability at these moments; rows sum to 1."""
    frames: int
    """In how many frames the face was seen, those that `times` leaves out included."""

    def to_dict(self, language: str | None = None) -> dict[str, Any]:
        """The track in plain types that `json.dumps` takes; `language` as in `Face.to_dict`."""
        left_out = ("landmarks", "detection_score", "track")
        moments = [
            {"time": time} | {key: value for key, value in face.to_dict(language).items() if key not in left_out}
            for time, face in self._moments()
        ]
        return {"track": self.number, "frames": self.frames, "moments": moments}

    def to_rows(self, language: str | None = None) -> Rows:
        return [
            {"track": self.number, "time": time}
            | {key: value for row in face.to_rows(language) for key, value in row.items() if key != "detection_score"}
            for time, face in self._moments()
        ]

    def _moments(self) -> Iterator[tuple[float, Face]]:
        for time, box, row in zip(self.times.tolist(), self.boxes.tolist(), self.probabilities.tolist(), strict=True):
            probabilities = dict(zip(self.expressions, row, strict=True))
            likeliest = max(probabilities, key=probabilities.__getitem__)
            yield time, Face(tuple(box), likeliest, probabilities[likeliest], probabilities)
