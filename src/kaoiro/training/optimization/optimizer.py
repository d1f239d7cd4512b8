"""The optimiser and its schedule, put together for a run, and what a training module does with them at each step."""

import contextlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from kaoiro.errors import InputError
from kaoiro.training.optimization.factories import made_class
from kaoiro.training.optimization.parameter_groups import ParameterGroup
from kaoiro.training.optimization.run_length import RunLength
from kaoiro.training.optimization.schedules import (
    Interval,
    Schedule,
    interval_of,
    monitor_of,
    rehearse,
    schedule_by_class,
    schedule_by_word,
)
from kaoiro.training.optimization.warmup import Warmup, warmed_up, warmup_factor
from kaoiro.training.run.stopping import check_logged

DEFAULT_RISE = 0.15
"""Share of the run in which `one-cycle`, `cosine` and `constant` rise where no warm-up is given."""

REHEARSED_STEPS = 20_000
"""A schedule is tried beforehand over at most so many steps, which take well under a second."""


@dataclass(frozen=True)
class Optimization:
    """An optimiser with its schedule.

    Args:
        optimizer: over the parameter groups; each has a `name`.
        scheduler: over the optimiser.
        interval: when the scheduler is stepped.
        monitor: the logged value that ReduceLROnPlateau watches; None for all others.
        warmup_steps: optimiser steps in which the learning rates are scaled from outside; 0 where the schedule has its
            own rise.
    """

    optimizer: Optimizer
    scheduler: LRScheduler
    interval: Interval
    monitor: str | None
    warmup_steps: float

    def for_lightning(self) -> dict[str, Any]:
        """What `LightningModule.configure_optimizers` returns."""
        # Lightning would step ReduceLROnPlateau only after the epoch's checkpoint is written, and a resumed run would
        # miss that step. `epoch_ended` does it in time instead.
        scheduler = {"scheduler": self.scheduler, "interval": self.interval, "reduce_on_plateau": False}
        return {"optimizer": self.optimizer, "lr_scheduler": scheduler}

    def warmed_up(self, step: int) -> contextlib.AbstractContextManager[None]:
        """Scale the learning rates for one optimiser step, `LightningModule.optimizer_step`.

        Args:
            step: optimiser steps made before, `trainer.global_step`.
        """
        return warmed_up(self.optimizer, warmup_factor(step, self.warmup_steps))

    def learning_rates(self, step: int) -> dict[str, float]:
        """The learning rate of each parameter group at a step, warm-up included, by the group's name."""
        factor = warmup_factor(step, self.warmup_steps)
        return {
            # A checkpoint of an earlier version brings groups without names.
            group.get("name", str(place)): float(group["lr"]) * factor
            for place, group in enumerate(self.optimizer.param_groups)
        }

    def step_scheduler(self) -> None:
        """Step the scheduler, `LightningModule.lr_scheduler_step`; ReduceLROnPlateau has its step in `epoch_ended`."""
        if self.monitor is None:
            self.scheduler.step()

    def epoch_ended(self, trainer: L.Trainer, *, validated: bool = True) -> None:
        """Step ReduceLROnPlateau, `LightningModule.on_train_epoch_end`; nothing for other schedulers.

        Args:
            trainer: which has the logged values.
            validated: whether this epoch has had a validation; without one there is nothing new to watch.

        Raises:
            InputError: the value that it watches is not logged.
        """
        if self.monitor is None:
            return
        if self.monitor.startswith("validation/") and not validated:
            return
        check_logged(trainer, self.monitor, "ReduceLROnPlateau")
        # Each process may have logged a value of its own, and all must take the same step.
        value: float = trainer.strategy.broadcast(float(trainer.callback_metrics[self.monitor]))
        assert isinstance(self.scheduler, ReduceLROnPlateau)
        self.scheduler.step(value)


def build_optimizer(
    groups: Iterable[ParameterGroup],
    optimizer: Callable[[Iterable[Any]], Optimizer],
    schedule: Schedule,
    length: RunLength,
    warmup: Warmup,
    *,
    logged: Collection[str] | None = None,
) -> Optimization:
    """Put the optimiser and its schedule together; whatever does not fit is refused here, before the first step.

    Args:
        groups: the parameters, from `parameter_groups`.
        optimizer: makes the optimiser from parameter groups.
        schedule: a word, or what makes a scheduler from the optimiser.
        length: of the run, from `run_length`.
        warmup: the rise at the beginning. Where none is given, the words have `DEFAULT_RISE` and classes none.
        logged: names of the values that the run logs, for ReduceLROnPlateau; None where they are not known yet.

    Raises:
        InputError: the optimiser or the schedule cannot be made, they do not fit together, or not to the run.
    """
    groups = list(groups)
    _check_optimizer_class(optimizer)
    rise = warmup.in_steps(length, DEFAULT_RISE if isinstance(schedule, str) else 0.0)
    made = _make_optimizer(groups, optimizer)
    if isinstance(schedule, str):
        return Optimization(made, schedule_by_word(made, schedule, length, rise), "step", None, 0.0)
    rates = [group.rate for group in groups]
    scheduler = schedule_by_class(made, schedule, length, rates)
    interval, monitor = interval_of(scheduler), monitor_of(scheduler, logged)
    stand_ins = [
        ParameterGroup(group.name, [nn.Parameter(torch.zeros(1, 1))], group.decayed, group.rate) for group in groups
    ]
    rehearse(
        schedule_by_class(_make_optimizer(stand_ins, optimizer), schedule, length, rates),
        min((length.total_steps if interval == "step" else length.epochs) or 0, REHEARSED_STEPS),
    )
    return Optimization(made, scheduler, interval, monitor, rise)


def _check_optimizer_class(optimizer: Callable[[Iterable[Any]], Optimizer]) -> None:
    made = made_class(optimizer)
    if made is not None and issubclass(made, torch.optim.LBFGS):
        raise InputError(
            "LBFGS cannot be used: it needs the loss of the whole corpus at every step, not of a batch, and takes no "
            "parameter groups; take SGD or AdamW"
        )
    if made is not None and issubclass(made, torch.optim.SparseAdam):
        raise InputError(
            "SparseAdam cannot be used: it needs sparse gradients, and these networks have none; take Adam"
        )


def _make_optimizer(groups: list[ParameterGroup], optimizer: Callable[[Iterable[Any]], Optimizer]) -> Optimizer:
    described: list[dict[str, Any]] = [
        {"params": group.parameters, "name": group.name, **({} if group.decayed else {"weight_decay": 0.0})}
        for group in groups
    ]
    try:
        made = optimizer(described)
    except (TypeError, ValueError) as error:
        name = getattr(made_class(optimizer), "__name__", "the optimiser")
        raise InputError(f"{name} cannot be used: {error}") from error
    for group, description in zip(made.param_groups, groups, strict=True):
        if not isinstance(group.get("lr"), (float, int, torch.Tensor)) or not math.isfinite(group["lr"]):
            raise InputError(f"{type(made).__name__} has no learning rate `lr` that a schedule could move")
        group["lr"] = group["lr"] * description.rate
    return made
