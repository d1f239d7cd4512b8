"""Ctrl-C that takes effect between two batches, where nothing is half done, and in all processes at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from kaoiro.training.processes.distributed import Agreement


class Interruption(Callback):
    """Raise `KeyboardInterrupt` before the next batch after a Ctrl-C or SIGTERM; a second Ctrl-C works at once.

    Raised just anywhere, the exception may be swallowed by what it interrupts, or cut a checkpoint's writing short.
    Several processes stop before the same batch: one that left alone would break the others' connections to it.

    Args:
        timeout: how long a process waits for the others before the run counts as lost.
    """

    def __init__(self, timeout: timedelta = timedelta(minutes=10)) -> None:
        self._timeout = timeout
        self._wanted = False
        self._listening = False
        self._agreement: Agreement | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch both signals while the block runs; outside the main thread, where Python allows no handlers, do not."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
            # Lightning, too, leaves a handler of its own behind.
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._wanted = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _keep_listening(self) -> None:
        # Lightning puts a handler of its own before ours. It calls a collective operation in the middle of whatever
        # it interrupts, which the other processes may never answer.
        if self._listening:
            signal.signal(signal.SIGTERM, self._note)

    def _stop_if_wanted(self) -> None:
        if self._agreement.any_says(self._wanted) if self._agreement else self._wanted:
            raise KeyboardInterrupt

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._agreement = Agreement(self._timeout) if trainer.world_size > 1 else None

    def on_sanity_check_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._keep_listening()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._keep_listening()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._stop_if_wanted()

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._stop_if_wanted()
