"""Training that is killed at a chosen moment, as by `kill -9`, in a process of its own."""

import multiprocessing
import os
import signal
import time

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["kaoiro.training.run.command"])


class KillAt(Callback):
    """Kill this process.

    Args:
        epoch: in which it happens, from 0.
        batch: at whose beginning; None for the writing of the epoch's checkpoints.
    """

    def __init__(self, epoch: int, batch: int | None) -> None:
        self.epoch, self.batch = epoch, batch

    def on_train_batch_start(self, trainer: L.Trainer, pl_module, batch, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == (self.epoch, self.batch):
            # The moment that a slow disk may take to get the last checkpoint is over by now on a real machine.
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        if trainer.current_epoch == self.epoch and self.batch is None:
            torch.save = _half


def _half(content, file) -> None:
    file.write(b"the first half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def _train(arguments: list[str]) -> None:
    from kaoiro.training.run.command import train

    torch.set_num_threads(1)
    train(arguments)


def train_and_kill(arguments: list[str], epoch: int, batch: int | None) -> None:
    """Run `kaoiro train` until it kills itself."""
    place = (
        f"{{class_path: killing.KillAt, init_args: {{epoch: {epoch}, batch: {'null' if batch is None else batch}}}}}"
    )
    process = _CONTEXT.Process(target=_train, args=([*arguments, f"--trainer.callbacks=[{place}]"],))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL
