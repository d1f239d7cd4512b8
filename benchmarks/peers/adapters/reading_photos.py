"""Answers the benchmark's commands about one package that reads whole photos; runs in that package's own environment.

A command is a line of JSON on standard input: the path of a file with the bytes of an RGB picture, and its width and
height. The answer goes, as a line of JSON, to the file descriptor that the first argument names: how many faces were
read, the seconds that it took, and the most memory that the process ever had, in MB. Only the standard library and
numpy are used.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

Read = Callable[[np.ndarray], int]
"""Takes `uint8 (H, W, 3)` RGB, reads all faces in it, and says how many they were."""
ReadFiles = Callable[[Sequence[str]], int]
"""Takes the paths of photos and says how many faces were in them."""


def serve_photos(
    read: Read, labels: Sequence[str], packages: Sequence[str], read_files: ReadFiles | None = None
) -> None:
    """Answer commands until standard input ends."""
    replies = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    greeting = {"labels": list(labels), "versions": {name: version(name) for name in packages}}
    print(json.dumps(greeting), file=replies, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "files" in command:
            assert read_files is not None
            begun = time.perf_counter()
            faces = read_files(command["files"])
        else:
            image = np.fromfile(command["pixels"], np.uint8).reshape(command["height"], command["width"], 3)
            begun = time.perf_counter()
            faces = read(image)
        seconds = time.perf_counter() - begun
        print(json.dumps({"faces": faces, "seconds": seconds, "memory": _most_memory()}), file=replies, flush=True)


def _most_memory() -> float:
    # Not getrusage: what it gives includes the process that started this one.
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024
