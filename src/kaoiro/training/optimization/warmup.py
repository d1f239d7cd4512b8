"""Linear warm-up in front of any schedule: learning rates are scaled for one optimiser step and put back after it.

The scheduler never sees the warm-up, so that recursive schedulers, which compute a rate from the one before, are not
disturbed; and nothing has to be stored, since the factor depends on the step's number alone.
Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2, https://arxiv.org/abs/1706.02677.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from torch.optim import Optimizer

from kaoiro.errors import InputError
from kaoiro.training.optimization.run_length import RunLength


def warmup_factor(step: int, warmup_steps: float) -> float:
    """The share of the learning rate at a step: a straight line that reaches 1 after `warmup_steps` steps.

    Args:
        step: optimiser steps made before, from 0.
        warmup_steps: steps that are below the full rate; 0 for no warm-up.
    """
    return (step + 1) / (warmup_steps + 1) if step < warmup_steps else 1.0


@contextlib.contextmanager
def warmed_up(optimizer: Optimizer, factor: float) -> Iterator[None]:
    """Multiply every group's learning rate by a factor, and give the groups their own rates back at the end."""
    if factor == 1:
        yield
        return
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


@dataclass(frozen=True)
class Warmup:
    """How long the learning rate rises at the beginning: at most one of the three is given.

    Args:
        share: of the run, at least 0 and below 1.
        epochs: at least 0; may be a fraction.
        steps: optimiser steps, at least 0.

    Raises:
        InputError: a value is out of range, or two are given.
    """

    share: float | None = None
    epochs: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share < 1:
            raise InputError(f"warmup must be at least 0 and below 1, a share of the run, not {self.share}")
        named = {"warmup": self.share, "warmup_epochs": self.epochs, "warmup_steps": self.steps}
        given = {name: value for name, value in named.items() if value is not None}
        for name, value in given.items():
            if value < 0:
                raise InputError(f"{name} must not be below 0, but is {value}")
        if len(given) > 1:
            listed = " and ".join(f"{name} {value}" for name, value in given.items())
            raise InputError(f"{listed} are given: keep one of them and set the other to null")

    def in_steps(self, length: RunLength, default_share: float) -> float:
        """The warm-up in optimiser steps.

        Args:
            length: of the run.
            default_share: of the run, where nothing was given.

        Raises:
            InputError: the run does not say how long it is, or is over before the warm-up.
        """
        if self.steps is not None:
            warmup_steps: float = self.steps
        elif self.epochs is not None:
            if self.epochs > 0 and length.steps_per_epoch is None:
                raise InputError(
                    f"warmup_epochs {self.epochs} needs the number of steps in an epoch, which this run does not know: "
                    "give warmup_steps"
                )
            warmup_steps = self.epochs * (length.steps_per_epoch or 0)
        else:
            share = default_share if self.share is None else self.share
            if share > 0 and length.total_steps is None:
                raise InputError(
                    f"a warm-up over a share of the run ({share}) needs its length: set trainer.max_epochs or "
                    "trainer.max_steps, or give warmup_steps"
                )
            warmup_steps = share * (length.total_steps or 0)
        if length.total_steps is not None and warmup_steps >= max(length.total_steps, 1):
            raise InputError(
                f"the warm-up takes {warmup_steps:g} optimiser steps, and the whole run has {length.total_steps}: "
                "shorten the warm-up or train longer"
            )
        return warmup_steps
