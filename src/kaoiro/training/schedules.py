"""Learning rates over a run, stepped once an optimiser step."""

import math
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Schedule = Literal["one-cycle", "cosine", "constant"]


def schedule_factor(schedule: Schedule, step: int, total_steps: int, warmup: float) -> float:
    """The learning rate at a step, as a share of its peak.

    All schedules begin with a rise over the first `warmup` share of the run: a straight line, for `one-cycle` half a
    cosine from 1/25 of the peak. `one-cycle` and `cosine` then fall along half a cosine to zero.
    Source: Smith and Topin 2019, "Super-Convergence", https://arxiv.org/abs/1708.07120.

    Args:
        schedule: the form.
        step: from 0 to `total_steps`.
        total_steps: optimiser steps in the whole run.
        warmup: share of the run, 0 to below 1.
    """
    rise = warmup * total_steps
    if step < rise:
        if schedule == "one-cycle":
            return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / rise)) / 2
        return (step + 1) / (rise + 1)
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, total_steps - rise)))) / 2


def learning_rate_schedule(optimizer: Optimizer, schedule: Schedule, total_steps: int, warmup: float) -> LambdaLR:
    """Scale every parameter group's learning rate by `schedule_factor`."""
    return LambdaLR(optimizer, lambda step: schedule_factor(schedule, step, total_steps, warmup))
