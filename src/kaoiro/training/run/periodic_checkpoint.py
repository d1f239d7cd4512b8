"""A checkpoint every so many steps, for epochs that are too long to lose."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint


class PeriodicCheckpoint(Checkpoint):
    """Write the run's last checkpoint every `steps` optimiser steps within an epoch.

    The end of an epoch has a checkpoint of its own, after validation, so none is written at its last batch. As a
    `Checkpoint`, Lightning runs it after all other callbacks, whose state it saves.

    Args:
        path: the file.
        steps: optimiser steps from one checkpoint to the next.
    """

    def __init__(self, path: Path, steps: int) -> None:
        self.path = path
        self.steps = steps
        self._written_at = 0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = trainer.global_step % self.steps == 0 and trainer.global_step > self._written_at
        if due and not trainer.is_last_batch:
            self._written_at = trainer.global_step
            trainer.save_checkpoint(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"written_at": self._written_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._written_at = state_dict["written_at"]
