"""What happened in each epoch: one line of text, a CSV file and a picture of the curves."""

import csv
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.files import atomic_path
from kaoiro.training.curves import save_curves


class History(Callback):
    """Keep every epoch's figures, print them, and refresh `history.csv` and `curves.png` in the run's folder.

    The figures travel in the checkpoints, so that a resumed run draws the whole of its curves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self._epoch_began = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_began = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "seconds": time.monotonic() - self._epoch_began,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            **figures,
        }
        self.rows.append(row)
        self._report(trainer, row)

    @rank_zero_only
    def _report(self, trainer: L.Trainer, row: dict[str, float]) -> None:
        accuracies = ", ".join(
            f"{name.split('/')[1]} {100 * value:.2f} %"
            for name, value in row.items()
            if name.endswith("/accuracy") and name.count("/") == 2
        )
        left = (trainer.max_epochs or 0) - trainer.current_epoch - 1
        print(  # noqa: T201
            f"epoch {row['epoch']:.0f}/{trainer.max_epochs}  loss {row.get('train/loss', float('nan')):.4f}  "
            f"validation: loss {row.get('validation/loss', float('nan')):.4f}, accuracy {accuracies}  "
            f"({row['seconds']:.0f} s, {left} to go)",
            flush=True,
        )
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
