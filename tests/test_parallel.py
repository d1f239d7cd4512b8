import itertools
import threading
import time

import pytest

from kaoiro.parallel import ordered_map


def test_order_is_kept_though_the_first_takes_longest():
    assert list(ordered_map(lambda n: time.sleep(0.001 * (20 - n)) or n, range(20), threads=4)) == list(range(20))


def test_items_are_drawn_only_as_needed():
    numbers = itertools.count()
    results = ordered_map(abs, numbers, threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert next(numbers) < 1000


def test_an_error_comes_out_at_its_place():
    results = ordered_map(lambda n: 1 // n, [1, 0, 1], threads=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_ends_the_threads():
    before = threading.active_count()
    results = ordered_map(abs, itertools.count(), threads=2)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before
