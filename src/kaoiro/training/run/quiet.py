"""Keeping the training engine's remarks away from people whom they do not help."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Final

_LOGGERS: Final = ("lightning", "lightning.fabric", "lightning.pytorch")
_WARNINGS: Final = (
    # Batches cut from memory need no worker processes.
    ".*does not have many workers.*",
    # The run's folder is checked before the engine sees it.
    "Checkpoint directory .* exists and is not empty.*",
    # Figures are logged once an epoch, whatever the number of steps.
    "The number of training batches .* is smaller than the logging interval.*",
    # These figures are the same in all processes: torchmetrics has reduced them.
    r"It is recommended to use `self.log\('validation/.*sync_dist=True.*",
    # Between Lightning and the packages it stands on; nothing that a user could act on.
    ".*LeafSpec.*deprecated.*",
    r"\s*By default only one JsonargparseDeprecationWarning.*",
    r"\s*(``)?(ArgumentParser\.)?instantiate_classes.*deprecated.*",
)


@contextlib.contextmanager
def quiet_engine() -> Iterator[None]:
    """Keep back Lightning's tips, its account of the hardware and warnings that do not apply; errors still come."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            for message in _WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
