"""Work that one thread does for another: a few items ahead of it, or a few behind."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")

_LOOK_AROUND: Final = 0.1
"""Seconds after which whoever waits looks whether it should stop."""


class Ahead(Generic[T]):
    """Draws items in a thread of its own, a few ahead of whoever takes them.

    An error in drawing comes out after the items before it.

    Args:
        items: what is drawn; it is used, and closed, in that thread only.
        limit: how many items may wait.
        newest_only: whether the oldest waiting item is dropped where there is no room, instead of waiting for room.
    """

    def __init__(self, items: Generator[T, None, None], limit: int, *, newest_only: bool = False) -> None:
        self.dropped = 0
        """How many items were dropped for newer ones."""
        self._items = items
        self._limit = limit
        self._newest_only = newest_only
        self._waiting: deque[T] = deque()
        self._change = threading.Condition()
        self._error: BaseException | None = None
        self._ended = False
        self._stopped = False
        self._thread = threading.Thread(target=self._draw, name="ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while not self._stopped:
            with self._change:
                if self._waiting:
                    item = self._waiting.popleft()
                    self._change.notify_all()
                elif self._ended:
                    break
                else:
                    self._change.wait(_LOOK_AROUND)
                    continue
            yield item
        if self._error is not None and not self._stopped:
            raise self._error

    def stop(self) -> None:
        """End the iteration before the next item. A signal handler may call this."""
        self._stopped = True

    def close(self, timeout: float) -> bool:
        """Stop the thread and wait for it, at most `timeout` seconds; tell whether it has ended."""
        self.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _draw(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 (raised again, in the thread that takes the items)
            self._error = error
        finally:
            self._items.close()
            with self._change:
                self._ended = True
                self._change.notify_all()

    def _put(self, item: T) -> bool:
        with self._change:
            while len(self._waiting) >= self._limit and not self._stopped:
                if self._newest_only:
                    self._waiting.popleft()
                    self.dropped += 1
                else:
                    self._change.wait(_LOOK_AROUND)
            self._waiting.append(item)
            self._change.notify_all()
        return not self._stopped


class Behind:
    """Does calls one after the other in a thread of its own, at most a few behind whoever orders them.

    An error in a call comes out at a later order, or at the end of the `with` block.

    Args:
        limit: how many calls may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Future[object]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        while kind is None and self._waiting:
            self._waiting.popleft().result()

    def __call__(self, work: Callable[[], object]) -> None:
        """Order a call."""
        while self._waiting and (len(self._waiting) >= self._limit or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work))
