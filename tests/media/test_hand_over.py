import threading
import time

import pytest

from kaoiro.media.hand_over import Ahead, Behind


def counted(end, closed=None):
    try:
        yield from range(end)
    finally:
        if closed is not None:
            closed.append(threading.current_thread().name)


def test_items_come_in_order_and_the_source_is_closed_in_its_thread():
    closed = []
    ahead = Ahead(counted(100, closed), limit=3)
    assert list(ahead) == list(range(100))
    assert ahead.close(timeout=5)
    assert closed == ["ahead"]
    assert ahead.dropped == 0


def test_no_more_than_the_limit_wait():
    drawn = []

    def items():
        for number in range(50):
            drawn.append(number)
            yield number

    ahead = Ahead(items(), limit=3)
    assert next(iter(ahead)) == 0
    time.sleep(0.2)
    assert len(drawn) <= 1 + 3 + 1  # taken, waiting, and one that waits for room
    assert ahead.close(timeout=5)


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"):
        taken.extend(Ahead(items(), limit=3))
    taken = []
    with pytest.raises(ValueError, match="broken"):
        for item in Ahead(items(), limit=3):
            taken.append(item)
    assert taken == [1]


def test_of_live_items_the_newest_are_taken():
    produced = threading.Event()

    def items():
        yield from range(10)
        produced.set()
        yield 10

    ahead = Ahead(items(), limit=1, newest_only=True)
    assert produced.wait(5)
    time.sleep(0.1)
    assert list(ahead) == [10]
    assert ahead.dropped == 10


def test_closing_ends_a_source_without_end():
    def endless():
        while True:
            yield 0

    ahead = Ahead(endless(), limit=2)
    next(iter(ahead))
    assert ahead.close(timeout=5)


def test_calls_are_done_in_order_before_the_block_ends():
    done = []
    with Behind(limit=2) as behind:
        for number in range(20):
            behind(lambda number=number: (time.sleep(0.001), done.append(number)))
    assert done == list(range(20))


def test_an_error_in_a_call_comes_out():
    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Behind(limit=2) as behind:
        behind(fail)
    with pytest.raises(OSError, match="disk full"), Behind(limit=2) as behind:
        for _ in range(10):
            behind(fail)


def test_where_the_block_fails_what_waits_is_dropped():
    done = []
    started = threading.Event()

    def slow():
        started.set()
        time.sleep(0.1)
        done.append(1)

    with pytest.raises(KeyError), Behind(limit=9) as behind:
        for _ in range(5):
            behind(slow)
        started.wait(5)
        raise KeyError
    assert len(done) <= 2
