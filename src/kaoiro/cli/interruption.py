"""Ctrl-C as a wish to come to an end, not as an accident."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interruption:
    """Tells whether Ctrl-C was pressed."""

    happened: bool = False


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[Interruption]:
    """Within the block, let the first Ctrl-C call `stop`; a second one interrupts as usual.

    Args:
        stop: asks the work to end soon; it runs as a signal handler.
    """
    interruption = Interruption()
    usual = signal.getsignal(signal.SIGINT)

    def handle(_number: int, _frame: FrameType | None) -> None:
        interruption.happened = True
        signal.signal(signal.SIGINT, usual)
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, usual)
