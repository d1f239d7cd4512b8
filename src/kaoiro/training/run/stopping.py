"""Stopping early, once a figure has not got better for a while."""

from dataclasses import dataclass
from typing import Literal

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.errors import InputError


def better_direction(monitor: str) -> Literal["min", "max"]:
    """Say whether a logged figure is better the lower or the higher it is: losses and errors fall, the rest rises.

    >>> better_direction("validation/loss"), better_direction("validation/ferplus/accuracy")
    ('min', 'max')
    """
    name = monitor.rpartition("/")[2]
    return "min" if "loss" in name or "error" in name else "max"


@dataclass(frozen=True)
class EarlyStoppingConfig:
    """When to stop.

    Args:
        monitor: the logged figure, for example `validation/accuracy`; every column of `history.csv` is one.
        patience: epochs without improvement after which the run ends.
        min_delta: the least change that counts as an improvement.
    """

    monitor: str = "validation/loss"
    patience: int = 10
    min_delta: float = 0.0

    def check(self) -> None:
        """Refuse what is out of range.

        Raises:
            InputError: an option is out of range.
        """
        if self.patience < 1:
            raise InputError(f"early_stopping.patience must be at least 1, not {self.patience}")
        if self.min_delta < 0:
            raise InputError(f"early_stopping.min_delta must not be negative, but is {self.min_delta}")


class Patience(EarlyStopping):
    """Lightning's early stopping, which also stops at once where a run that had stopped is resumed."""

    def __init__(self, config: EarlyStoppingConfig) -> None:
        super().__init__(
            monitor=config.monitor,
            min_delta=config.min_delta,
            patience=config.patience,
            mode=better_direction(config.monitor),
            check_on_train_epoch_end=True,
        )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        check_logged(trainer, self.monitor, "early_stopping.monitor")
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.should_stop and self.wait_count >= self.patience:
            self._tell()

    @rank_zero_only
    def _tell(self) -> None:
        print(  # noqa: T201
            f"stopped early: {self.monitor} has not got better than {float(self.best_score):.4f} "
            f"for {self.wait_count} epochs",
            flush=True,
        )


def check_logged(trainer: L.Trainer, monitor: str, option: str) -> None:
    """Refuse to watch a figure that nobody logs.

    Raises:
        InputError: `monitor` is not among the figures of this epoch.
    """
    if monitor not in trainer.callback_metrics:
        known = ", ".join(sorted(trainer.callback_metrics))
        raise InputError(f"{option}: nothing is logged as {monitor!r}; there are {known}")
