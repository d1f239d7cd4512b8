"""How long a run is: what schedules and warm-ups are measured against."""

import math
from dataclasses import dataclass

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException

from kaoiro.errors import InputError


@dataclass(frozen=True)
class RunLength:
    """The length of a run; None where it is not known beforehand.

    Args:
        total_steps: optimiser steps in the whole run.
        epochs: planned epochs.
        steps_per_epoch: optimiser steps in an epoch; with gradient accumulation fewer than batches.
    """

    total_steps: int | None
    epochs: int | None
    steps_per_epoch: int | None


def run_length(trainer: L.Trainer) -> RunLength:
    """Measure the run that a Trainer is about to begin; makes the training data loader.

    Raises:
        InputError: gradients are accumulated over a number of batches that changes.
    """
    try:
        total_steps = trainer.estimated_stepping_batches
    except MisconfigurationException as error:
        raise InputError(
            "accumulating gradients over a changing number of batches leaves the run's length open: "
            "set trainer.accumulate_grad_batches to one number"
        ) from error
    batches = trainer.num_training_batches
    known = math.isfinite(batches)
    epochs = trainer.max_epochs
    return RunLength(
        int(total_steps) if math.isfinite(total_steps) and total_steps >= 0 else None,
        epochs if epochs is not None and epochs >= 0 else None,
        math.ceil(batches / trainer.accumulate_grad_batches) if known else None,
    )
