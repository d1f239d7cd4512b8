"""Keeping the last epoch's checkpoint, and those of the epochs that did best."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from kaoiro.training.run.stopping import better_direction, check_logged


class LastCheckpoint(ModelCheckpoint):
    """Keep the last epoch's checkpoint as `last.ckpt`.

    Args:
        folder: the run's folder. It may have been moved since the run was begun.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        options = {"filename": "last", "save_on_train_epoch_end": True, **options}
        super().__init__(dirpath=folder, auto_insert_metric_name=False, enable_version_counter=False, **options)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Lightning forgets the scores of a folder that has another name now.
        here = Path(str(self.dirpath))

        def moved(path: str) -> str:
            return str(here / Path(path).name) if path else path

        paths = {name: moved(state_dict[name]) for name in _PATHS if state_dict.get(name)}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})
        self.current_score = state_dict["current_score"]  # Lightning leaves it out


_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class BestCheckpoint(LastCheckpoint):
    """Keep the checkpoint of the best epoch as `best.ckpt`, or those of several under their epoch's number.

    Args:
        folder: the run's folder.
        monitor: the logged figure that says which epoch is better.
        count: 1 for `best.ckpt`; more for that many files `epoch-007.ckpt`, epochs counted from 1.
    """

    def __init__(self, folder: Path, monitor: str, count: int = 1) -> None:
        super().__init__(
            folder,
            filename="best" if count == 1 else "epoch-{epoch:03d}",
            monitor=monitor,
            mode=better_direction(monitor),
            save_top_k=count,
            # Figures of the training are complete only then.
            save_on_train_epoch_end=True if monitor.startswith("train/") else None,
        )

    @property
    def state_key(self) -> str:
        # The single best and the best several stand side by side.
        return f"{super().state_key} best {self.save_top_k}"

    def format_checkpoint_name(self, metrics: dict[str, Any], *arguments: Any, **options: Any) -> str:
        # The engine counts from 0, what we print counts from 1.
        counted = {**metrics, "epoch": metrics["epoch"] + 1} if "epoch" in metrics else metrics
        return str(super().format_checkpoint_name(counted, *arguments, **options))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        if pl_module.validated or str(self.monitor).startswith("train/"):
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not str(self.monitor).startswith("train/"):
            check_logged(trainer, str(self.monitor), "monitor")
        super().on_validation_end(trainer, pl_module)
