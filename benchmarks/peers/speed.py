"""Timing classifiers in turns, so that whatever else the machine does falls on all of them alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from peers.contestant import Contestant, ContestantError

BATCH: Final = 64
_WARM_UP: Final = 0.5
_ONE_FACE_BUDGET: Final = 0.4
_BATCH_BUDGET: Final = 0.6


@dataclass(frozen=True)
class Speed:
    """One classifier's times, a round each: from grey pixels to scores, its own enlarging and scaling included."""

    one_face: list[float]
    """Median seconds of a call with one face."""
    throughput: list[float]
    """Faces a second in calls with `BATCH` faces: of the median call."""


@dataclass(frozen=True)
class Ratio:
    """Median over the rounds, with the smallest and the largest."""

    value: float
    low: float
    high: float


def measure_in_turns(
    contestants: Sequence[Contestant],
    faces: NDArray[np.uint8],
    rounds: int,
    on_failure: Callable[[str, ContestantError], None],
) -> dict[str, Speed]:
    """Time each classifier once a round, after one round that is not counted.

    Args:
        contestants: the classifiers.
        faces: `uint8 (n, 48, 48)`, at least `BATCH`.
        rounds: how many are counted.
        on_failure: told of a classifier whose process ended; it is left out from then on.
    """
    running = {contestant.name: contestant for contestant in contestants}
    speeds = {name: Speed([], []) for name in running}
    for number in range(rounds + 1):
        for name, contestant in list(running.items()):
            time.sleep(0.05)  # lets the threads of the one before come to rest
            budgets = (_ONE_FACE_BUDGET, _BATCH_BUDGET) if number else (_WARM_UP, _WARM_UP)
            try:
                single = median(contestant.seconds(faces, 1, budgets[0]))
                batch = median(contestant.seconds(faces, BATCH, budgets[1]))
            except ContestantError as error:
                on_failure(name, error)
                del running[name], speeds[name]
                continue
            if number:
                speeds[name].one_face.append(single)
                speeds[name].throughput.append(BATCH / batch)
    return speeds


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Divide two classifiers' figures round by round."""
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
