"""A thread pool's `map` that keeps the order and holds only a few items in memory; what threads share of it."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def available_cores() -> int:
    """CPU cores that this process may use; a container or `taskset` may leave it fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[T], R], items: Iterable[T], threads: int | None = None, ahead: int = 4
) -> Generator[R, None, None]:
    """Yield `function(item)` for each item, in the items' order, worked out by a pool of threads.

    Items are drawn only as results are taken, so an endless iterable is fine. An error in `function` comes
    out at its item's place; closing the generator drops the work that has not begun.

    Args:
        function: must be safe to run in several threads at once.
        items: iterated in the caller's thread.
        threads: their number; by default the number of CPU cores.
        ahead: how many items each thread may be ahead of the consumer; many small items run faster with more.
    """
    threads = threads or available_cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ordered_map")
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Budget:
    """An amount of something scarce, for example memory, that several threads share.

    Args:
        total: how much there is.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._in_use = 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, amount: int) -> Iterator[None]:
        """Hold an amount while the block runs, from when the others leave so much.

        Who wants more than there is waits until nobody else holds any.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._in_use == 0 or self._in_use + amount <= self._total)
            self._in_use += amount
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= amount
                self._changed.notify_all()
