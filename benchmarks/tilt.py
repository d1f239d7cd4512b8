"""Measure how tilting a face changes the expression read in it, with and without alignment.

    python benchmarks/tilt.py [--fer2013 CORPUS] [--photos DIR ...] [--faces N] [--tilts 20 ...]

Faces of FER2013's PublicTest, enlarged and set into a border of their edge's pixels, and the annotated photos of
benchmarks/face_boxes.json are turned to either side and searched by the detector that `Recognizer` uses. An answer
that differs from the one in the upright picture counts as changed, be it between two nearly equal probabilities; the
share among faces with a confidence above 0.6 is given too. For FER2013 the accuracy in the upright pictures tells
whether alignment costs any. Faces that are lost by turning are counted, but are not among the answers.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from face_scenes import annotated_photos
from kaoiro.corpus.store import open_corpus
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face

_SIDE: Final = 160
_LONG_SIDE: Final = 900
_CONFIDENT: Final = 0.6

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """One known face in a picture."""

    image: Image
    """`uint8 (H, W, 3)` RGB."""
    centre: tuple[float, float]
    height: float
    label: str | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer2013", type=Path, metavar="CORPUS", help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], metavar="DIR")
    parser.add_argument("--faces", type=int, default=500, help="how many of PublicTest (default: %(default)s)")
    parser.add_argument("--tilts", type=float, nargs="+", default=[5, 10, 20, 30, 45], help="degrees, to either side")
    parser.add_argument("--heads", nargs="+", default=["ferplus", "fer2013"])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sets: dict[str, list[Subject]] = {}
    if arguments.fer2013:
        sets["PublicTest"] = list(_fer2013(arguments.fer2013, arguments.faces, arguments.seed))
    if arguments.photos:
        sets["photos"] = list(_photos(arguments.photos))
    print("| faces | head | align | tilt | n | lost | changed (95 %) | of confident ones | accuracy upright |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, subjects in sets.items():
        for head in arguments.heads:
            for align in (False, True):
                recognizer = Recognizer(head=head, align=align, threads=arguments.threads)
                _report(name, head, align, subjects, recognizer, arguments.tilts)


def _report(
    name: str, head: str, align: bool, subjects: list[Subject], recognizer: Recognizer, tilts: list[float]
) -> None:
    upright = [_read(recognizer, one, 0.0) for one in subjects]
    known = [(one, face) for one, face in zip(subjects, upright, strict=True) if face is not None and one.label]
    accuracy = f"{np.mean([face.likeliest.value == one.label for one, face in known]):.1%}" if known else "–"
    for tilt in tilts:
        changes: list[list[bool]] = []
        confident: list[bool] = []
        lost = 0
        for one, before in zip(subjects, upright, strict=True):
            if before is None:
                continue
            after = [_read(recognizer, one, turn) for turn in (tilt, -tilt)]
            lost += after.count(None)
            changes.append([face.likeliest != before.likeliest for face in after if face is not None])
            if before.confidence > _CONFIDENT:
                confident += changes[-1]
        low, high = _interval(changes)
        answers = [change for of_face in changes for change in of_face]
        share = f"{np.mean(confident):.1%} of {len(confident)}" if confident else "–"
        print(
            f"| {name} | {head} | {'yes' if align else 'no'} | ±{tilt:g}° | {len(answers)} | {lost} | "
            f"{np.mean(answers):.1%} ({low:.1%}–{high:.1%}) | {share} | {accuracy} |",
            flush=True,
        )


def _interval(changes: list[list[bool]]) -> tuple[float, float]:
    """Give the 95 % percentile bootstrap over faces of the share of changed answers."""
    changed, asked = np.array([sum(one) for one in changes]), np.array([len(one) for one in changes])
    drawn = np.random.default_rng(0).integers(len(changes), size=(2000, len(changes)))
    low, high = np.quantile(changed[drawn].sum(axis=1) / asked[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _read(recognizer: Recognizer, subject: Subject, tilt: float) -> Face | None:
    """Read the subject's face in its picture, turned anticlockwise; None where it is not found."""
    image, (x, y) = subject.image, subject.centre
    if tilt:
        image, (x, y) = _turned(image, (x, y), tilt)
    detections = [
        one
        for one in recognizer.find_faces(image)
        if hypot((one.box[0] + one.box[2]) / 2 - x, (one.box[1] + one.box[3]) / 2 - y) < 0.35 * subject.height
    ]
    return recognizer.read_faces(image, [max(detections, key=lambda one: one.score)])[0] if detections else None


def _turned(image: Image, centre: tuple[float, float], tilt: float) -> tuple[Image, tuple[float, float]]:
    """Turn a picture about its middle; nothing is cut off, and the edge's pixels are repeated."""
    height, width = image.shape[:2]
    cosine, sine = abs(np.cos(np.radians(tilt))), abs(np.sin(np.radians(tilt)))
    size = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    x, y = (matrix @ np.array([*centre, 1.0])).tolist()
    return np.asarray(turned, np.uint8), (x, y)


def _fer2013(path: Path, count: int, seed: int) -> Iterator[Subject]:
    corpus = open_corpus(path).select("validation")
    faces, labels = corpus.decode_faces(48, 1)[:, 0], corpus.labels()
    for place in np.random.default_rng(seed).permutation(len(faces))[:count].tolist():
        face = cv2.resize(faces[place], (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        grey = cv2.copyMakeBorder(face, _SIDE, _SIDE, _SIDE, _SIDE, cv2.BORDER_REPLICATE)
        middle = 1.5 * _SIDE
        image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
        yield Subject(image, (middle, middle), _SIDE, labels[place])


def _photos(folders: list[Path]) -> Iterator[Subject]:
    for scene in annotated_photos(folders).values():
        scale = min(1.0, _LONG_SIDE / max(scene.image.shape[:2]))
        image = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for left, top, right, bottom in (scene.boxes * scale).tolist():
            yield Subject(np.asarray(image, np.uint8), ((left + right) / 2, (top + bottom) / 2), bottom - top)


if __name__ == "__main__":
    main()
