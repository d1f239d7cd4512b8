"""Measure face detectors: how many of the faces they find, how many they invent, and how long they take.

    python benchmarks/face_detection.py --photos DIR [DIR ...] [--fer2013 CORPUS] [--peers NAME ...]

The photos are those of benchmarks/face_boxes.json that lie in the folders given, whole and shrunk, and scenes made of
their faces (and of FER2013's training faces) by benchmarks/face_scenes.py. All detectors get the same pixels in one
run; decoding is not timed. A face counts as found where a box shares at least half of the joint area with it; each box
finds one face. Peers run in the environments that `benchmarks/accuracy_vs_peers.py --set-up fer human face-api
facial-emotion-recognition` makes. See docs/faces.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from face_scenes import Material, Scene, annotated_photos, made_scenes, photo_scenes
from kaoiro.faces.detector import DETECTORS, Detector, open_detector

ADAPTERS: Final = Path(__file__).parent / "peers" / "adapters"

HEIGHTS: Final = (0, 16, 20, 28, 40, 64, 128, 256, 10_000)

PEERS: Final = {
    "fer, Haar": ("fer", "haar_mtcnn_detection.py", "haar"),
    "fer, MTCNN": ("facial-emotion-recognition", "haar_mtcnn_detection.py", "mtcnn"),
    "face-api, tiny": ("face-api", "js_detection.js", "tiny"),
    "face-api, SSD": ("face-api", "js_detection.js", "ssd"),
    "human": ("human", "js_detection.js", "human"),
}
"""Each peer's environment below --environments, its adapter, and what the adapter calls it."""

Boxes = NDArray[np.float64]


class Contestant(Protocol):
    def boxes(self, image: NDArray[np.uint8]) -> tuple[Boxes, float]:
        """Give the boxes in `uint8 (H, W, 3)` RGB, `(n, 4)`, and the seconds it took."""
        ...


class Ours:
    """One of Kaoiro's detectors."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def boxes(self, image: NDArray[np.uint8]) -> tuple[Boxes, float]:
        begun = time.perf_counter()
        found = self._detector.detect(image)
        seconds = time.perf_counter() - begun
        return np.array([one.box for one in found]).reshape(-1, 4), seconds


class Peer:
    """Another package's detector in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", replies: int) -> None:
        self._process = process
        self._replies = os.fdopen(replies, encoding="utf-8")
        self._reply()

    def boxes(self, image: NDArray[np.uint8]) -> tuple[Boxes, float]:
        with tempfile.NamedTemporaryFile() as pixels:
            image.tofile(pixels.name)
            words = {"pixels": pixels.name, "width": image.shape[1], "height": image.shape[0]}
            assert self._process.stdin is not None
            print(json.dumps(words), file=self._process.stdin, flush=True)
            answer = self._reply()
        return np.array(answer["boxes"], np.float64).reshape(-1, 4), answer["seconds"]

    def _reply(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            raise EOFError("its process ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def peer(name: str, environments: Path) -> Iterator[Peer]:
    """Start a peer."""
    folder, adapter, detector = PEERS[name]
    environment = (environments / folder).absolute()
    script = str(ADAPTERS / adapter)
    reading, writing = os.pipe()
    start = (
        ["node", script, str(writing), str(environment)]
        if script.endswith(".js")
        else [str(environment / "bin/python"), script, str(writing)]
    )
    try:
        process = subprocess.Popen(
            [*start, detector], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[writing], text=True
        )
    finally:
        os.close(writing)
    try:
        yield Peer(process, reading)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


@dataclass
class Tally:
    """What one detector did in one group of scenes."""

    heights: list[float] = field(default_factory=list)
    """Of every face."""
    found: list[bool] = field(default_factory=list)
    loosely_found: list[bool] = field(default_factory=list)
    """With 0.3 in place of 0.5: for detectors that draw their boxes tighter or wider."""
    invented: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, scene: Scene, boxes: Boxes, seconds: float) -> None:
        matched = matches(scene.boxes, boxes, 0.5)
        self.heights += (scene.boxes[:, 3] - scene.boxes[:, 1]).tolist() if len(scene.boxes) else []
        self.found += (matched >= 0).tolist()
        self.loosely_found += (matches(scene.boxes, boxes, 0.3) >= 0).tolist()
        spare = np.delete(boxes, matches(scene.boxes, boxes, 0.3)[matches(scene.boxes, boxes, 0.3) >= 0], axis=0)
        self.invented += sum(overlaps(box[None], scene.ignored).max(initial=0) < 0.2 for box in spare)
        self.seconds.append(seconds)


def overlaps(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each pair, `(len(first), len(second))`."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared))


def matches(faces: Boxes, boxes: Boxes, limit: float) -> NDArray[np.int64]:
    """Give every face the box that overlaps it most, each box once, the closest pairs first; -1 where there is none."""
    shares = overlaps(faces, boxes)
    of_face = np.full(len(faces), -1)
    while shares.size and shares.max() >= limit:
        face, box = np.unravel_index(shares.argmax(), shares.shape)
        of_face[face] = box
        shares[face] = -1
        shares[:, box] = -1
    return of_face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--fer2013", type=Path, metavar="CORPUS", help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--detectors", nargs="*", default=list(DETECTORS), metavar="NAME")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), metavar="NAME", help="; ".join(PEERS))
    parser.add_argument("--environments", type=Path, default=Path("build/peers"))
    parser.add_argument("--only", metavar="TEXT", help="only groups of scenes whose name contains this")
    parser.add_argument("--repeats", type=int, default=3, help="how often each scene is made (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-scores", type=float, nargs="*", default=[], help="also YuNet with these lowest scores")
    arguments = parser.parse_args()

    material = Material(annotated_photos(arguments.photos), _fer2013_faces(arguments.fer2013))
    print(f"{len(material.photos)} annotated photos: {', '.join(material.photos)}")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    with ExitStack() as stack:
        contestants: dict[str, Contestant] = {name: Ours(open_detector(name)) for name in arguments.detectors}
        for score in arguments.min_scores:
            contestants[f"yunet from {score:g}"] = Ours(open_detector("yunet", score))
        for name in arguments.peers:
            try:
                contestants[name] = stack.enter_context(peer(name, arguments.environments))
            except (OSError, EOFError) as error:
                print(f"{name} does not start: {error}", file=sys.stderr)
        made = made_scenes(material, arguments.seed, arguments.repeats)
        tallies = _measure((photo_scenes(material), made), contestants, arguments.only)
    _print_groups(tallies, list(contestants))
    _print_heights(tallies, list(contestants))


def _fer2013_faces(path: Path | None) -> NDArray[np.uint8] | None:
    if path is None:
        return None
    from kaoiro.corpus.store import open_corpus

    return np.asarray(open_corpus(path).select("train").decode_faces(48, 1)[:2000, 0], np.uint8)


def _measure(
    groups: Sequence[Iterator[Scene]], contestants: dict[str, Contestant], only: str | None
) -> dict[tuple[str, str], Tally]:
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    gone: set[str] = set()
    for scenes in groups:
        for scene in scenes:
            if only and only not in scene.group:
                continue
            for name, contestant in contestants.items():
                if name in gone:
                    continue
                try:
                    boxes, seconds = contestant.boxes(scene.image)
                except (OSError, EOFError) as error:
                    print(f"{name} stopped at {scene.group}: {error}", file=sys.stderr)
                    gone.add(name)
                    continue
                tallies[scene.group, name].add(scene, boxes, seconds)
    return tallies


def _print_groups(tallies: dict[tuple[str, str], Tally], names: Sequence[str]) -> None:
    print("Found of all faces (with a looser match), + invented ones, median time of a picture:\n")
    print("| pictures | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for group in dict.fromkeys(group for group, _ in tallies):
        cells = [_cell(tallies[group, name]) if (group, name) in tallies else "–" for name in names]
        print(f"| {group} | " + " | ".join(cells) + " |")
    totals = []
    for name in names:
        of_name = [tally for (_, other), tally in tallies.items() if other == name]
        found, faces = sum(sum(tally.found) for tally in of_name), sum(len(tally.found) for tally in of_name)
        invented = sum(tally.invented for tally in of_name)
        loosely = sum(sum(tally.loosely_found) for tally in of_name)
        totals.append(f"{found} ({loosely}) of {faces}, +{invented}")
    print("| all | " + " | ".join(totals) + " |")


def _cell(tally: Tally) -> str:
    milliseconds = 1000 * float(np.median(tally.seconds))
    found = f"{sum(tally.found)} ({sum(tally.loosely_found)}) of {len(tally.found)}, " if tally.found else ""
    return f"{found}+{tally.invented}, {milliseconds:.0f} ms"


def _print_heights(tallies: dict[tuple[str, str], Tally], names: Sequence[str]) -> None:
    print("\nRecall by the height of the face in pixels, upright faces only:\n")
    print("| height | faces | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))
    for low, high in pairwise(HEIGHTS):
        cells, count = [], 0
        for name in names:
            of_name = [tally for (group, other), tally in tallies.items() if other == name and "tilted" not in group]
            found = [f for tally in of_name for f, h in zip(tally.found, tally.heights, strict=True) if low <= h < high]
            count = max(count, len(found))
            cells.append(f"{np.mean(found):.1%}" if found else "–")
        if count:
            print(f"| {low}–{high} | {count} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
