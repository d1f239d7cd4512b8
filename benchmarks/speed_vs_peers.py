"""Whole photos, from pixels to expressions: Kaoiro beside other packages, the same photos, one run (Linux).

    python benchmarks/speed_vs_peers.py --photos FOLDER
    python benchmarks/speed_vs_peers.py --photos FOLDER --folder-photos 3000 --peers

The folder holds `solvay_conference_1927.jpg` (1024 × 741 pixels, public domain). Parts of it with one to six faces and
the portrait in the repository, each 640 pixels long, are what everyone reads. Peers are installed by
`accuracy_vs_peers.py --set-up`. Prints Markdown.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_target
from kaoiro.recognition.model_file import DEFAULT_MODEL
from peers.catalogue import PEERS
from peers.contestant import ContestantError
from peers.environments import ADAPTERS, command, problem
from peers.machine import machine
from peers.photo_reader import PhotoFile, PhotoReader
from peers.photos import Photo, photos, variants, write

_OURS: Final = "kaoiro"
_READERS: Final = {
    "fer, Haar": ("fer", "python_photos.py", "fer"),
    "facex, Haar": ("facex", "python_photos.py", "facex"),
    "facial-emotion-recognition, MTCNN": (
        "facial-emotion-recognition",
        "python_photos.py",
        "facial-emotion-recognition",
    ),
    "face-api, tiny": ("face-api", "js_photos.js", "tiny"),
    "face-api, SSD": ("face-api", "js_photos.js", "ssd"),
    "human": ("human", "js_photos.js", "human"),
}
"""By the name in tables: whose environment, which adapter, and its last argument."""


@dataclass
class Result:
    """What one package did; a figure a round in each list."""

    single: list[float] = field(default_factory=list)
    """Seconds of one photo, the mean over all photos."""
    slowest: float = 0.0
    """Seconds of the photo that took longest: its median over the rounds."""
    rate: list[float] = field(default_factory=list)
    """Photos a second, one after the other."""
    memory: float = 0.0
    """The most memory that its process had, in MB."""
    found: list[int] = field(default_factory=list)
    """Faces found, by photo."""


def main() -> None:
    arguments = _parser().parse_args()
    try:
        _compare(arguments)
    except (InputError, ContestantError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER", help="where the Solvay photo lies")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"default: all of {', '.join(_READERS)}")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=int, default=5, help="in which all are timed in turn, after one uncounted")
    parser.add_argument("--folder-photos", type=int, default=300, metavar="N", help="how many files make the folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file")
    parser.add_argument("--environments", type=Path, default=Path("build/peers"), metavar="FOLDER")
    return parser


def _compare(arguments: argparse.Namespace) -> None:
    for option, least in (("rounds", 1), ("folder_photos", 1)):
        if getattr(arguments, option) < least:
            raise InputError(f"--{option.replace('_', '-')} must be at least {least}")
    for name in arguments.peers or ():
        if name not in _READERS:
            raise InputError(f"unknown peer {name!r}; choose from {', '.join(map(repr, _READERS))}")
    if arguments.json is not None:
        check_target(arguments.json)
    base = photos(arguments.photos)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="photos-")))
        pixels = [_pixels(photo, folder) for photo in base]
        files = [write(photo, folder) for photo in variants(base, arguments.folder_photos)]
        readers, left_out = _readers(arguments, stack)
        results = _timed(readers, pixels, files, arguments.rounds, left_out)
    print(_markdown(base, results, len(files), load))
    for name, reason in left_out.items():
        print(f"\nLeft out: {name}: {reason}")
    if arguments.json is not None:
        report = {
            "machine": machine(),
            "load_before": load,
            "photos": {photo.name: photo.faces for photo in base},
            "files": len(files),
            "results": {name: asdict(result) for name, result in results.items()},
            "versions": {reader.name: reader.versions for reader in readers},
            "left_out": left_out,
        }
        with atomic_path(arguments.json) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _pixels(photo: Photo, folder: Path) -> PhotoFile:
    path = folder / f"{photo.name}.rgb"
    photo.image.tofile(path)
    return PhotoFile(path, photo.image.shape[1], photo.image.shape[0])


def _readers(arguments: argparse.Namespace, stack: ExitStack) -> tuple[list[PhotoReader], dict[str, str]]:
    ours = [sys.executable, str(ADAPTERS / "kaoiro_photos.py")]
    readers = [stack.enter_context(PhotoReader(_OURS, ours, [arguments.model]))]
    left_out: dict[str, str] = {}
    for name in _READERS if arguments.peers is None else arguments.peers:
        environment, adapter, which = _READERS[name]
        reason = problem(PEERS[environment], arguments.environments)
        if reason is None:
            before, after = command(PEERS[environment], arguments.environments)
            before[-1] = str(ADAPTERS / adapter)
            try:
                readers.append(stack.enter_context(PhotoReader(name, before, [*after, which])))
            except ContestantError as error:
                reason = str(error)
        if reason is not None:
            left_out[name] = reason
    return readers, left_out


def _timed(
    readers: Sequence[PhotoReader],
    pixels: Sequence[PhotoFile],
    files: Sequence[Path],
    rounds: int,
    left_out: dict[str, str],
) -> dict[str, Result]:
    """Let each package read every photo once a round; the first round only warms up."""
    results = {reader.name: Result() for reader in readers}
    seconds: dict[str, list[list[float]]] = {reader.name: [] for reader in readers}
    for number in range(rounds + 1):
        for reader in readers:
            if reader.name in left_out:
                continue
            result = results[reader.name]
            try:
                answers = [reader.read(photo) for photo in pixels]
                if number:
                    seconds[reader.name].append([answer.seconds for answer in answers])
                    result.single.append(sum(seconds[reader.name][-1]) / len(pixels))
                    if reader.name != _OURS:
                        result.rate.append(1 / result.single[-1])
                result.found = [answer.faces for answer in answers]
                result.memory = answers[-1].memory
                if reader.name == _OURS:
                    some = files if number else files[: len(pixels)]
                    answer = reader.read_files(some)
                    result.memory = answer.memory
                    if number:
                        result.rate.append(len(some) / answer.seconds)
            except ContestantError as error:
                left_out[reader.name] = str(error)
                del results[reader.name]
    for name, result in results.items():
        result.slowest = max(median(times) for times in zip(*seconds[name], strict=True))
    return results


def _markdown(base: Sequence[Photo], results: dict[str, Result], files: int, load: float) -> str:
    there = [photo.faces for photo in base]
    lines = [
        f"{len(base)} photos of 640 pixels with one to six faces, {sum(there)} faces in all; {machine()}; load average "
        f"before: {load:.1f}. Medians over rounds in turn [smallest, largest].",
        "",
        "| | one warm photo, ms | slowest photo, ms | times ours | photos/s | memory, MB | faces found | photos with a "
        "wrong number |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = results.get(_OURS)
    for name, result in results.items():
        ratio = ""
        if ours is not None and result is not ours:
            ratio = _spread([other / own for other, own in zip(result.single, ours.single, strict=True)], 1)
        wrong = sum(found != faces for found, faces in zip(result.found, there, strict=True))
        lines.append(
            f"| {name} | {_spread([1000 * one for one in result.single], 1)} | {1000 * result.slowest:.1f} | {ratio} | "
            f"{_spread(result.rate, 1)} | {result.memory:.0f} | {sum(result.found)} | {wrong} |"
        )
    lines += [
        "",
        "Everyone gets decoded pixels, one photo a call. Photos a second: for others one call after the other without "
        f"decoding; for {_OURS} `read_pictures` on JPEG files, decoding included, {files} files in a round.",
    ]
    return "\n".join(lines)


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


if __name__ == "__main__":
    main()
