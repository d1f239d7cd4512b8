"""What happened in each epoch: one line of text, a CSV file and a picture of the curves."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.files import atomic_path, reported_writing
from kaoiro.training.run.curves import save_curves

STEP_LOSS = "train/step_loss"
"""The loss of a single step, for loggers; no figure of an epoch."""


def _validation_in_words(row: Mapping[str, float]) -> str:
    words = [f"loss {row['validation/loss']:.4f}"] if "validation/loss" in row else ["none in this epoch"]
    for score, form in (("accuracy", "{:.2%}"), ("macro_f1", "{:.2%}"), ("concordance", "{:.3f}")):
        heads = [
            f"{name.split('/')[1]} {form.format(value)}".replace("%", " %")
            for name, value in row.items()
            if name.endswith(f"/{score}") and name.count("/") == 2
        ]
        if heads:
            words.append(f"{score} {', '.join(heads)}")
    return ", ".join(words)


LEARNING_RATE = "train/learning_rate"
"""The learning rate of a single step, for loggers."""


class History(Callback):
    """Keep every epoch's figures, print them, and refresh `history.csv` and `curves.png` in the run's folder.

    The figures travel in the checkpoints, so that a resumed run draws the whole of its curves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self._epoch_began = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # A run that is resumed inside an epoch does not start that epoch again.
        self._epoch_began = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_began = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        # What was logged stays there until it is logged again.
        figures = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name not in (STEP_LOSS, LEARNING_RATE) and (pl_module.validated or not name.startswith("validation/"))
        }
        row: dict[str, float] = {
            "epoch": trainer.current_epoch + 1,
            "seconds": time.monotonic() - self._epoch_began,
            "learning_rate": pl_module.learning_rate,
            **figures,
        }
        self.rows.append(row)
        self._report(trainer, row)

    @rank_zero_only
    def _report(self, trainer: L.Trainer, row: dict[str, float]) -> None:
        planned = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs > 0 else None
        of_planned, to_go = ("", "") if planned is None else (f"/{planned}", f", {planned - row['epoch']:.0f} to go")
        print(  # noqa: T201
            f"epoch {row['epoch']:.0f}{of_planned}  loss {row.get('train/loss', float('nan')):.4f}  "
            f"validation: {_validation_in_words(row)}  ({row['seconds']:.0f} s{to_go})",
            flush=True,
        )
        with reported_writing(self.folder):
            self._write_csv(self.folder / "history.csv")
            save_curves(self.rows, self.folder / "curves.png")

    def _write_csv(self, target: Path) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_path(target) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
