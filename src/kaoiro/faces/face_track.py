"""One face through time, and how well a detection fits it."""

import math
from dataclasses import dataclass
from typing import Final

from kaoiro.faces.appearance import Look, likeness
from kaoiro.faces.boxes import area, overlap, shift
from kaoiro.faces.crops import Box
from kaoiro.faces.detection import Detection
from kaoiro.faces.motion import BoxMotion

COST_LIMIT: Final = 9.0
"""A detection whose `cost` is higher is another face."""
RETURN_LIMIT: Final = 0.33
"""A detection whose `return_cost` is higher is not the hidden face."""
NEAR_LIMIT: Final = 0.65
"""A detection whose `near_cost` is higher is another face."""

# A likeness of looks that is lower by 0.1 weighs like 2 in a negative logarithm of a likelihood.
LOOK_WEIGHT: Final = 20.0
_PLACE_SLACK: Final = 0.12
_SIZE_SLACK: Final = 0.15
_FARTHEST: Final = 4.0

# A face that the detector lost may come back within this many sizes of where it was last seen or is expected, and so
# many more a second.
_RETURN_REACH: Final = 1.0
_RETURN_SPEED: Final = 4.0
_RETURN_GROWTH: Final = 6.0

_NEAR_LIKENESS: Final = 0.4


@dataclass(frozen=True)
class Found:
    """A detection and what is seen there."""

    detection: Detection
    look: Look


@dataclass
class FaceTrack:
    """One face through time."""

    motion: BoxMotion
    face: Detection
    look: Look
    detected_box: Box
    detected_at: float
    seen_at: float
    hits: int = 1
    number: int | None = None
    seen: bool = True
    """In the frame of the last update."""
    detected: bool = True
    doubtful: bool = False
    """Whether the last detection may be somebody else's."""
    contest: float = 0.0
    """How much speaks for somebody else having taken its place: a logarithm of a likelihood ratio, at least 0."""

    @property
    def expected(self) -> Box:
        """Where it should be now."""
        return self.motion.box


def cost(track: FaceTrack, found: Found) -> float:
    """How little a detection is where a track is expected, and like it: a negative log likelihood, up to a constant."""
    distance = surprise(track, found)
    if distance > _FARTHEST:
        return math.inf
    growth = math.log(max(area(found.detection.box), 1.0) / max(area(track.expected), 1.0)) / 2 / _SIZE_SLACK
    spread = 2 * math.log(_deviation(track) / (_PLACE_SLACK * track.motion.size))
    unlike = LOOK_WEIGHT * (1 - likeness(track.look, found.look))
    return distance**2 / 2 + min(growth**2, 9.0) / 2 + spread + unlike


def surprise(track: FaceTrack, found: Found) -> float:
    """How far a detection is from where a track is expected, in standard deviations."""
    return math.hypot(*shift(track.expected, found.detection.box)) / _deviation(track)


def _deviation(track: FaceTrack) -> float:
    return math.hypot(track.motion.uncertainty, _PLACE_SLACK * track.motion.size)


def near_cost(track: FaceTrack, found: Found) -> float:
    """How little of a face's place, 0 to 1, a detection takes; infinite where it does not look at all like it."""
    if likeness(track.look, found.look) < _NEAR_LIKENESS:
        return math.inf
    box = found.detection.box
    return 1 - max(overlap(track.expected, box), overlap(track.face.box, box))


def return_cost(track: FaceTrack, found: Found, now: float) -> float:
    """How unlike a face that the detector lost a detection is, 0 to 1; infinite where it cannot be there by `now`."""
    places = track.face.box, track.expected
    distance = min(math.hypot(*shift(place, found.detection.box)) for place in places) / track.motion.size
    reach = _RETURN_REACH + _RETURN_SPEED * (now - track.detected_at)
    ratio = area(found.detection.box) / max(area(track.face.box), 1.0)
    growth = _RETURN_GROWTH ** min(1.0, 0.5 + now - track.detected_at)
    if distance > reach or not 1 / growth < ratio < growth:
        return math.inf
    return 1 - likeness(track.look, found.look)
