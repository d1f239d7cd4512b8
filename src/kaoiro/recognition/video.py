"""Reading the faces in a video: who is where, and with which expression."""

from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.tracking import DEFAULT_PATIENCE, FaceTracker, TrackedFace
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face, Frame, Track
from kaoiro.recognition.smoothing import DEFAULT_SMOOTHING, ExpressionFilter
from kaoiro.recognition.track_record import TrackRecord

DETECTION_SECONDS: Final = 0.12
"""How much time lies between two detections, where nothing asks for one earlier."""

# With this many faces, following all of them takes as long as detecting them.
_MANY_FACES: Final = 9


GAP_SECONDS: Final = 0.25
"""A face that was hidden for longer may show another expression when it comes back: smoothing begins anew."""


class FrameImage(Protocol):
    """A frame of a video, for example a `VideoFrame`."""

    @property
    def index(self) -> int:
        """Which frame of the video it is, from 0."""

    @property
    def time(self) -> float:
        """When it is shown, in seconds."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """`uint8 (H, W, 3)` RGB, upright."""


class VideoReader:
    """Reads one video, frame by frame: finds faces, follows them, and reads their expressions over time.

    >>> from collections import namedtuple
    >>> from kaoiro import Recognizer, load_image
    >>> Shot = namedtuple("Shot", "index time image")
    >>> reader = VideoReader(Recognizer())
    >>> image = load_image("examples/photos/astronaut.jpg")
    >>> for index in range(3):
    ...     frame = reader.read(Shot(index, index / 25, image))
    >>> [(face.track, face.expression.value) for face in frame.faces]
    [(1, 'happiness')]

    Args:
        recognizer: what finds and reads faces.
        detect_every: the detector is asked about every n-th frame, and wherever a face was lost, is new, or crosses
            another. By default about eight times a second, and about every frame where there are many faces.
        smoothing: the time constant of the mean over time, in seconds; more makes the answers calmer and later (see
            `ExpressionFilter`). At 0 each frame's answer stands for itself.
        patience: for how many seconds a hidden face is waited for before its track ends.

    Raises:
        InputError: `detect_every` is below 1, or a time is negative.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        detect_every: int | None = None,
        smoothing: float = DEFAULT_SMOOTHING,
        patience: float = DEFAULT_PATIENCE,
    ) -> None:
        if detect_every is not None and detect_every < 1:
            raise InputError(f"faces must be looked for in every n-th frame with n at least 1, not {detect_every}")
        if smoothing != 0:
            ExpressionFilter(smoothing)
        self._recognizer = recognizer
        self._detect_every = detect_every
        self._smoothing = smoothing
        self._tracker = FaceTracker(patience)
        self._filters: dict[int, tuple[ExpressionFilter, float]] = {}
        self._records: dict[int, TrackRecord] = {}
        self._since_detection = 0
        self._detected_at = -np.inf
        self._frame_seconds = 0.0
        self._time = -np.inf
        self._faces = 0

    def read(self, frame: FrameImage) -> Frame:
        """Read the next frame.

        Returns:
            The faces in it, the largest first, each with its `track`.
        """
        tracked = self._tracked(frame)
        read = self._recognizer.read_faces(frame.image, [one.detection for one in tracked])
        faces = tuple(self._over_time(frame.time, *both) for both in zip(tracked, read, strict=True))
        self._filters = {
            number: (kept, seen) for number, (kept, seen) in self._filters.items() if self._time - seen <= GAP_SECONDS
        }
        return Frame(frame.index, frame.time, faces)

    def tracks(self) -> list[Track]:
        """The persons seen until now, by number. Of a long track not every moment is kept (see `TrackRecord`)."""
        return [record.track() for _, record in sorted(self._records.items())]

    def _tracked(self, frame: FrameImage) -> list[TrackedFace]:
        if frame.time > self._time > -np.inf:
            self._frame_seconds = frame.time - self._time
        self._time = max(self._time, frame.time)
        self._since_detection += 1
        tracked = None
        if not self._due():
            tracked = self._tracker.update(frame.image, frame.time, None)
        if tracked is None or self._tracker.unsure:
            self._since_detection = 0
            self._detected_at = self._time
            found = self._recognizer.find_faces(frame.image)
            tracked = self._tracker.update(frame.image, frame.time, found)
        self._faces = len(tracked)
        return tracked

    def _due(self) -> bool:
        """Whether the detector is to be asked about this frame without trying to do without it."""
        if self._tracker.unsure:
            return True
        if self._detect_every is not None:
            return self._since_detection >= self._detect_every
        # Half a frame's time earlier, as frames rarely come exactly when they should.
        waited = self._time - self._detected_at + self._frame_seconds / 2
        return waited >= DETECTION_SECONDS or self._faces >= _MANY_FACES

    def _over_time(self, time: float, tracked: TrackedFace, face: Face) -> Face:
        """The face with its track, and with what earlier frames said of it."""
        expressions = self._recognizer.expressions
        probabilities = np.array([face.probabilities[one] for one in expressions])
        if self._smoothing:
            kept, _ = self._filters.get(tracked.track, (ExpressionFilter(self._smoothing), time))
            probabilities = kept.update(time, probabilities)
            self._filters[tracked.track] = kept, time
            likeliest = int(probabilities.argmax())
            confidence = float(probabilities[likeliest])
            face = replace(
                face,
                probabilities=dict(zip(expressions, probabilities.tolist(), strict=True)),
                expression=expressions[likeliest] if confidence >= self._recognizer.min_confidence else None,
                confidence=confidence,
            )
        if tracked.track not in self._records:
            self._records[tracked.track] = TrackRecord(tracked.track, expressions)
        self._records[tracked.track].add(time, face.box, probabilities)
        return replace(face, track=tracked.track)
