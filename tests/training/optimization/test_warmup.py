import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.training.optimization.run_length import RunLength
from kaoiro.training.optimization.warmup import Warmup, warmed_up, warmup_factor

LENGTH = RunLength(total_steps=100, epochs=10, steps_per_epoch=10)


@pytest.mark.parametrize(("step", "factor"), [(0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0), (99, 1.0)])
def test_known_places(step, factor):
    assert warmup_factor(step, 4) == pytest.approx(factor)


@given(st.integers(0, 200), st.integers(0, 100))
def test_a_rise_to_one(step, warmup_steps):
    assert 0 < warmup_factor(step, warmup_steps) <= warmup_factor(step + 1, warmup_steps) <= 1
    assert (warmup_factor(step, warmup_steps) == 1) == (step >= warmup_steps)


def optimizer_with_two_groups():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.3, 0.007)]
    return torch.optim.SGD(groups)


@given(st.floats(0.001, 1))
def test_rates_come_back_as_they_were(factor):
    optimizer = optimizer_with_two_groups()
    with warmed_up(optimizer, factor):
        assert [group["lr"] for group in optimizer.param_groups] == [0.3 * factor, 0.007 * factor]
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.007]


def test_rates_come_back_after_a_fault():
    optimizer = optimizer_with_two_groups()
    with pytest.raises(KeyboardInterrupt), warmed_up(optimizer, 0.5):
        raise KeyboardInterrupt
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.007]


@pytest.mark.parametrize(
    ("warmup", "steps"),
    [
        (Warmup(), 15),
        (Warmup(share=0.0), 0),
        (Warmup(share=0.25), 25),
        (Warmup(epochs=2), 20),
        (Warmup(epochs=0.5), 5),
        (Warmup(steps=7), 7),
    ],
)
def test_in_steps(warmup, steps):
    assert warmup.in_steps(LENGTH, default_share=0.15) == pytest.approx(steps)


def test_a_run_whose_length_is_not_known():
    unknown = RunLength(None, None, None)
    assert Warmup(steps=7).in_steps(unknown, 0.15) == 7
    assert Warmup().in_steps(unknown, 0.0) == 0
    assert Warmup(epochs=0).in_steps(unknown, 0.0) == 0
    with pytest.raises(InputError, match=r"a share of the run \(0.15\) needs its length"):
        Warmup().in_steps(unknown, 0.15)
    with pytest.raises(InputError, match="warmup_epochs 2 needs the number of steps in an epoch"):
        Warmup(epochs=2).in_steps(unknown, 0.15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.0}, "warmup must be at least 0 and below 1, a share of the run, not 1.0"),
        ({"share": -0.1}, "warmup must be at least 0"),
        ({"epochs": -1}, "warmup_epochs must not be below 0, but is -1"),
        ({"steps": -5}, "warmup_steps must not be below 0, but is -5"),
        ({"share": 0.15, "epochs": 5}, "warmup 0.15 and warmup_epochs 5 are given: keep one"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        Warmup(**options)


@pytest.mark.parametrize("warmup", [Warmup(steps=100), Warmup(epochs=10), Warmup(epochs=50)])
def test_warm_ups_that_outlast_the_run(warmup):
    with pytest.raises(InputError, match=r"the warm-up takes \d+ optimiser steps, and the whole run has 100"):
        warmup.in_steps(LENGTH, 0.15)
