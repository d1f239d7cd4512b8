"""Answers the benchmark's commands about one classifier; runs in that classifier's own environment.

An adapter calls `serve` with a function from faces to scores. Commands come as lines of JSON on standard input, answers
go as lines of JSON to the file descriptor that the first argument names; what a package prints goes to standard error.
Only the standard library and numpy are used, so that every environment can run it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

SIDE = 48

Classify = Callable[[np.ndarray], np.ndarray]
"""Takes `uint8 (n, 48, 48)` grey and gives `(n, labels)`, the higher the likelier."""


def serve(load: Callable[[], tuple[Classify, Sequence[str]]], packages: Sequence[str]) -> None:
    """Load a classifier and answer commands until standard input ends.

    Args:
        load: gives the classifier and the names of its answers in their order.
        packages: the distributions whose versions are reported.
    """
    replies = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    classify, labels = load()
    greeting = {"labels": list(labels), "versions": {name: version(name) for name in packages}}
    print(json.dumps(greeting), file=replies, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        faces = np.fromfile(command["faces"], np.uint8).reshape(-1, SIDE, SIDE)
        if "scores" in command:
            parts = [classify(faces[start : start + 64]) for start in range(0, len(faces), 64)]
            scores = np.concatenate(parts).astype("<f4")
            Path(command["scores"]).write_bytes(scores.tobytes())
            answer: dict[str, object] = {"n": len(scores)}
        else:
            answer = {"seconds": _seconds(classify, faces, command["batch"], command["budget"])}
        print(json.dumps(answer), file=replies, flush=True)


def _seconds(classify: Classify, faces: np.ndarray, batch: int, budget: float) -> list[float]:
    """Time single calls on batches, one after the other, until the budget is used up; at least one."""
    seconds: list[float] = []
    begun = time.perf_counter()
    while not seconds or time.perf_counter() - begun < budget:
        first = len(seconds) * batch % (len(faces) - batch + 1)
        some = faces[first : first + batch]
        called = time.perf_counter()
        classify(some)
        seconds.append(time.perf_counter() - called)
    return seconds
