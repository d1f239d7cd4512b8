"""Keeping the epochs that did best."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from kaoiro.training.run.stopping import better_direction, check_logged


class BestCheckpoint(ModelCheckpoint):
    """Keep the checkpoint of the best epoch as `best.ckpt`, or those of several under their epoch's number.

    Args:
        folder: the run's folder.
        monitor: the logged figure that says which epoch is better.
        count: 1 for `best.ckpt`; more for that many files `epoch-007.ckpt`, epochs counted from 1.
    """

    def __init__(self, folder: Path, monitor: str, count: int = 1) -> None:
        super().__init__(
            dirpath=folder,
            filename="best" if count == 1 else "epoch-{epoch:03d}",
            monitor=monitor,
            mode=better_direction(monitor),
            save_top_k=count,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        # The single best and the best several stand side by side.
        return f"{super().state_key} best {self.save_top_k}"

    def format_checkpoint_name(self, metrics: dict[str, Any], *arguments: Any, **options: Any) -> str:
        # The engine counts from 0, what we print counts from 1.
        counted = {**metrics, "epoch": metrics["epoch"] + 1} if "epoch" in metrics else metrics
        return str(super().format_checkpoint_name(counted, *arguments, **options))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking and not str(self.monitor).startswith("train/"):
            check_logged(trainer, str(self.monitor), "monitor")
        super().on_validation_end(trainer, pl_module)
