"""Measure whether what `kaoiro explain` colours is what the answer hangs on.

    python benchmarks/explanations.py CORPUS [--faces N] [--model M] [--json FILE]

Of each face of the validation split that is drawn, the strongest evidence for its likeliest expression is covered,
with pixels of another face, so that the cover differs from the one by which the evidence was found. The more the
log-odds fall, and the more often the answer changes, the better the evidence. Beside it: covers of the same area in the
middle of the face, at random places, and those that spoke most strongly against.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.recognition.explanation import explain
from kaoiro.recognition.recognizer import Recognizer

SHARES = (0.1, 0.2, 0.3)
Order = Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]


def from_the_middle(evidence: NDArray[np.float64], _: np.random.Generator) -> NDArray[np.float64]:
    rows, columns = np.indices(evidence.shape) - (np.array(evidence.shape) / 2 - 0.5)[:, None, None]
    return -np.hypot(rows, columns)


def at_random(evidence: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(random.normal(size=evidence.shape), (0, 0), evidence.shape[0] / 10))


ORDERS: dict[str, Order] = {
    "strongest evidence for": lambda evidence, _: evidence,
    "the middle": from_the_middle,
    "random places": at_random,
    "strongest evidence against": lambda evidence, _: -evidence,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--faces", type=int, default=200, help="how many faces to draw (default: %(default)s)")
    parser.add_argument("--model", default="kaoiro-s", help="the model (default: %(default)s)")
    parser.add_argument("--covers", type=int, default=512, help="as `kaoiro explain` has it (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()

    recognizer = Recognizer(arguments.model, threads=1)
    size, channels = recognizer.metadata.size, recognizer.metadata.channels
    faces = open_corpus(arguments.corpus).select("validation").decode_faces(size, channels)
    random = np.random.default_rng(arguments.seed)
    drawn = random.choice(len(faces), min(arguments.faces, len(faces)), replace=False)
    falls: dict[tuple[str, float], list[float]] = {(order, share): [] for order in ORDERS for share in SHARES}
    changed: dict[tuple[str, float], list[bool]] = {(order, share): [] for order in ORDERS for share in SHARES}
    for which, index in enumerate(drawn):
        face = picture(faces[index])
        other = picture(faces[drawn[which - 1]])
        [explained] = explain(recognizer, face, faces_are_crops=True, covers=arguments.covers)
        for order, rank in ORDERS.items():
            ranks = rank(explained.evidence, random)
            covered = [np.where(mask(ranks, share, face.ndim), other, face) for share in SHARES]
            before = log_odds(explained.face.probabilities[explained.expression])
            for share, read in zip(SHARES, recognizer.predict_crops(covered), strict=True):
                falls[order, share].append(before - log_odds(read.probabilities[explained.expression]))
                changed[order, share].append(read.likeliest is not explained.expression)

    print(f"{len(drawn)} faces of {arguments.corpus}, {arguments.model}, {arguments.covers} covers\n")
    print("| covered | " + " | ".join(f"{share:.0%}: log-odds fall | answers changed" for share in SHARES) + " |")
    print("|---" * (1 + 2 * len(SHARES)) + "|")
    for order in ORDERS:
        cells = []
        for share in SHARES:
            fall, error = interval(np.array(falls[order, share]))
            cells += [f"{fall:.2f} ± {error:.2f}", f"{np.mean(changed[order, share]):.0%}"]
        print(f"| {order} | " + " | ".join(cells) + " |")
    if arguments.json:
        figures = [
            {"covered": order, "share": share, "falls": fall, "changed": changed[order, share]}
            for (order, share), fall in falls.items()
        ]
        arguments.json.write_text(json.dumps(figures), encoding="utf-8")


def picture(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`(channels, size, size)` as `Recognizer` takes it."""
    return planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)


def mask(ranks: NDArray[np.float64], share: float, dimensions: int) -> NDArray[np.bool_]:
    covered = ranks >= np.quantile(ranks, 1 - share)
    return covered if dimensions == 2 else covered[..., None]


def log_odds(probability: float) -> float:
    clipped = min(max(probability, 1e-7), 1 - 1e-7)
    return float(np.log(clipped / (1 - clipped)))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and half of its 95 % interval."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
