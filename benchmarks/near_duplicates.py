"""How many near-duplicates are found, how many of them are right, and what the search costs.

    python benchmarks/near_duplicates.py fer2013.parquet [--flags fer2013.npz] [--sizes 9000 36000 144000]

`--flags` takes an archive with `usage` and `neardup_corr` for the rows of FER2013, worked out once by comparing all
pairs of evaluation and training faces. `--sizes` measures growth on as many faces made out of the corpus's own, each
turned, stretched and laid on a texture of its own, so that hardly any two are alike.
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.near_duplicates import CORRELATION, DuplicatePairs, comparison_pictures, find_pairs

Faces = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--flags", type=Path)
    parser.add_argument("--planted", type=int, default=1000, help="copies of each kind")
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    print(f"machine   {os.cpu_count()} cores, {platform.machine()}; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, opencv {cv2.__version__}")

    start = time.perf_counter()
    faces = comparison_pictures(arguments.corpus)
    decoded = time.perf_counter()
    pairs = find_pairs(faces)
    print(f"time      {decoded - start:.1f} s to decode {len(faces):,} faces, ", end="")
    print(f"{time.perf_counter() - decoded:.1f} s to find pairs")
    strong = pairs.correlation >= CORRELATION
    identical = (faces[pairs.first] == faces[pairs.second]).all(axis=(1, 2))
    print(f"pairs     {len(pairs):,}: identical {identical.sum():,}, correlation from {CORRELATION} ", end="")
    print(f"{strong.sum():,}, by detail alone {(~strong).sum():,}; doubtful {(~pairs.sure).sum():,}")
    if arguments.flags is not None:
        compare_with_flags(pairs, arguments.flags)
    if arguments.planted:
        plant(faces, pairs, arguments.planted)
    for size in arguments.sizes:
        many = varied(faces, size)
        start = time.perf_counter()
        found = find_pairs(many)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"growth    {size:>9,} faces: {seconds:7.1f} s, {1e6 * seconds / size:5.0f} µs a face, ", end="")
        print(f"{len(found):,} pairs, peak memory so far {peak:.1f} GiB", flush=True)


def compare_with_flags(pairs: DuplicatePairs, path: Path) -> None:
    with np.load(path) as flags:
        usage, correlation = flags["usage"], flags["neardup_corr"]
    train = usage == 0
    for number, name in ((1, "PublicTest"), (2, "PrivateTest")):
        part = usage == number
        flagged = part & (correlation >= np.float32(CORRELATION))
        found = pairs.of_against(part, train)
        strong = pairs.select(pairs.correlation >= CORRELATION).of_against(part, train)
        sure = pairs.select(pairs.sure).of_against(part, train)
        print(f"{name:<11} flagged {flagged.sum()}, found by correlation {strong.sum()}, in all {found.sum()} ", end="")
        print(f"(sure {sure.sum()}); flagged and not found {(flagged & ~found).sum()}")


def plant(faces: Faces, pairs: DuplicatePairs, count: int) -> None:
    """Add copies of faces that have no duplicates, and see what is found between copies and the rest."""
    rng = np.random.default_rng(0)
    alone = np.ones(len(faces), np.bool_)
    alone[pairs.first] = alone[pairs.second] = False
    alone &= faces.reshape(len(faces), -1).std(axis=1) > 5
    for kind, copy in KINDS.items():
        sources = rng.choice(np.flatnonzero(alone), count, replace=False)
        planted = np.stack([copy(faces[row], rng) for row in sources])
        found = find_pairs(np.concatenate([faces, planted]))
        concerned = found.second >= len(faces)
        first, second = found.first[concerned], found.second[concerned] - len(faces)
        right = first == sources[second]
        print(f"planted   {kind:<28} recall {right.sum() / count:.3f}, precision {right.mean():.3f}", flush=True)


def jpeg(face: Faces, quality: int) -> Faces:
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(face), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def rescaled(face: Faces, side: int) -> Faces:
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def lit(face: Faces, rng: np.random.Generator) -> Faces:
    return np.clip(face * rng.uniform(0.6, 1.3) + rng.uniform(-40, 40), 0, 255).astype(np.uint8)


def moved(face: Faces, rng: np.random.Generator) -> Faces:
    padded = cv2.copyMakeBorder(face, 3, 3, 3, 3, cv2.BORDER_REPLICATE)
    top, left = rng.integers(0, 7, 2)
    return np.asarray(padded[top : top + 48, left : left + 48], np.uint8)


KINDS: dict[str, Callable[[Faces, np.random.Generator], Faces]] = {
    "mirrored": lambda face, _: face[:, ::-1],
    "rescaled by way of 28 pixels": lambda face, _: rescaled(face, 28),
    "JPEG of quality 20 to 70": lambda face, rng: jpeg(face, int(rng.integers(20, 71))),
    "brightness and contrast": lit,
    "moved by up to 3 pixels": moved,
    "all of these": lambda face, rng: jpeg(lit(moved(rescaled(face, 36)[:, ::-1], rng), rng), 50),
}


def varied(faces: Faces, size: int) -> Faces:
    rng = np.random.default_rng(0)
    made = np.empty((size, 48, 48), np.uint8)
    for place in range(size):
        angle, scale = rng.uniform(-40, 40), rng.uniform(0.8, 1.5)
        matrix = cv2.getRotationMatrix2D((24, 24), angle, scale) + rng.normal(0, 0.15, (2, 3))
        face = cv2.warpAffine(faces[place % len(faces)], matrix, (48, 48), borderMode=cv2.BORDER_REFLECT)
        coarse = rng.normal(0, 45, (12, 12)).astype(np.float32)
        texture = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)
        made[place] = np.clip(face * 0.6 + texture + 50, 0, 255)
    return made


if __name__ == "__main__":
    main()
