"""Answers the benchmark's commands about one face detector; runs in that detector's own environment.

A command is a line of JSON on standard input: the path of a file with the bytes of an RGB picture, and its width and
height. The answer goes, as a line of JSON, to the file descriptor that the first argument names: boxes as left, top,
right, bottom, and the seconds that the detector took. Only the standard library and numpy are used.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

Detect = Callable[[np.ndarray], Iterable[Iterable[float]]]
"""Takes `uint8 (H, W, 3)` RGB and gives boxes: left, top, right, bottom."""


def serve_detector(load: Callable[[str], Detect]) -> None:
    """Load the detector that the second argument names and answer commands until standard input ends."""
    replies = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    detect = load(sys.argv[2])
    print(json.dumps({}), file=replies, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        image = np.fromfile(command["pixels"], np.uint8).reshape(command["height"], command["width"], 3)
        begun = time.perf_counter()
        boxes = [[float(value) for value in box] for box in detect(image)]
        print(json.dumps({"boxes": boxes, "seconds": time.perf_counter() - begun}), file=replies, flush=True)
