"""A thread pool's `map` that keeps the order and holds only a few items in memory."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
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
