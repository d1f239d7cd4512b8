"""Stopping early, once a figure has not got better for a while."""

from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
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

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        if self.monitor.startswith("validation/") and not pl_module.validated:
            return
        check_logged(trainer, self.monitor, "early_stopping.monitor")
        super().on_train_epoch_end(trainer, pl_module)
        if self.stopping_reason is EarlyStoppingReason.NON_FINITE_METRIC:
            _tell(
                f"{self.monitor} is no finite number any more; try a smaller learning rate or trainer.gradient_clip_val"
            )
        elif trainer.should_stop and self.wait_count >= self.patience:
            _tell(f"{self.monitor} has not got better than {float(self.best_score):.4f} for {self.wait_count} epochs")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Another patience may be given when a run is resumed.
        super().load_state_dict({**state_dict, "patience": self.patience})


@rank_zero_only
def _tell(why: str) -> None:
    print(f"stopped early: {why}", flush=True)  # noqa: T201


def check_logged(trainer: L.Trainer, monitor: str, option: str) -> None:
    """Refuse to watch a figure that nobody logs.

    Raises:
        InputError: `monitor` is not among the figures of this epoch.
    """
    if monitor not in trainer.callback_metrics:
        known = ", ".join(sorted(trainer.callback_metrics))
        raise InputError(f"{option}: nothing is logged as {monitor!r}; there are {known}")
