import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.training.schedules import learning_rate_schedule, schedule_factor

SCHEDULES = st.sampled_from(["one-cycle", "cosine", "constant"])


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("one-cycle", 0, 0.04),
        ("one-cycle", 10, 0.52),  # half-way up: the mean of 0.04 and 1
        ("one-cycle", 20, 1.0),
        ("one-cycle", 60, 0.5),
        ("one-cycle", 40, (1 + math.sqrt(0.5)) / 2),  # an eighth of a turn
        ("one-cycle", 100, 0.0),
        ("cosine", 0, 1 / 21),
        ("cosine", 10, 11 / 21),
        ("cosine", 20, 1.0),
        ("cosine", 60, 0.5),
        ("cosine", 100, 0.0),
        ("constant", 0, 1 / 21),
        ("constant", 20, 1.0),
        ("constant", 100, 1.0),
    ],
)
def test_known_places(schedule, step, factor):
    assert schedule_factor(schedule, step, 100, 0.2) == pytest.approx(factor, abs=1e-12)


@given(SCHEDULES, st.integers(1, 400), st.floats(0, 0.99))
def test_up_and_then_down(schedule, total, warmup):
    factors = [schedule_factor(schedule, step, total, warmup) for step in range(total + 1)]
    rise = math.ceil(warmup * total)
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[:rise] == sorted(factors[:rise])
    assert factors[rise:] == sorted(factors[rise:], reverse=True)


@given(SCHEDULES)
def test_without_warm_up_the_peak_comes_first(schedule):
    assert schedule_factor(schedule, 0, 10, 0.0) == 1


def test_steps_beyond_the_plan_stay_at_zero():
    assert schedule_factor("cosine", 130, 100, 0.2) == pytest.approx(0, abs=1e-12)


def test_through_an_optimizer():
    weight = torch.nn.Parameter(torch.zeros(1))
    groups = [{"params": [weight]}, {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=2.0)
    scheduler = learning_rate_schedule(optimizer, "one-cycle", 10, 0.2)
    rates = []
    for _ in range(11):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx([0.08, 0.02])
    assert rates[2] == pytest.approx([2.0, 0.5])
    assert rates[6] == pytest.approx([1.0, 0.25])
    assert rates[10] == pytest.approx([0.0, 0.0])
