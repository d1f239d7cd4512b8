"""Measure how a corpus frames its faces, in terms of the face detector's box.

    python benchmarks/crop_framing.py CORPUS [--faces N] [--seed S]

Every face of the training split that is drawn is enlarged, set into a border, and searched by the detector
that `Recognizer` uses. Where the box and the eyes lie in the face's square tells how a face in a photo must
be cut out to look like the corpus, which is what a model file's `Crop` says. Several enlargements and borders
show whether the answer depends on them.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.faces.detector import FaceDetector

BORDERS = {"repeated": cv2.BORDER_REPLICATE, "mirrored": cv2.BORDER_REFLECT_101, "grey": cv2.BORDER_CONSTANT}


@dataclass(frozen=True)
class Setting:
    """How a face is shown to the detector."""

    side: int
    """Pixels to which the face's square is enlarged."""
    border: float
    """Width of the border on each side, in sides of the face."""
    kind: str = "repeated"


SETTINGS = (
    Setting(48, 0),
    Setting(160, 0),
    Setting(320, 0),
    Setting(48, 0.5),
    Setting(96, 0.5),
    Setting(160, 0.5),
    Setting(160, 0.5, "mirrored"),
    Setting(160, 0.5, "grey"),
    Setting(160, 1.5),
    Setting(160, 1.5, "mirrored"),
    Setting(320, 0.5),
    Setting(80, 3.5),
)
COLUMNS = ("longer side", "height", "width", "centre x", "centre y", "eyes y", "eye distance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--faces", type=int, default=3000, help="how many faces to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    faces = open_corpus(arguments.corpus).select("train").decode_faces(48, 1)[:, 0]
    chosen = np.random.default_rng(arguments.seed).permutation(len(faces))[: arguments.faces]
    faces = faces[np.sort(chosen)]
    detector = FaceDetector()
    print(f"{len(faces)} training faces of {arguments.corpus.name}, seed {arguments.seed}")
    print("In units of the face's side, quartiles (25 % / median / 75 %):\n")
    print("| side px | border | found | " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * (len(COLUMNS) + 3))
    crops = []
    for setting in SETTINGS:
        framing = measure(faces, setting, detector)
        quartiles = np.percentile(framing, (25, 50, 75), axis=0)
        cells = [" / ".join(f"{value:.2f}" for value in column) for column in quartiles.T]
        name = f"{setting.border:g} {setting.kind}" if setting.border else "none"
        print(
            f"| {setting.side} | {name} | {len(framing) / len(faces):.1%} | " + " | ".join(cells) + " |",
            flush=True,
        )
        longer, _, _, x, y, _, _ = quartiles[1]
        crops.append((setting.side, name, 1 / longer, 0.5 - x, 0.5 - y))
    print("\nCrops that reproduce the framing (from the medians):\n")
    print("| side px | border | side | shift_x | shift_y |\n|---|---|---|---|---|")
    for side, name, *crop in crops:
        print(f"| {side} | {name} | " + " | ".join(f"{value:.3f}" for value in crop) + " |")


def measure(faces: NDArray[np.uint8], setting: Setting, detector: FaceDetector) -> NDArray[np.float64]:
    """Search faces `uint8 (n, 48, 48)`; gives `float64 (found, len(COLUMNS))` in units of the face's side."""
    border = round(setting.side * setting.border)
    rows = []
    for face in faces:
        if setting.side != face.shape[0]:
            face = cv2.resize(face, (setting.side, setting.side), interpolation=cv2.INTER_CUBIC)
        gray = cv2.copyMakeBorder(face, border, border, border, border, BORDERS[setting.kind], value=128)
        found = detector.detect(np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8))
        middle = border + setting.side / 2
        # A mirrored border shows further faces: the one meant has its centre in the middle half.
        found = [
            one
            for one in found
            if abs(one.box[0] + one.box[2] - 2 * middle) < setting.side / 2
            and abs(one.box[1] + one.box[3] - 2 * middle) < setting.side / 2
        ]
        if not found:
            continue
        best = max(found, key=lambda one: one.score)
        left, top, right, bottom = (np.array(best.box) - border) / setting.side
        eyes = (np.array(best.landmarks[:2]) - border) / setting.side
        rows.append(
            (
                max(right - left, bottom - top),
                bottom - top,
                right - left,
                (left + right) / 2,
                (top + bottom) / 2,
                eyes[:, 1].mean(),
                np.linalg.norm(eyes[1] - eyes[0]),
            )
        )
    return np.array(rows)


if __name__ == "__main__":
    main()
