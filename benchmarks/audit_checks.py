"""How well, and how fast, the audit finds pictures that show little, pictures without a face, and wrong labels.

    python benchmarks/audit_checks.py fer2013.parquet --photos examples/photos

The corpus is FER2013 with its FERPlus votes, as `kaoiro data import` stores it. The raters' majority, where more than
half of them agree, stands for the truth about a label, and their votes "not-a-face" for the truth about a face.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.label_errors import LabelErrors, label_errors
from kaoiro.audit.no_face import THRESHOLD, no_face
from kaoiro.audit.picture_checks import check_pictures, picture_sizes
from kaoiro.corpus.near_duplicates import comparison_pictures
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.expressions import EIGHT, VOTE_NAMES
from kaoiro.faces.detector import FaceDetector
from kaoiro.media.images import PICTURE_SUFFIXES, load_image

_NOT_A_FACE = VOTE_NAMES.index("not-a-face")
T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--photos", type=Path, help="photos whose backgrounds are pictures without a face")
    arguments = parser.parse_args()

    packages = ("kaoiro", "cleanlab", "scikit-learn", "onnxruntime", "opencv-python-headless", "numpy")
    print(f"machine   {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"versions  Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages))
    corpus = open_corpus(arguments.corpus)
    faces = comparison_pictures(arguments.corpus)
    votes = corpus.votes()
    assert votes is not None, "the corpus has no votes; import it with --ferplus"
    unseen = np.array(corpus.table["split"].to_pylist()) != "train"
    print(f"faces     {len(faces)}, of which {unseen.sum()} are in validation or test, which kaoiro-s has not learned")

    _pictures(arguments.corpus, faces)
    _faceless(faces, votes.astype(np.int64), unseen, arguments.photos)
    _labels(faces, corpus.label_indices(), votes.astype(np.int64), unseen)


def _pictures(path: Path, faces: NDArray[np.uint8]) -> None:
    print("\nPictures that show little")
    scores = _timed("contrast and sharpness", lambda: check_pictures(faces))
    single = int((faces.reshape(len(faces), -1).std(axis=1) == 0).sum())
    print(
        f"  blank {scores.blank.sum()} (of a single colour: {single}), low contrast {scores.low_contrast.sum()}, ",
        end="",
    )
    print(f"blurred {scores.blurred.sum()}")
    sample = np.random.default_rng(0).choice(np.flatnonzero(~scores.blank), min(2000, len(faces) // 2), replace=False)
    for deviation in (0.7, 1.0, 1.5, 2.0):
        degraded = np.stack([cv2.GaussianBlur(face, (0, 0), deviation) for face in faces[sample]])
        print(f"  Gaussian blur of {deviation} px: {check_pictures(degraded).blurred.mean():.1%} found blurred")
    for side in (24, 16, 12):
        small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces[sample]]
        degraded = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in small])
        print(f"  enlarged from {side} px: {check_pictures(degraded).blurred.mean():.1%} found blurred")
    degraded = (faces[sample] * 0.2).round().astype(np.uint8)
    dark = check_pictures(degraded)
    print(f"  darkened to a fifth: {(dark.low_contrast | dark.blank).mean():.1%} found of low contrast, ", end="")
    print(f"{dark.blurred.mean():.2%} blurred")
    stored = open_row_groups(path)
    sizes = _timed("sizes", lambda: picture_sizes(stored))
    print(f"  tiny {sizes.tiny.sum()}, odd {sizes.odd.sum()}")


def _faceless(
    faces: NDArray[np.uint8], votes: NDArray[np.int64], unseen: NDArray[np.bool_], photos: Path | None
) -> None:
    print("\nPictures without a face")
    score = _timed("detection", lambda: no_face(faces))
    faceless = votes[:, _NOT_A_FACE] * 2 > votes.sum(axis=1)
    face = votes[:, _NOT_A_FACE] == 0
    for name, rows in (("train, validation", ~unseen), ("validation, test", unseen), ("all", np.ones_like(unseen))):
        for threshold in (0.7, 0.75, 0.8, THRESHOLD, 0.9):
            flagged = (score >= threshold) & rows
            right, wrong = (flagged & faceless).sum(), (flagged & face).sum()
            print(
                f"  {name:18} from {threshold:.2f}: {flagged.sum():3} found, {right} of {(faceless & rows).sum()} that "
                f"the majority calls no face, {wrong} that no rater does; precision {right / max(1, right + wrong):.3f}"
            )
    for name, pictures in _drawn_faceless(photos).items():
        found = (no_face(pictures) >= THRESHOLD).mean()
        print(f"  {name}: {found:.1%} of {len(pictures)} found")


def _drawn_faceless(photos: Path | None) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 48, 48), np.uint8)
    clouds = [cv2.GaussianBlur(rng.normal(size=(48, 48)), (0, 0), rng.uniform(1, 8)) for _ in range(200)]
    texture = np.stack([cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8) for one in clouds])
    kinds = {"noise": noise, "clouds": texture}
    if photos is None:
        return kinds
    detector = FaceDetector(min_score=0.1)
    crops = []
    for path in sorted(p for p in photos.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES):
        photo = load_image(path)
        boxes = [found.box for found in detector.detect(photo)]
        for _ in range(300):
            side = int(rng.integers(48, min(photo.shape[:2]) // 3))
            x, y = int(rng.integers(photo.shape[1] - side)), int(rng.integers(photo.shape[0] - side))
            if all(right < x or left > x + side or bottom < y or top > y + side for left, top, right, bottom in boxes):
                crop = cv2.cvtColor(photo[y : y + side, x : x + side], cv2.COLOR_RGB2GRAY)
                crops.append(cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA))
    return kinds | {"backgrounds of photos": np.stack(crops).astype(np.uint8)}


def _labels(
    faces: NDArray[np.uint8], labels: NDArray[np.int64], votes: NDArray[np.int64], unseen: NDArray[np.bool_]
) -> None:
    print("\nWrong labels")
    _, copies = np.unique(faces.reshape(len(faces), -1).view(f"V{48 * 48}"), return_inverse=True)
    groups = copies.reshape(-1).astype(np.int64)
    majority = votes[:, : len(EIGHT)].argmax(axis=1)
    clear = votes[:, : len(EIGHT)].max(axis=1) * 2 > votes.sum(axis=1)
    wrong = clear & (majority != labels)

    found = _timed("the search", lambda: label_errors(faces, labels, groups))
    _against_votes("all faces", found, np.arange(len(faces)), clear, wrong, majority)
    rows = np.flatnonzero(unseen)
    found = label_errors(faces[rows], labels[rows], groups[rows])
    _against_votes("validation and test alone", found, rows, clear, wrong, majority)

    drawn, drawn_labels = synthetic_faces(1400, 0)
    sound = np.flatnonzero(clear & ~wrong)
    new = sound[unseen[sound]]
    for name, pictures, right_labels, own_groups in (
        ("all faces that are labelled as the majority says", faces[sound], labels[sound], groups[sound]),
        ("those of validation and test alone", faces[new], labels[new], groups[new]),
        ("drawn faces", drawn, drawn_labels, np.arange(len(drawn))),
    ):
        rng = np.random.default_rng(0)
        planted = rng.permutation(len(pictures)) < len(pictures) // 20
        spoilt = np.where(planted, (right_labels + rng.integers(1, 7, len(pictures))) % 7, right_labels)
        found = label_errors(pictures, spoilt, own_groups)
        right = planted[found.rows].sum()
        restored = (found.suggested == right_labels[found.rows])[planted[found.rows]].mean()
        print(
            f"  {name}, 5 % of the labels changed: {len(found.rows)} found for {planted.sum()}; precision "
            f"{right / len(found.rows):.3f}, recall {right / planted.sum():.3f}; the first label suggested for "
            f"{restored:.3f} of those"
        )


def _against_votes(
    name: str,
    found: LabelErrors,
    rows: NDArray[np.int64],
    clear: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    majority: NDArray[np.int64],
) -> None:
    flagged = rows[found.rows]
    known = clear[flagged]
    print(
        f"  {name}: {len(flagged)} of {len(rows)} found; for {known.sum()} of them more than half of the raters agree,"
    )
    print(f"    with another label than the corpus's for {wrong[flagged][known].mean():.1%}", end="")
    print(f" (of all such faces {wrong[rows].sum() / clear[rows].sum():.1%});", end="")
    print(f" recall {wrong[flagged].sum() / wrong[rows].sum():.3f}", end="")
    print(f"; the majority's label suggested for {(found.suggested == majority[flagged])[known].mean():.1%}")
    for top in (100, 500, 1000):
        print(f"    worst {top}: {wrong[flagged[known][:top]].mean():.1%}")


def _timed(name: str, work: Callable[[], T]) -> T:
    begin, used = time.perf_counter(), time.process_time()
    result = work()
    print(f"  {name}: {time.perf_counter() - begin:.1f} s, {time.process_time() - used:.1f} s of CPU time")
    return result


if __name__ == "__main__":
    main()
