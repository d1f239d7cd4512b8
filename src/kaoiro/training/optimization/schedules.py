"""Learning rates over a run: our own schedules by a word, and torch's by class, each stepped at its right moment."""

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, get_args

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from kaoiro.errors import InputError
from kaoiro.training.optimization.factories import given_arguments, made_class
from kaoiro.training.optimization.run_length import RunLength
from kaoiro.training.optimization.warmup import warmup_factor
from kaoiro.training.run.stopping import better_direction

ScheduleWord = Literal["one-cycle", "cosine", "constant"]
Schedule = ScheduleWord | Callable[[Optimizer], LRScheduler]
Interval = Literal["step", "epoch"]

DEFAULT_MONITOR = "validation/loss"

_PER_STEP = (lr_scheduler.CyclicLR, lr_scheduler.OneCycleLR)
_RATES = ("max_lr", "base_lr", "min_lr", "swa_lr")
"""Arguments of torch's schedulers that are learning rates and may be given for each parameter group."""


class ReduceLROnPlateau(lr_scheduler.ReduceLROnPlateau):
    """torch's ReduceLROnPlateau, told which value to watch.

    Args:
        optimizer: whose learning rates are lowered.
        monitor: the name of any logged value, for example `validation/accuracy`.
        mode: `min` where lower is better, else `max`; by default told from the value's name.
        **kwargs: as in torch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str = DEFAULT_MONITOR,
        mode: Literal["min", "max"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer, mode=mode or better_direction(monitor), **kwargs)
        self.monitor = monitor


def schedule_factor(schedule: ScheduleWord, step: int, total_steps: float, rise: float) -> float:
    """The learning rate at a step, as a share of its peak.

    All of them begin with a rise: a straight line, for `one-cycle` half a cosine from 1/25 of the peak. `one-cycle` and
    `cosine` then fall along half a cosine to zero.
    Source: Smith and Topin 2019, "Super-Convergence", https://arxiv.org/abs/1708.07120.

    Args:
        schedule: the form.
        step: from 0 to `total_steps`.
        total_steps: optimiser steps in the whole run; infinity will do for `constant`.
        rise: steps of the rise, 0 to below `total_steps`; need not be whole.
    """
    if step < rise:
        if schedule == "one-cycle":
            return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / rise)) / 2
        return warmup_factor(step, rise)
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, total_steps - rise)))) / 2


def schedule_by_word(optimizer: Optimizer, schedule: ScheduleWord, length: RunLength, rise: float) -> LambdaLR:
    """Scale every parameter group's learning rate by `schedule_factor`, once an optimiser step.

    Raises:
        InputError: the schedule ends with the run, and the run's length is not known.
    """
    if schedule != "constant" and length.total_steps is None:
        raise InputError(
            f"the schedule {schedule!r} needs the run's length: set trainer.max_epochs or trainer.max_steps"
        )
    total_steps = math.inf if length.total_steps is None else length.total_steps
    return LambdaLR(optimizer, lambda step: schedule_factor(schedule, step, total_steps, rise))


def schedule_by_class(
    optimizer: Optimizer, schedule: Callable[..., LRScheduler], length: RunLength, rates: Sequence[float]
) -> LRScheduler:
    """Make a scheduler of torch's kind over an optimiser.

    OneCycleLR learns the run's length here. Where the parameter groups have factors, learning rates among the
    arguments (`max_lr`, `base_lr`, `min_lr`) are scaled for each group.

    Args:
        optimizer: its groups' learning rates are scaled already.
        schedule: makes the scheduler from an optimiser.
        length: of the run.
        rates: the factor of each parameter group.

    Raises:
        InputError: the arguments do not fit the optimiser, the run or one another.
    """
    made, given = made_class(schedule), given_arguments(schedule)
    name = made.__name__ if made else "the schedule"
    if made is not None and issubclass(made, (lr_scheduler.SequentialLR, lr_scheduler.ChainedScheduler)):
        raise InputError(
            f"{name} joins schedulers that exist already, which a configuration cannot give; "
            "for a rise at the beginning use warmup, for anything else a scheduler class of your own"
        )
    extra: dict[str, Any] = {}
    if made is not None and issubclass(made, lr_scheduler.OneCycleLR):
        extra |= _whole_run(name, given, length)
    if any(rate != 1 for rate in rates):
        extra |= {
            argument: [given[argument] * rate for rate in rates]
            for argument in _RATES
            if isinstance(given.get(argument), (int, float))
        }
    cycles = made is not None and issubclass(made, _PER_STEP) and given.get("cycle_momentum", True)
    if cycles and not _momentum(optimizer):
        raise InputError(
            f"{name} moves the momentum along with the learning rate, and {type(optimizer).__name__} has none here: "
            "give the optimiser a momentum, or the schedule cycle_momentum: false"
        )
    lowest = min(float(group["lr"]) for group in optimizer.param_groups)
    if given.get("eta_min", 0) > lowest:
        raise InputError(
            f"{name} would raise the learning rate: its eta_min is {given['eta_min']}, and the optimiser's lowest "
            f"learning rate {lowest:g}"
        )
    try:
        scheduler = schedule(optimizer, **extra)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise InputError(f"{name} cannot be used: {error}") from error
    if not isinstance(scheduler, LRScheduler):
        raise InputError(f"the schedule gave a {type(scheduler).__name__}, which is no torch LRScheduler")
    return scheduler


def interval_of(scheduler: LRScheduler) -> Interval:
    """Say when a scheduler given by class is stepped: CyclicLR and OneCycleLR once an optimiser step, others an epoch.

    A scheduler class of the user's own is stepped once an epoch unless it has the class attribute `interval = "step"`.

    Raises:
        InputError: the attribute is neither `step` nor `epoch`.
    """
    by_class: Interval = "step" if isinstance(scheduler, _PER_STEP) else "epoch"
    interval: Interval = getattr(type(scheduler), "interval", by_class)
    if interval not in get_args(Interval):
        raise InputError(f"{type(scheduler).__name__}.interval must be 'step' or 'epoch', not {interval!r}")
    return interval


def monitor_of(scheduler: LRScheduler, logged: Collection[str] | None) -> str | None:
    """Name the value that a scheduler watches; None for all but ReduceLROnPlateau.

    Args:
        scheduler: torch's ReduceLROnPlateau watches `validation/loss`, one with the attribute `monitor` that value.
        logged: names of the values that the run logs; None where they are not known yet.

    Raises:
        InputError: the value is not logged, or the scheduler waits for it to move in the wrong direction.
    """
    if not isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        return None
    monitor: str = getattr(scheduler, "monitor", DEFAULT_MONITOR)
    if logged is not None and monitor not in logged:
        raise InputError(f"ReduceLROnPlateau: nothing is logged as {monitor!r}; there are {', '.join(sorted(logged))}")
    better = better_direction(monitor)
    # With the class of ours, another mode is what the user asked for.
    if not isinstance(scheduler, ReduceLROnPlateau) and scheduler.mode != better:
        raise InputError(
            f"ReduceLROnPlateau watches {monitor}, which is better the {'lower' if better == 'min' else 'higher'} it "
            f"is, but its mode is {scheduler.mode}: set mode: {better}"
        )
    return monitor


def rehearse(scheduler: LRScheduler, steps: int) -> None:
    """Step a scheduler as a run will, so that what breaks in the middle of a run comes out before it begins.

    Args:
        scheduler: one of its own, over an optimiser of its own; both are used up.
        steps: how often it will be stepped.

    Raises:
        InputError: a step fails, or a learning rate is negative or not finite.
    """
    name = type(scheduler).__name__
    with warnings.catch_warnings():
        # The optimiser makes no steps here.
        warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler\.step\(\)` before")
        for step in range(steps + 1):
            for group in scheduler.optimizer.param_groups:
                if not (math.isfinite(group["lr"]) and group["lr"] >= 0):
                    raise InputError(f"{name} gives the learning rate {group['lr']} after {step} of its steps")
            if step == steps:
                return
            try:
                if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                    scheduler.step(0.0)
                else:
                    scheduler.step()
            except (ArithmeticError, TypeError, ValueError) as error:
                raise InputError(f"{name} fails at its step {step + 1}: {error}") from error


def _whole_run(name: str, given: Mapping[str, Any], length: RunLength) -> dict[str, Any]:
    """The length of the run for OneCycleLR, and a check of what was given of it."""
    if length.total_steps is None:
        raise InputError(f"{name} needs the run's length: set trainer.max_epochs or trainer.max_steps")
    run = {"total_steps": length.total_steps, "epochs": length.epochs, "steps_per_epoch": length.steps_per_epoch}
    for argument, value in run.items():
        if given.get(argument) not in (None, value):
            raise InputError(
                f"{name} is given {argument} {given[argument]}, but the run has {value}: leave it out, it is filled in"
            )
    return {"total_steps": length.total_steps, "epochs": None, "steps_per_epoch": None}


def _momentum(optimizer: Optimizer) -> float:
    """The momentum that OneCycleLR and CyclicLR would move, 0 where there is none."""
    group = optimizer.param_groups[0]
    momentum: float = group["betas"][0] if "betas" in group else group.get("momentum", 0.0)
    return momentum
