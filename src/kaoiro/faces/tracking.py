"""Telling which face in a frame is whose: faces followed through a video."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.appearance import Look, blended, likeness, look_of
from kaoiro.faces.assignment import cheapest_pairs
from kaoiro.faces.crops import Box
from kaoiro.faces.detection import Detection
from kaoiro.faces.following import follow
from kaoiro.faces.motion import BoxMotion
from kaoiro.faces.scene_cuts import SceneCuts

DEFAULT_PATIENCE: Final = 4.0

# A face as sure as this is believed at once; another one when it was found this many times in a row.
_SURE_SCORE: Final = 0.8
_HITS: Final = 3

# A face that the detector misses, but which optical flow follows, is believed for this long, and while its area does
# not become larger or smaller by more than this factor.
_FOLLOWED_SECONDS: Final = 0.5
_FOLLOWED_GROWTH: Final = 1.8

# What a detection's distance from where a track is expected costs is a negative logarithm of a likelihood; a likeness
# of looks that is lower by 0.1 weighs like 2. A detection that costs more than the limit is another face.
_PLACE_SLACK: Final = 0.12
_SIZE_SLACK: Final = 0.15
_LOOK_WEIGHT: Final = 20.0
_COST_LIMIT: Final = 9.0
_FARTHEST: Final = 4.0

# A hidden face may come back where it was not expected: within this many sizes of where it was last seen, and so many
# more a second, if it looks like it.
_RETURN_REACH: Final = 1.0
_RETURN_SPEED: Final = 4.0
_RETURN_GROWTH: Final = 6.0
_RETURN_LIMIT: Final = 0.33

# Near a hidden face that may be coming back, half covered as yet, a new face must be found this many times.
_HELD_HITS: Final = 10
_HELD_LIMIT: Final = 0.6

# A face that was seen this short a time ago is still the same one where the boxes overlap by so much, however little it
# looks like itself: another face is just covering it.
_NEAR_SECONDS: Final = 0.3
_NEAR_OVERLAP: Final = 0.35
_NEAR_LIKENESS: Final = 0.4

# The box of a face that is partly covered is often that of its visible part.
_CROSSED_TRUST: Final = 0.25

# A detection that does not look quite like the person who is expected there may be a hidden one coming back, who is
# expected within this many standard deviations. It is shown as nobody's while it is hardly more like the first one;
# when the evidence for the hidden one adds up to so much, at most so much from one frame, that one takes it over.
_ITSELF: Final = 0.88
_RIVAL_REACH: Final = 2.5
_DOUBT: Final = -0.8
_TAKING_OVER: Final = 3.0
_MOST_EVIDENCE: Final = 1.0

_CROSSING_OVERLAP: Final = 0.05
_LOOK_SHARE: Final = 0.15


@dataclass(frozen=True)
class TrackedFace:
    """A face in a frame, and whose it is."""

    track: int
    """The person's number: from 1, in the order of first being seen, and never given twice."""
    detection: Detection
    """Where the face is in this frame. Its score is that of the last time the detector found it."""
    detected: bool
    """Whether the detector found it in this frame; otherwise it was followed from an earlier one."""


@dataclass(frozen=True)
class _Found:
    """A detection and what is seen there."""

    detection: Detection
    look: Look


@dataclass
class _Track:
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
        return self.motion.box


class FaceTracker:
    """Follows faces through the frames of one video. A tracker serves one video, and one thread.

    Faces found by a detector are matched with those known: by where each is expected to be, and how large, which a
    Kalman filter says with its uncertainty, and by the colours of face and clothes. Faces in frames without detection
    are followed by optical flow. A face that is hidden is waited for, and its number given to it again; at a cut to
    another scene all tracks end. A face of which the detector is not very sure is not shown before it was found three
    times in a row.

    Args:
        patience: for how many seconds a hidden face is waited for.

    Raises:
        InputError: the patience is negative.
    """

    def __init__(self, patience: float = DEFAULT_PATIENCE) -> None:
        if not patience >= 0:
            raise InputError(f"the patience with hidden faces must be at least 0 seconds, not {patience}")
        self._patience = patience
        self._tracks: list[_Track] = []
        self._cuts = SceneCuts()
        self._time = 0.0
        self._image: NDArray[np.uint8] | None = None
        self._numbers = 0
        self._unsure = True

    @property
    def unsure(self) -> bool:
        """Whether the detector should be asked about the frame of the last update, or about the next one if it was.

        True at the beginning and at a cut, when a face was lost or one is not yet believed, and while faces cross.
        """
        return self._unsure

    @property
    def hidden(self) -> bool:
        """Whether a face is waited for that was not seen in the frame of the last update."""
        return any(not track.seen for track in self._tracks)

    @property
    def known(self) -> frozenset[int]:
        """The numbers that may still be given to a face: of those seen, and of those hidden and waited for."""
        return frozenset(track.number for track in self._tracks if track.number is not None)

    def update(
        self, image: NDArray[np.uint8], time: float, detections: Sequence[Detection] | None
    ) -> list[TrackedFace]:
        """Go on to the next frame, or once more over the same one with what the detector has found in it.

        Args:
            image: `uint8 (H, W, 3)` RGB. The tracker keeps it until the next update, so that it must not change.
            time: when it is shown, in seconds; an earlier time than before counts as the same.
            detections: the faces that a detector found in it; None where it was not asked.

        Returns:
            The faces seen in the frame, the largest first; at most one a track.
        """
        if self._cuts.is_cut(image):
            self._tracks.clear()
            self._image = None
            self._unsure = True
        seconds = max(0.0, time - self._time)
        self._time += seconds
        before = image if self._image is None else self._image
        for track in self._tracks:
            track.motion.advance(seconds)
        if detections is None:
            self._unsure = self._unsure and not self._tracks
            self._follow(self._tracks, before, image)
        else:
            self._unsure = False
            self._match(before, image, detections)
        self._image = image
        self._forget()
        return self._seen_faces()

    def _follow(self, tracks: Sequence[_Track], before: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
        """Look for faces where the flow of pixels took them."""
        for track in tracks:
            track.detected = False
            if not track.seen:
                continue
            face = follow(before, image, track.face, _shift(track.face.box, track.expected))
            lasting = self._time - track.detected_at <= _FOLLOWED_SECONDS
            track.seen = face is not None and lasting and _alike(face.box, track.detected_box)
            if face is not None and track.seen:
                track.face, track.seen_at = face, self._time
                track.motion.see(face.box)
            else:
                self._unsure = True

    def _match(self, before: NDArray[np.uint8], image: NDArray[np.uint8], detections: Sequence[Detection]) -> None:
        """Find out which known face each detection is, if any."""
        found = [_Found(one, look_of(image, one.box)) for one in detections]
        believed = [track for track in self._tracks if track.number is not None]
        new = [track for track in self._tracks if track.number is None]
        # Faces that are not yet believed get what is left by the others, even where it is nearer to them.
        missed, found = self._pair(believed, found, _cost, _COST_LIMIT, contested=True)
        self._follow(missed, before, image)
        for track in missed:
            if _covered(track.face.box, [other.face.box for other in believed if other.detected]):
                track.seen = False
        hidden = [track for track in missed if not track.seen]
        _, found = self._pair(hidden, found, self._return_cost, _RETURN_LIMIT)
        near = [track for track in missed if not track.detected and self._time - track.seen_at <= _NEAR_SECONDS]
        _, found = self._pair(near, found, _near_cost, 1 - _NEAR_OVERLAP)
        lost, found = self._pair(new, found, _cost, _COST_LIMIT)
        for track in lost:
            track.seen = track.detected = False
        for one in found:
            self._begin(one)

    def _pair(
        self,
        tracks: list[_Track],
        found: list[_Found],
        cost: Callable[[_Track, _Found], float],
        limit: float,
        *,
        contested: bool = False,
    ) -> tuple[list[_Track], list[_Found]]:
        """Give detections to tracks, and return the tracks and the detections that are left.

        Where it is contested, a hidden person may take a detection from the one to whom it was given.
        """
        costs = np.array([[cost(track, one) for one in found] for track in tracks]).reshape(len(tracks), len(found))
        pairs = dict(cheapest_pairs(costs, limit))
        if contested:
            for row, column in list(pairs.items()):
                rival = self._rival(row, column, tracks, found, pairs)
                if rival is not None:
                    del pairs[row]
                    pairs[rival] = column
                    tracks[row].seen = tracks[row].detected = False
                    # What moved there was the other one all along.
                    tracks[row].motion, tracks[rival].motion = tracks[rival].motion, tracks[row].motion
        for row, column in pairs.items():
            self._detected(tracks[row], found[column])
        return (
            [track for row, track in enumerate(tracks) if row not in pairs],
            [one for column, one in enumerate(found) if column not in pairs.values()],
        )

    def _rival(
        self, row: int, column: int, tracks: list[_Track], found: list[_Found], pairs: dict[int, int]
    ) -> int | None:
        """Which hidden person it must be in place of the one to whom a detection was given; None: it is that one."""
        track, one = tracks[row], found[column]
        own = likeness(track.look, one.look)
        costs = {
            other: self._return_cost(hidden, one)
            for other, hidden in enumerate(tracks)
            if other not in pairs and not hidden.seen and _surprise(hidden, one) < _RIVAL_REACH
        }
        rival = min(costs, key=costs.__getitem__, default=None)
        if rival is None or costs[rival] == math.inf or own >= _ITSELF:
            track.doubtful, track.contest = False, 0.0
            return None
        evidence = _LOOK_WEIGHT * (1 - costs[rival] - own)
        track.doubtful = evidence > _DOUBT
        track.contest = max(0.0, track.contest + min(evidence, _MOST_EVIDENCE))
        if track.contest < _TAKING_OVER or costs[rival] > _RETURN_LIMIT or self._crossed(one, track, tracks[rival]):
            return None
        track.doubtful, track.contest = False, 0.0
        return rival

    def _crossed(self, found: _Found, *own: _Track) -> bool:
        """Whether a detection lies on the place of others than its own."""
        others = [other.expected for other in self._tracks if not any(other is one for one in own)]
        return any(overlap(found.detection.box, box) > _CROSSING_OVERLAP for box in others)

    def _may_show_hidden(self, found: _Found, track: _Track) -> bool:
        """Whether somebody hidden may be about a detection for a track: what is seen there may be partly theirs."""
        hidden = (other for other in self._tracks if other is not track and not other.seen and other.number is not None)
        return any(self._return_cost(other, found) < math.inf for other in hidden)

    def _return_cost(self, track: _Track, found: _Found) -> float:
        """How unlike a hidden face a detection is, 0 to 1, where the face can have come so far."""
        places = track.face.box, track.expected
        distance = min(math.hypot(*_shift(place, found.detection.box)) for place in places) / track.motion.size
        reach = _RETURN_REACH + _RETURN_SPEED * (self._time - track.seen_at)
        ratio = _area(found.detection.box) / max(_area(track.face.box), 1.0)
        growth = _RETURN_GROWTH ** min(1.0, 0.5 + self._time - track.seen_at)
        if distance > reach or not 1 / growth < ratio < growth:
            return math.inf
        return 1 - likeness(track.look, found.look)

    def _detected(self, track: _Track, found: _Found) -> None:
        crossed = self._crossed(found, track)
        if not crossed and not track.doubtful and not self._may_show_hidden(found, track):
            track.look = blended(track.look, found.look, _LOOK_SHARE)
        track.motion.see(found.detection.box, _CROSSED_TRUST if crossed else 1.0)
        track.face = found.detection
        track.detected_box = found.detection.box
        track.seen = track.detected = True
        track.seen_at = track.detected_at = self._time
        track.hits += 1
        self._believe(track)

    def _begin(self, found: _Found) -> None:
        track = _Track(
            BoxMotion(found.detection.box), found.detection, found.look, found.detection.box, self._time, self._time
        )
        self._believe(track)
        self._tracks.append(track)

    def _believe(self, track: _Track) -> None:
        if track.number is not None:
            return
        found = _Found(track.face, track.look)
        if any(not other.seen and self._return_cost(other, found) < _HELD_LIMIT for other in self._tracks):
            believed = track.hits >= _HELD_HITS
        else:
            believed = track.hits >= _HITS or track.face.score >= _SURE_SCORE
        if believed:
            self._numbers += 1
            track.number = self._numbers

    def _forget(self) -> None:
        """End the tracks of faces that were waited for in vain, and ask for detections where they would help."""
        self._tracks = [
            track
            for track in self._tracks
            if track.seen or (track.number is not None and self._time - track.seen_at <= self._patience)
        ]
        boxes = [track.expected for track in self._tracks if track.number is not None]
        crossing = any(overlap(a, b) > _CROSSING_OVERLAP for i, a in enumerate(boxes) for b in boxes[:i])
        unclear = any(track.number is None or track.doubtful for track in self._tracks)
        self._unsure = self._unsure or crossing or unclear

    def _seen_faces(self) -> list[TrackedFace]:
        faces = [
            TrackedFace(track.number, track.face, track.detected)
            for track in self._tracks
            if track.number is not None and track.seen and not track.doubtful
        ]
        return sorted(faces, key=lambda one: -_area(one.detection.box))


def overlap(box: Box, other: Box) -> float:
    """The area that two boxes share, divided by the area that they cover together, 0 to 1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (_area(box) + _area(other) - width * height)


def _cost(track: _Track, found: _Found) -> float:
    """How little a detection is where a track is expected: a negative log likelihood, up to a constant."""
    distance = _surprise(track, found)
    if distance > _FARTHEST:
        return math.inf
    growth = math.log(max(_area(found.detection.box), 1.0) / max(_area(track.expected), 1.0)) / 2 / _SIZE_SLACK
    spread = 2 * math.log(_deviation(track) / (_PLACE_SLACK * track.motion.size))
    unlike = _LOOK_WEIGHT * (1 - likeness(track.look, found.look))
    return distance**2 / 2 + min(growth**2, 9.0) / 2 + spread + unlike


def _surprise(track: _Track, found: _Found) -> float:
    """How far a detection is from where a track is expected, in standard deviations."""
    return math.hypot(*_shift(track.expected, found.detection.box)) / _deviation(track)


def _deviation(track: _Track) -> float:
    return math.hypot(track.motion.uncertainty, _PLACE_SLACK * track.motion.size)


def _near_cost(track: _Track, found: _Found) -> float:
    """How little of a face's place, 0 to 1, a detection takes."""
    if likeness(track.look, found.look) < _NEAR_LIKENESS:
        return math.inf
    box = found.detection.box
    return 1 - max(overlap(track.expected, box), overlap(track.face.box, box))


def _alike(box: Box, other: Box) -> bool:
    """Whether two boxes are about as large as each other."""
    ratio = _area(box) / max(_area(other), 1.0)
    return 1 / _FOLLOWED_GROWTH < ratio < _FOLLOWED_GROWTH


def _covered(box: Box, others: Sequence[Box]) -> bool:
    return any(overlap(box, other) > _CROSSING_OVERLAP for other in others)


def _shift(start: Box, end: Box) -> tuple[float, float]:
    return (end[0] + end[2] - start[0] - start[2]) / 2, (end[1] + end[3] - start[1] - start[3]) / 2


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
