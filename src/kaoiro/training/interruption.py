"""Ctrl-C that takes effect between two batches, where nothing is half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class Interruption(Callback):
    """Raise `KeyboardInterrupt` before the next batch after a Ctrl-C; a second Ctrl-C takes effect at once.

    Raised just anywhere, the exception may be swallowed by what it interrupts, or cut a checkpoint's writing short.
    """

    def __init__(self) -> None:
        self._wanted = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch Ctrl-C while the block runs; outside the main thread, where Python allows no handlers, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            # Lightning, too, leaves a handler of its own behind.
            signal.signal(signal.SIGINT, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._wanted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _stop_if_wanted(self) -> None:
        if self._wanted:
            raise KeyboardInterrupt

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._stop_if_wanted()

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._stop_if_wanted()
