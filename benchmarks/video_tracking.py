"""How well faces are followed and their expressions read over time, on made videos of which everything is known.

    python benchmarks/video_tracking.py fer2013.parquet [--seed 10] [--videos 3] [--seconds 20] [--libraries FOLDER]

Prints, for an easy and a hard set (see made_video.py), the measures of tracking for Kaoiro, for a tracker that knows
nothing but the overlap of boxes, and for the packages norfair and trackers where they can be imported, all given the
same detections; then the accuracy frame by frame with and without smoothing, how late a change of expression is seen,
and the time per frame. The packages are not needed otherwise; to have them compared:

    pip install --target FOLDER --no-deps norfair filterpy trackers supervision pydeprecate defusedxml
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.faces.assignment import cheapest_pairs
from kaoiro.faces.boxes import overlap
from kaoiro.faces.crops import Box
from kaoiro.faces.detection import Detection
from kaoiro.faces.detector import FaceDetector
from kaoiro.faces.tracking import FaceTracker
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face
from kaoiro.recognition.smoothing import ExpressionFilter
from kaoiro.recognition.video import GAP_SECONDS, VideoReader
from made_video import FADE_SECONDS, HEIGHT, WIDTH, Level, MadeFile, made_set
from made_video_people import source_faces
from tracking_scores import SEEN, Answer, TrackingScores, track_scores

_RESAMPLES: Final = 2000
# A change counts for the latency where single frames before and after it are mostly read rightly.
_BEFORE: Final = 0.7
_AFTER: Final = 0.9
_SETTLED: Final = 0.6
_WINDOW: Final = 1.2

SMOOTHINGS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


class OverlapTracker:
    """Gives a face the number of the one in the last frame whose box overlaps its own most; nothing else."""

    def __init__(self) -> None:
        self._last: list[Answer] = []
        self._numbers = 0

    def update(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Answer]:
        boxes = [one.box for one in detections]
        costs = np.array([[1 - overlap(old, box) for box in boxes] for _, old in self._last])
        pairs = cheapest_pairs(costs.reshape(len(self._last), len(boxes)), 0.7)
        number_of = {column: self._last[row][0] for row, column in pairs}
        for column in range(len(boxes)):
            if column not in number_of:
                self._numbers += 1
                number_of[column] = self._numbers
        self._last = [(number_of[column], box) for column, box in enumerate(boxes)]
        return self._last


class EveryFrame:
    """Kaoiro's tracker with detections in every frame."""

    def __init__(self) -> None:
        self._tracker = FaceTracker()
        self._frames = 0

    def update(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Answer]:
        faces = self._tracker.update(image, self._frames / 25, detections)
        self._frames += 1
        return [(face.track, face.detection.box) for face in faces]


class Norfair:
    """norfair's tracker with its distance by overlap, and waiting for hidden faces as long as Kaoiro does."""

    def __init__(self) -> None:
        import norfair

        self._detection = norfair.Detection
        self._tracker = norfair.Tracker("iou", 0.7, hit_counter_max=50, initialization_delay=2)

    def update(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Answer]:
        given = [self._detection(np.array(one.box).reshape(2, 2), np.full(2, one.score)) for one in detections]
        objects = self._tracker.update(given)
        seen = [one for one in objects if one.live_points.any() and any(one.last_detection is d for d in given)]
        return [(one.id, _box(one.estimate.ravel())) for one in seen]


class ByteTrack:
    """ByteTrack (Zhang et al. 2022, https://arxiv.org/abs/2110.06864) as in the package trackers."""

    def __init__(self) -> None:
        import supervision
        import trackers

        self._detections = supervision.Detections
        self._tracker = trackers.ByteTrackTracker(lost_track_buffer=50, frame_rate=25.0)

    def update(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Answer]:
        if not detections:
            given = self._detections.empty()
        else:
            boxes = np.array([one.box for one in detections])
            scores = np.array([one.score for one in detections])
            given = self._detections(xyxy=boxes, confidence=scores, class_id=np.zeros(len(boxes), int))
        answer = self._tracker.update(given)
        if answer.tracker_id is None:
            return []
        return [
            (int(number), _box(box)) for number, box in zip(answer.tracker_id, answer.xyxy, strict=True) if number >= 0
        ]


TRACKERS: Final[dict[str, Callable[[], Any]]] = {
    "Kaoiro, detection in every frame": EveryFrame,
    "overlap only": OverlapTracker,
    "norfair": Norfair,
    "trackers (ByteTrack)": ByteTrack,
}


@dataclass(frozen=True)
class Moment:
    """One face in one frame as it was read."""

    time: float
    right: int
    """Index of the expression that it shows."""
    track: int
    probabilities: NDArray[np.float64]
    """`(classes,)`: what the frame alone says."""
    counts: bool
    """Whether enough of the face is seen."""


class KnownDetections:
    """A recogniser whose detections are looked up, so that every tracker gets the same; the faces are read truly."""

    def __init__(self, recognizer: Recognizer, detections: list[list[Detection]]) -> None:
        self.expressions = recognizer.expressions
        self.min_confidence = 0.0
        self.asked = 0
        self.index = 0
        self.alone: list[Face] = []
        self.reading_seconds = 0.0
        self._recognizer = recognizer
        self._detections = detections

    def find_faces(self, image: NDArray[np.uint8]) -> list[Detection]:
        self.asked += 1
        return self._detections[self.index]

    def read_faces(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Face]:
        started = time.perf_counter()
        self.alone = self._recognizer.read_faces(image, detections)
        self.reading_seconds += time.perf_counter() - started
        return self.alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="FER2013, as `kaoiro data import` wrote it")
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--videos", type=int, default=3, help="of each set (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="each video's (default: %(default)s)")
    parser.add_argument("--split", choices=("train", "validation"), default="validation", help="whose faces")
    parser.add_argument("--still", action="store_true", help="show each expression by a single picture")
    parser.add_argument("--libraries", type=Path, help="a folder with further packages")
    arguments = parser.parse_args()
    if arguments.libraries:
        sys.path.append(str(arguments.libraries))

    detector, recognizer = FaceDetector(), Recognizer()
    corpus = open_corpus(arguments.corpus).select(arguments.split)
    rows = np.random.default_rng(arguments.seed).permutation(len(corpus)).tolist()
    faces = source_faces(corpus, rows, 20, detector)
    print(f"model {recognizer.metadata.name}, {arguments.split} faces, seed {arguments.seed}")
    levels: tuple[Level, ...] = ("easy", "hard")
    for level in levels:
        videos = made_set(
            level,
            faces,
            detector,
            arguments.seed,
            arguments.videos,
            seconds=arguments.seconds,
            lively=not arguments.still,
        )
        measure(level, list(videos), detector, recognizer)


def measure(level: str, videos: list[MadeFile], detector: FaceDetector, recognizer: Recognizer) -> None:
    """Run all trackers over a set and print its tables."""
    detections = [[detector.detect(frame.image) for frame in video.frames()] for video in videos]
    minutes = sum(len(video.truths) / video.rate / 60 for video in videos)
    print(f"\n## {level}: {len(videos)} videos, {minutes:.1f} minutes, {WIDTH} × {HEIGHT}\n")
    print("| tracker | switches | a minute | after > 2 s | shared | gaps | recall | false | MOTA | IDF1 | ms | asked |")
    print("|" + "---|" * 12)
    runs = [read(video, found, recognizer) for video, found in zip(videos, detections, strict=True)]
    total = TrackingScores()
    for run in runs:
        total += run.scores
    asked, seconds = sum(run.asked for run in runs), sum(run.tracking_seconds for run in runs)
    print(row("Kaoiro", total, seconds, asked), flush=True)
    for name, make in TRACKERS.items():
        try:
            make()
        except ImportError:
            continue
        total, seconds = TrackingScores(), 0.0
        for video, found in zip(videos, detections, strict=True):
            tracker, answers = make(), []
            for frame in video.frames():
                started = time.perf_counter()
                answers.append(tracker.update(frame.image, found[frame.index]))
                seconds += time.perf_counter() - started
            total += track_scores(video.truths, answers, video.rate)[0]
        print(row(name, total, seconds, total.frames), flush=True)
    expressions(videos, runs)


def row(name: str, scores: TrackingScores, seconds: float, asked: int) -> str:
    cells = (
        name,
        str(scores.switches),
        f"{scores.switches / scores.minutes:.1f}",
        str(scores.late_switches),
        str(scores.mixed),
        str(scores.fragments),
        f"{scores.recall:.1%}",
        str(scores.false),
        f"{scores.mota:.1%}",
        f"{scores.idf1:.1%}",
        f"{1000 * seconds / scores.frames:.1f}",
        f"{asked / scores.frames:.0%}",
    )
    return "| " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Run:
    """What Kaoiro made of one video."""

    scores: TrackingScores
    asked: int
    tracking_seconds: float
    reading_seconds: float
    people: dict[int, list[Moment]]


def read(video: MadeFile, detections: list[list[Detection]], recognizer: Recognizer) -> Run:
    """Run Kaoiro over one video."""
    known = KnownDetections(recognizer, detections)
    reader = VideoReader(known, smoothing=0)  # type: ignore[arg-type]
    answers: list[list[Answer]] = []
    read_faces = []
    seconds = 0.0
    for frame in video.frames():
        known.index = frame.index
        started = time.perf_counter()
        faces = reader.read(frame).faces
        seconds += time.perf_counter() - started
        answers.append([(face.track or 0, face.box) for face in faces])
        read_faces.append(faces)
    scores, pairs = track_scores(video.truths, answers, video.rate)
    people: dict[int, list[Moment]] = defaultdict(list)
    number = recognizer.expressions.index
    for index, (truths, matched) in enumerate(zip(video.truths, pairs, strict=True)):
        for one in truths:
            if one.person in matched:
                face = read_faces[index][matched[one.person]]
                probabilities = np.array(list(face.probabilities.values()))
                moment = Moment(
                    index / video.rate, number(one.expression), face.track or 0, probabilities, one.visible >= SEEN
                )
                people[one.person].append(moment)
    return Run(scores, known.asked, seconds - known.reading_seconds, known.reading_seconds, dict(people))


def expressions(videos: list[MadeFile], runs: list[Run]) -> None:
    """Print how well expressions are read, and how late their changes are seen, by time of smoothing."""
    everyone = [
        (video, person, moments)
        for video, run in zip(videos, runs, strict=True)
        for person, moments in run.people.items()
    ]
    print(
        "\n| smoothing | frames right | points gained (95 %) | log loss | flips a minute | latency | 90 % | changes |"
    )
    print("|" + "---|" * 8)
    alone: list[NDArray[np.float64]] = [_over_time(moments, 0) for _, _, moments in everyone]
    for seconds in SMOOTHINGS:
        smoothed = [_over_time(moments, seconds) for _, _, moments in everyone]
        stretches = np.concatenate(
            [_counts(m, a, s) for (_, _, m), a, s in zip(everyone, alone, smoothed, strict=True)]
        )
        frames, before, after, flips, loss = stretches.sum(axis=0)
        drawn = np.random.default_rng(0).integers(0, len(stretches), (_RESAMPLES, len(stretches)))
        sums = stretches[drawn, :3].sum(axis=1)
        low, high = np.percentile(100 * (sums[:, 2] - sums[:, 1]) / sums[:, 0], (2.5, 97.5))
        waits = np.array(
            [w for (v, p, m), a, s in zip(everyone, alone, smoothed, strict=True) for w in _latencies(v, p, m, a, s)]
        )
        latency = f"{np.median(waits):.2f} s | {np.percentile(waits, 90):.2f} s" if len(waits) else " | "
        minutes = frames / videos[0].rate / 60
        print(
            f"| {f'{seconds:g} s' if seconds else 'none'} | {after / frames:.1%} | "
            f"{100 * (after - before) / frames:+.1f} ({low:+.1f} to {high:+.1f}) | {loss / frames:.2f} | "
            f"{flips / minutes:.0f} | {latency} | {len(waits)} |",
            flush=True,
        )
    print(f"\n{int(frames)} faces in {len(stretches)} stretches of one expression, which are what is resampled")


def _over_time(moments: list[Moment], seconds: float) -> NDArray[np.float64]:
    """Smooth `(moments, classes)` track by track, as `VideoReader` does."""
    rows, filters = [], {}
    for one in moments:
        kept, seen = filters.get(one.track, (None, 0.0))
        if seconds == 0:
            rows.append(one.probabilities)
            continue
        if kept is None or one.time - seen > GAP_SECONDS:
            kept = ExpressionFilter(seconds)
        rows.append(kept.update(one.time, one.probabilities))
        filters[one.track] = kept, one.time
    return np.array(rows)


def _counts(moments: list[Moment], alone: NDArray[np.float64], smoothed: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each stretch of one expression: frames, those right alone and smoothed, flips, and summed log loss."""
    right = np.array([one.right for one in moments])
    counted = np.array([one.counts for one in moments])
    before, after = alone.argmax(axis=1), smoothed.argmax(axis=1)
    loss = -np.log(np.maximum(smoothed[np.arange(len(right)), right], 1e-4))
    bounds = [0, *(np.flatnonzero(np.diff(right)) + 1), len(right)]
    rows = []
    for first, last in pairwise(bounds):
        use = counted[first:last]
        flips = (np.diff(after[first:last]) != 0).sum()
        here = right[first:last][use]
        rows.append(
            (
                use.sum(),
                (before[first:last][use] == here).sum(),
                (after[first:last][use] == here).sum(),
                flips,
                loss[first:last][use].sum(),
            )
        )
    return np.array(rows, np.float64)


def _latencies(
    video: MadeFile, person: int, moments: list[Moment], alone: NDArray[np.float64], smoothed: NDArray[np.float64]
) -> list[float]:
    """How late the answer is right after each change that single frames show clearly."""
    times, right = np.array([one.time for one in moments]), np.array([one.right for one in moments])
    hits, hits_alone = (answers.argmax(axis=1) == right for answers in (smoothed, alone))
    found = []
    for change in video.changes:
        if change.person != person:
            continue
        before = (times >= change.time - 1) & (times < change.time - FADE_SECONDS / 2)
        after = (times >= change.time) & (times < change.time + _WINDOW)
        settled = (times >= change.time + FADE_SECONDS / 2) & (times < change.time + _SETTLED)
        if before.sum() < 0.6 * video.rate or settled.sum() < 0.8 * (_SETTLED - FADE_SECONDS / 2) * video.rate:
            continue
        if hits_alone[before].mean() < _BEFORE or hits_alone[settled].mean() < _AFTER:
            continue
        first = np.flatnonzero(hits & after)
        found.append(float(times[first[0]] - change.time) if len(first) else _WINDOW)
    return found


def _box(values: NDArray[np.float64]) -> Box:
    left, top, right, bottom = values.tolist()
    return left, top, right, bottom


if __name__ == "__main__":
    main()
