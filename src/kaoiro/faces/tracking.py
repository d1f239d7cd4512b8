"""Telling which face in a frame is whose: faces followed through a video."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.appearance import blended, likeness, look_of
from kaoiro.faces.assignment import cheapest_pairs
from kaoiro.faces.boxes import area, overlap, shift
from kaoiro.faces.crops import Box
from kaoiro.faces.detection import Detection
from kaoiro.faces.face_track import (
    COST_LIMIT,
    LOOK_WEIGHT,
    NEAR_LIMIT,
    RETURN_LIMIT,
    FaceTrack,
    Found,
    cost,
    near_cost,
    return_cost,
    surprise,
)
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

# Near a hidden face that may be coming back, half covered as yet, a new face must be found this many times.
_HELD_HITS: Final = 10
_HELD_LIMIT: Final = 0.6

# A face that was seen this short a time ago is still the same one where the boxes overlap enough, however little it
# looks like itself: another face is just covering it.
_NEAR_SECONDS: Final = 0.3

# The box of a face that is partly covered is often that of its visible part.
_CROSSED_TRUST: Final = 0.25

# A detection that does not look quite like the person who is expected there may be another one, who was not found in
# this frame and is expected within this many standard deviations: a hidden one coming back, or one of two who are just
# crossing. It is shown as nobody's while it is hardly more like the first one, which crossing faces must be by more;
# when the evidence for a hidden one adds up to so much, at most so much from one frame, that one takes it over.
_ITSELF: Final = 0.88
_RIVAL_REACH: Final = 2.5
_DOUBT: Final = -0.8
_CROSSING_DOUBT: Final = -2.0
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
        self._tracks: list[FaceTrack] = []
        self._cuts = SceneCuts()
        self._time = 0.0
        self._image: NDArray[np.uint8] | None = None
        self._numbers = 0
        self._unsure = True

    @property
    def unsure(self) -> bool:
        """Whether the detector should be asked about the frame of the last update, or about the next one if it was.

        True at the beginning and at a cut, while a face is hidden or one is not yet believed, and while faces cross.
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

    def _follow(self, tracks: Sequence[FaceTrack], before: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
        """Look for faces where the flow of pixels took them."""
        for track in tracks:
            track.detected = False
            if not track.seen:
                continue
            face = follow(before, image, track.face, shift(track.face.box, track.expected))
            lasting = self._time - track.detected_at <= _FOLLOWED_SECONDS
            track.seen = face is not None and lasting and _alike(face.box, track.detected_box)
            if face is not None and track.seen:
                track.face, track.seen_at = face, self._time
                track.motion.see(face.box)
            else:
                self._unsure = True

    def _match(self, before: NDArray[np.uint8], image: NDArray[np.uint8], detections: Sequence[Detection]) -> None:
        """Find out which known face each detection is, if any."""
        found = [Found(one, look_of(image, one.box)) for one in detections]
        believed = [track for track in self._tracks if track.number is not None]
        new = [track for track in self._tracks if track.number is None]
        # Faces that are not yet believed get what is left by the others, even where it is nearer to them.
        missed, found = self._pair(believed, found, cost, COST_LIMIT, contested=True)
        self._follow(missed, before, image)
        for track in missed:
            if _covered(track.face.box, [other.face.box for other in believed if other.detected]):
                track.seen = False
        # Of a half covered face the flow may have followed what covers it.
        _, found = self._pair(missed, found, partial(return_cost, now=self._time), RETURN_LIMIT)
        near = [track for track in missed if not track.detected and self._time - track.seen_at <= _NEAR_SECONDS]
        _, found = self._pair(near, found, near_cost, NEAR_LIMIT)
        lost, found = self._pair(new, found, cost, COST_LIMIT)
        for track in lost:
            track.seen = track.detected = False
        for one in found:
            self._begin(one)

    def _pair(
        self,
        tracks: list[FaceTrack],
        found: list[Found],
        cost_of: Callable[[FaceTrack, Found], float],
        limit: float,
        *,
        contested: bool = False,
    ) -> tuple[list[FaceTrack], list[Found]]:
        """Give detections to tracks, and return the tracks and the detections that are left.

        Where it is contested, a hidden person may take a detection from the one to whom it was given.
        """
        costs = np.array([[cost_of(track, one) for one in found] for track in tracks]).reshape(len(tracks), len(found))
        pairs = dict(cheapest_pairs(costs, limit))
        for row in pairs:
            tracks[row].doubtful = False
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
        self, row: int, column: int, tracks: list[FaceTrack], found: list[Found], pairs: dict[int, int]
    ) -> int | None:
        """Which hidden person it must be in place of the one to whom a detection was given; None: it is that one."""
        track, one = tracks[row], found[column]
        own = likeness(track.look, one.look)
        costs = {
            other: return_cost(missed, one, self._time)
            for other, missed in enumerate(tracks)
            if other not in pairs and surprise(missed, one) < _RIVAL_REACH
        }
        rival = min(costs, key=costs.__getitem__, default=None)
        if rival is None or costs[rival] == math.inf or own >= _ITSELF:
            track.contest = 0.0
            return None
        evidence = LOOK_WEIGHT * (1 - costs[rival] - own)
        if tracks[rival].seen:  # in the frame before
            track.doubtful = evidence > _CROSSING_DOUBT
            return None
        track.doubtful = evidence > _DOUBT
        track.contest = max(0.0, track.contest + min(evidence, _MOST_EVIDENCE))
        if track.contest < _TAKING_OVER or costs[rival] > RETURN_LIMIT or self._crossed(one, track, tracks[rival]):
            return None
        track.doubtful, track.contest = False, 0.0
        return rival

    def _crossed(self, found: Found, *own: FaceTrack) -> bool:
        """Whether a detection lies on the place of others than its own."""
        others = [other.expected for other in self._tracks if not any(other is one for one in own)]
        return any(overlap(found.detection.box, box) > _CROSSING_OVERLAP for box in others)

    def _may_show_hidden(self, found: Found, track: FaceTrack) -> bool:
        """Whether somebody hidden may be about a detection for a track: what is seen there may be partly theirs."""
        hidden = (other for other in self._tracks if other is not track and not other.seen and other.number is not None)
        return any(return_cost(other, found, self._time) < math.inf for other in hidden)

    def _detected(self, track: FaceTrack, found: Found) -> None:
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

    def _begin(self, found: Found) -> None:
        track = FaceTrack(
            BoxMotion(found.detection.box), found.detection, found.look, found.detection.box, self._time, self._time
        )
        self._believe(track)
        self._tracks.append(track)

    def _believe(self, track: FaceTrack) -> None:
        if track.number is not None:
            return
        found = Found(track.face, track.look)
        if any(not other.seen and return_cost(other, found, self._time) < _HELD_LIMIT for other in self._tracks):
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
        unclear = any(track.number is None or track.doubtful or not track.seen for track in self._tracks)
        self._unsure = self._unsure or crossing or unclear

    def _seen_faces(self) -> list[TrackedFace]:
        faces = [
            TrackedFace(track.number, track.face, track.detected)
            for track in self._tracks
            if track.number is not None and track.seen and not track.doubtful
        ]
        return sorted(faces, key=lambda one: -area(one.detection.box))


def _alike(box: Box, other: Box) -> bool:
    """Whether two boxes are about as large as each other."""
    ratio = area(box) / max(area(other), 1.0)
    return 1 / _FOLLOWED_GROWTH < ratio < _FOLLOWED_GROWTH


def _covered(box: Box, others: Sequence[Box]) -> bool:
    return any(overlap(box, other) > _CROSSING_OVERLAP for other in others)
