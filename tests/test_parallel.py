import itertools
import threading
import time

import pytest

from kaoiro.parallel import Budget, ordered_map


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


def test_a_budget_is_never_exceeded():
    budget = Budget(10)
    lock = threading.Lock()
    held, most = 0, 0

    def work(amount):
        nonlocal held, most
        with budget.held(amount):
            with lock:
                held += amount
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= amount

    list(ordered_map(work, [3, 4, 5, 6, 2, 8, 1, 9, 10, 3] * 3, threads=6))
    assert 5 < most <= 10
    assert held == 0


def test_who_wants_more_than_there_is_works_alone():
    budget = Budget(10)
    order = []
    with budget.held(1):
        large = threading.Thread(target=lambda: order.append("waits") or _take(budget, 25, order))
        large.start()
        time.sleep(0.05)
        assert order == ["waits"]
    large.join(timeout=5)
    assert order == ["waits", 25]


def _take(budget, amount, order):
    with budget.held(amount):
        order.append(amount)


def test_a_budget_comes_back_after_an_error():
    budget = Budget(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.held(1):
            1 / 0  # noqa: B018
