"""Make videos in which everything is known: who is where, how much of each face is seen, and what it shows.

    python benchmarks/made_video.py fer2013.parquet FOLDER [--set easy] [--seed 0] [--split validation]

Faces of a corpus (FER2013; never of its test split) are enlarged, dressed as people, and moved over backgrounds. Each
video becomes NAME.mp4 with its truth in NAME.json. FER2013 does not say whose face is whose, so that what
stays of a person is the clothes, the hair and the colour of skin. An expression is shown by faces of several rows in
turn, each for 0.25 to 0.7 seconds, as a person who holds an expression does not hold still; they cross-fade, and stir a
little. How alike the errors of successive frames are is thereby an assumption. The same seed gives the same videos.

Easy: two or three people, who move slowly, cross once and are hidden behind a post for a moment. Hard: three or four of
different sizes, to and fro, with many crossings, longer occlusions, zoom, blur, changing light, noise, a shaking
camera, strong compression, and a cut to another scene in the middle.
"""

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.expressions import Expression
from kaoiro.faces.crops import Box
from kaoiro.faces.detector import FaceDetector
from kaoiro.files import atomic_path
from made_video_people import CANVAS, FACE_SIDE, Look, Outfit, SourceFace, dressed, outfits, source_faces

WIDTH: Final = 640
HEIGHT: Final = 360
FADE_SECONDS: Final = 0.16
_PICTURE_SECONDS: Final = (0.25, 0.7)
_STIR: Final = 0.03 * FACE_SIDE

Level = Literal["easy", "hard"]

_Path = NDArray[np.float64]
"""`(frames, 4)`: the centre of a face's square, its side in pixels, and its turn in degrees."""


@dataclass(frozen=True)
class Truth:
    """One person in one frame."""

    person: int
    box: Box
    expression: Expression
    """From the middle of a cross-fade on: the new one."""
    visible: float
    """Which share of the face is in the picture and not covered, 0 to 1."""


@dataclass(frozen=True)
class MadeFrame:
    """One frame; has what `VideoReader.read` needs."""

    index: int
    time: float
    image: NDArray[np.uint8]
    truths: tuple[Truth, ...]


@dataclass(frozen=True)
class Change:
    """A moment at which a person's expression changes."""

    time: float
    person: int
    before: Expression
    after: Expression


@dataclass(frozen=True)
class MadeFile:
    """A video as an MP4 file, and all that is known of it."""

    name: str
    level: Level
    seed: int
    rate: float
    mp4: bytes
    cuts: tuple[int, ...]
    """Frames with which another scene begins."""
    changes: list[Change]
    truths: list[tuple[Truth, ...]]
    """By frame."""

    def frames(self) -> Iterator[MadeFrame]:
        """The decoded frames with what is known of each."""
        with av.open(io.BytesIO(self.mp4)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                yield MadeFrame(index, float(frame.time), frame.to_ndarray(format="rgb24"), self.truths[index])

    def truth(self) -> dict[str, Any]:
        """All that is known, in plain types."""
        known = {"name": self.name, "level": self.level, "seed": self.seed, "rate": self.rate}
        changes = [asdict(change) for change in self.changes]
        frames = [[asdict(one) for one in truths] for truths in self.truths]
        return known | {"width": WIDTH, "height": HEIGHT, "cuts": self.cuts, "changes": changes, "frames": frames}


@dataclass(frozen=True)
class _Person:
    number: int
    starts: NDArray[np.float64]
    """`(looks,)`: when each look begins."""
    looks: list[Look]
    path: _Path
    near: float
    """Nearer people cover those farther away."""


@dataclass(frozen=True)
class _Scene:
    first: int
    """The index of its first frame."""
    background: NDArray[np.uint8]
    people: list[_Person]
    posts: list[tuple[int, int, int]]
    """Left side, width and grey of what stands before the people."""


class MadeVideo:
    """A made video: iterate for its frames, as often as wanted.

    Args:
        name: what it is called.
        faces: those of which people are made.
        detector: says where the face of a person is.
        level: `easy` or `hard`.
        seed: everything that is drawn by chance depends on this.
        seconds: how long it is.
        rate: frames a second.
        lively: whether an expression is shown by several pictures in turn, or by a single one.
    """

    def __init__(
        self,
        name: str,
        faces: list[SourceFace],
        detector: FaceDetector,
        level: Level,
        seed: int,
        seconds: float = 20.0,
        rate: float = 25.0,
        lively: bool = True,
    ) -> None:
        self.name = name
        self.rate = rate
        self.frames = round(seconds * rate)
        self.level = level
        self._seed = seed
        rng = np.random.default_rng([seed, level == "hard"])
        cuts = [0, self.frames // 2] if level == "hard" else [0]
        self._scenes: list[_Scene] = []
        self._looks: dict[tuple[int, int], list[Look]] = {}
        for first, last in zip(cuts, [*cuts[1:], self.frames], strict=True):
            number = 1 + sum(len(scene.people) for scene in self._scenes)
            self._scenes.append(_scene(rng, faces, detector, level, first, last, number, rate, lively))
        self._blur = _bursts(rng, self.frames, rate) if level == "hard" else np.zeros(self.frames)
        times = np.arange(self.frames) / rate
        light = rng.uniform(0.3, 0.6), rng.uniform(0, 6)
        self._light = 1 + (0.25 * np.sin(times * light[0] * 6 + light[1]) if level == "hard" else 0 * times)
        self._noise = 6.0 if level == "hard" else 2.0
        self._crf = 33 if level == "hard" else 23
        shake = rng.normal(size=(self.frames + 12, 2))
        kernel = np.hanning(12)[:, None] / np.hanning(12).sum()
        smooth = np.stack([np.convolve(shake[:, axis], kernel[:, 0], "same") for axis in (0, 1)], axis=1)
        self._shake = smooth[: self.frames] * (8.0 if level == "hard" else 0.5)

    @property
    def changes(self) -> list[Change]:
        """All changes of expression, in order of time."""
        found = []
        for scene in self._scenes:
            for person in scene.people:
                for start, before, after in zip(person.starts[1:], person.looks, person.looks[1:], strict=False):
                    if before.expression != after.expression and start < self._end(scene):
                        found.append(Change(float(start), person.number, before.expression, after.expression))
        return sorted(found, key=lambda one: one.time)

    def __iter__(self) -> Iterator[MadeFrame]:
        """The frames as a camera would compress them: encoded to H.264 and decoded again."""
        return self.made().frames()

    def made(self) -> "MadeFile":
        """Draw and encode it."""
        file = io.BytesIO()
        known = []
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=round(self.rate))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"crf": str(self._crf), "preset": "veryfast", "threads": "1"}
            for image, truths in self._drawn():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
                known.append(truths)
            container.mux(stream.encode())
        cuts = tuple(scene.first for scene in self._scenes[1:])
        return MadeFile(self.name, self.level, self._seed, self.rate, file.getvalue(), cuts, self.changes, known)

    def _end(self, scene: _Scene) -> float:
        later = [other.first for other in self._scenes if other.first > scene.first]
        return min([*later, self.frames]) / self.rate

    def _drawn(self) -> Iterator[tuple[NDArray[np.uint8], tuple[Truth, ...]]]:
        rng = np.random.default_rng([self._seed, 7])
        for index in range(self.frames):
            scene = max((one for one in self._scenes if one.first <= index), key=lambda one: one.first)
            image, truths = _draw(scene, index, index / self.rate, self._shake[index])
            if self._blur[index] > 0:
                image = cv2.GaussianBlur(image, (0, 0), self._blur[index])
            noisy = image * self._light[index] + rng.normal(0, self._noise, image.shape[:2])[..., None]
            yield np.asarray(noisy.clip(0, 255), np.uint8), truths


def made_set(
    level: Level,
    faces: list[SourceFace],
    detector: FaceDetector,
    seed: int,
    count: int,
    *,
    seconds: float = 20.0,
    lively: bool = True,
) -> Iterator[MadeFile]:
    """Make several videos of one level, one after the other; their seeds follow each other."""
    for number in range(seed, seed + count):
        yield MadeVideo(f"{level}-{number}", faces, detector, level, number, seconds, lively=lively).made()


def _scene(
    rng: np.random.Generator,
    faces: list[SourceFace],
    detector: FaceDetector,
    level: Level,
    first: int,
    last: int,
    number: int,
    rate: float,
    lively: bool,
) -> _Scene:
    count = int(rng.integers(3, 5)) if level == "hard" else int(rng.integers(2, 4))
    times = np.arange(first, last) / rate
    nearness = rng.permutation(count) / count
    # Everyone to the next place: the last one, who goes to the first, crosses all others.
    places = [(one + 1) % count for one in range(count)]
    people = []
    for one, outfit in enumerate(outfits(count, rng)):
        starts, looks = _looks(rng, faces, outfit, detector, times[0], times[-1], lively)
        if level == "hard":
            path = _hard_path(rng, times, one, count)
        else:
            path = _easy_path(rng, times, one, places[one], count)
        full = np.zeros((last, 4))
        full[first:] = path
        people.append(_Person(number + one, starts, looks, full, float(nearness[one])))
    if level == "hard":
        posts = [(int(x), int(rng.integers(40, 70)), int(rng.integers(20, 200))) for x in rng.uniform(80, 520, 2)]
    else:
        posts = [(int(rng.uniform(200, 400)), 26, int(rng.integers(30, 200)))]
    return _Scene(first, _background(rng), people, posts)


def _looks(
    rng: np.random.Generator,
    faces: list[SourceFace],
    outfit: Outfit,
    detector: FaceDetector,
    start: float,
    end: float,
    lively: bool,
) -> tuple[NDArray[np.float64], list[Look]]:
    """What a person shows, each expression for 1.6 to 4 seconds."""
    starts: list[float] = []
    looks: list[Look] = []
    time = change = start
    choice: list[SourceFace] = []
    while time < end:
        if time >= change:
            others = sorted({face.expression for face in faces} - {one.expression for one in looks[-1:]})
            wanted = others[rng.integers(len(others))]
            choice = [face for face in faces if face.expression == wanted]
            change = time + rng.uniform(1.6, 4.0)
        look = None
        while look is None:
            look = dressed(choice[rng.integers(len(choice))], outfit, detector)
        starts.append(time)
        looks.append(look)
        time = min(change, time + rng.uniform(*_PICTURE_SECONDS)) if lively else change
    return np.array(starts), looks


def _easy_path(rng: np.random.Generator, times: NDArray[np.float64], start: int, end: int, count: int) -> _Path:
    """From one place to another, slowly and just once."""
    first, last = (WIDTH * (place + 0.5) / count for place in (start, end))
    turn = times[0] + (times[-1] - times[0]) * rng.uniform(0.35, 0.65)
    x = first + (last - first) / (1 + np.exp(-(times - turn) / 0.7))
    x += 10 * np.sin(times * rng.uniform(0.8, 1.6) + rng.uniform(0, 6))
    y = HEIGHT * 0.42 + rng.uniform(-30, 30) + 8 * np.sin(times * rng.uniform(0.8, 1.8) + rng.uniform(0, 6))
    side = rng.uniform(70, 100) * (1 + 0.05 * np.sin(times * rng.uniform(0.4, 0.9)))
    angle = 5 * np.sin(times * rng.uniform(0.5, 1.2) + rng.uniform(0, 6))
    return np.stack([x, y, side, angle], axis=1)


def _hard_path(rng: np.random.Generator, times: NDArray[np.float64], one: int, count: int) -> _Path:
    """To and fro over the whole picture, and sometimes out of it; nearer and farther."""
    speed = rng.uniform(0.35, 0.75)
    x = WIDTH / 2 + rng.uniform(150, 330) * np.sin(times * speed + 2 * np.pi * one / count + rng.uniform(-0.4, 0.4))
    y = HEIGHT * 0.42 + rng.uniform(-50, 50) + rng.uniform(10, 30) * np.sin(times * rng.uniform(1, 3))
    zoom = np.exp(0.35 * np.sin(times * rng.uniform(0.5, 1.2) + rng.uniform(0, 6)))
    side = rng.uniform(42, 90) * zoom
    angle = 12 * np.sin(times * rng.uniform(0.5, 2) + rng.uniform(0, 6))
    return np.stack([x, y, side, angle], axis=1)


def _bursts(rng: np.random.Generator, frames: int, rate: float) -> NDArray[np.float64]:
    """Blur as of a camera that searches its focus: some tenths of a second, now and then."""
    blur = np.zeros(frames)
    for start in rng.integers(0, frames, max(1, round(frames / rate / 5))):
        length = int(rng.uniform(0.2, 0.6) * rate)
        shape = np.sin(np.linspace(0, np.pi, length)) * rng.uniform(1, 2.5)
        blur[start : start + length] = np.maximum(blur[start : start + length], shape[: frames - start])
    return np.where(blur > 0.3, blur, 0)


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Coloured clouds and edges, larger than the picture so that the camera may shake."""
    coarse = rng.uniform(40, 215, (5, 8, 3)).astype(np.float32)
    fine = rng.uniform(-25, 25, (24, 40, 3)).astype(np.float32)
    size = (WIDTH + 80, HEIGHT + 80)
    image = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) + cv2.resize(
        fine, size, interpolation=cv2.INTER_CUBIC
    )
    for _ in range(6):
        x, y = (int(value) for value in rng.uniform(0, size[0], 2))
        shade = [float(value) for value in rng.uniform(30, 220, 3)]
        cv2.rectangle(image, (x, y), (x + int(rng.integers(20, 120)), y + int(rng.integers(20, 160))), shade, -1)
    return np.asarray(image.clip(0, 255), np.uint8)


def _draw(
    scene: _Scene, index: int, time: float, shake: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], tuple[Truth, ...]]:
    left, top = int(40 + shake[0]), int(40 + shake[1])
    image = scene.background[top : top + HEIGHT, left : left + WIDTH].copy()
    covers = np.zeros((HEIGHT, WIDTH), np.int64)
    known = []
    for person in sorted(scene.people, key=lambda one: one.near):
        pixels, box, expression = _shown(person, time)
        pixels = _alive(pixels, person.number, time)
        x, y, side, angle = person.path[index]
        matrix = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS * 0.425), angle, side / FACE_SIDE)
        matrix[:, 2] += (x + shake[0] - CANVAS / 2, y + shake[1] - CANVAS * 0.425)
        _lay(image, covers, pixels, matrix, person.number)
        middle = matrix @ ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1)
        half = np.array([box[2] - box[0], box[3] - box[1]]) * (side / FACE_SIDE / 2)
        known.append((person.number, middle, half, expression))
    for post_left, width, grey in scene.posts:
        start = int(post_left + shake[0])
        image[:, max(0, start) : start + width] = (grey, grey, int(grey * 0.9))
        covers[:, max(0, start) : start + width] = -1
    truths = [
        Truth(
            number,
            (
                float(middle[0] - half[0]),
                float(middle[1] - half[1]),
                float(middle[0] + half[0]),
                float(middle[1] + half[1]),
            ),
            expression,
            _visible(covers, number, middle, half),
        )
        for number, middle, half, expression in known
    ]
    return np.asarray(image, np.uint8), tuple(sorted(truths, key=lambda one: one.person))


def _lay(
    image: NDArray[np.uint8],
    covers: NDArray[np.int64],
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    number: int,
) -> None:
    """Lay a turned and scaled canvas over the image, and note whom the pixels show."""
    corners = np.array([[0, 0, 1], [CANVAS, 0, 1], [0, CANVAS, 1], [CANVAS, CANVAS, 1]]) @ matrix.T
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (WIDTH, HEIGHT)).astype(int)
    if right <= left or bottom <= top:
        return
    moved = matrix - np.array([[0, 0, left], [0, 0, top]])
    if matrix[0, 0] < 0.5:
        pixels, moved = pixels[::2, ::2], moved * (2, 2, 1)
    warped = cv2.warpAffine(pixels, moved, (int(right - left), int(bottom - top)))
    alpha = warped[..., 3:].astype(np.float32) / 255
    place = image[top:bottom, left:right]
    place[:] = place * (1 - alpha) + warped[..., :3] * alpha
    covers[top:bottom, left:right][alpha[..., 0] > 0.5] = number


def _shown(person: _Person, time: float) -> tuple[NDArray[np.uint8], Box, Expression]:
    """The look at a moment; about a change, both looks blend."""
    now = int(np.searchsorted(person.starts, time, side="right")) - 1
    look = person.looks[now]
    nearest = int(np.abs(person.starts - time).argmin())
    share = 0.5 + (time - person.starts[nearest]) / FADE_SECONDS
    if nearest == 0 or not 0 < share < 1:
        return look.pixels, look.box, look.expression
    old, new = person.looks[nearest - 1], person.looks[nearest]
    pixels = cv2.addWeighted(old.pixels, 1 - share, new.pixels, share, 0)
    box = (1 - share) * np.array(old.box) + share * np.array(new.box)
    left, top, right, bottom = box.tolist()
    return np.asarray(pixels, np.uint8), (left, top, right, bottom), look.expression


def _alive(pixels: NDArray[np.uint8], number: int, time: float) -> NDArray[np.uint8]:
    """Let a still face stir: its parts move by up to some 3 % of its size, one to three times a second.

    Nobody holds still for seconds. What a recogniser says of successive frames therefore varies, which a picture that
    is only shifted would hide.
    """
    rng = np.random.default_rng(number)
    rates, phases = rng.uniform(1, 3, (2, 5, 5)), rng.uniform(0, 2 * np.pi, (2, 5, 5))
    moves = _STIR * np.sin(2 * np.pi * rates * time + phases)
    # The canvas's edges stay.
    moves[:, [0, -1]] = 0
    moves[:, :, [0, -1]] = 0
    across, down = (
        cv2.resize(part.astype(np.float32), (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC) for part in moves
    )
    columns, rows = np.meshgrid(np.arange(CANVAS, dtype=np.float32), np.arange(CANVAS, dtype=np.float32))
    return np.asarray(cv2.remap(pixels, columns + across, rows + down, cv2.INTER_LINEAR), np.uint8)


def _visible(covers: NDArray[np.int64], number: int, middle: NDArray[np.float64], half: NDArray[np.float64]) -> float:
    """Which share of the ellipse in a face's box is in the picture and not covered."""
    across, down = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
    inside = across**2 + down**2 <= 1
    x = np.floor(middle[0] + across[inside] * half[0]).astype(int)
    y = np.floor(middle[1] + down[inside] * half[1]).astype(int)
    shown = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    own = covers[y[shown], x[shown]] == number
    return float(own.sum() / len(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="FER2013, as `kaoiro data import` wrote it")
    parser.add_argument("folder", type=Path, help="where the videos go")
    parser.add_argument("--set", choices=("easy", "hard"), default="easy", dest="level")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--videos", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--split", choices=("train", "validation"), default="validation")
    arguments = parser.parse_args()

    detector = FaceDetector()
    corpus = open_corpus(arguments.corpus).select(arguments.split)
    rows = np.random.default_rng(arguments.seed).permutation(len(corpus))
    faces = source_faces(corpus, rows.tolist(), 20, detector)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    made = made_set(arguments.level, faces, detector, arguments.seed, arguments.videos, seconds=arguments.seconds)
    for video in made:
        with atomic_path(arguments.folder / f"{video.name}.mp4") as path:
            path.write_bytes(video.mp4)
        with atomic_path(arguments.folder / f"{video.name}.json") as path:
            path.write_text(json.dumps(video.truth()))
        print(arguments.folder / f"{video.name}.mp4", flush=True)


if __name__ == "__main__":
    main()
