import functools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from kaoiro.errors import InputError
from kaoiro.training.optimization.run_length import RunLength
from kaoiro.training.optimization.schedules import (
    ReduceLROnPlateau,
    interval_of,
    monitor_of,
    rehearse,
    schedule_by_class,
    schedule_by_word,
    schedule_factor,
)

WORDS = st.sampled_from(["one-cycle", "cosine", "constant"])
LENGTH = RunLength(total_steps=12, epochs=3, steps_per_epoch=4)
UNKNOWN = RunLength(None, None, None)


def sgd(*rates, **options):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (1.0,)]
    return torch.optim.SGD(groups, **options)


def by_class(made, optimizer=None, length=LENGTH, rates=(1.0,), **options):
    return schedule_by_class(optimizer or sgd(), functools.partial(made, **options), length, rates)


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
    assert schedule_factor(schedule, step, 100, 20) == pytest.approx(factor, abs=1e-12)


@given(WORDS, st.integers(1, 400), st.floats(0, 0.99))
def test_up_and_then_down(schedule, total, share):
    factors = [schedule_factor(schedule, step, total, share * total) for step in range(total + 1)]
    rise = math.ceil(share * total)
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[:rise] == sorted(factors[:rise])
    assert factors[rise:] == sorted(factors[rise:], reverse=True)


@given(WORDS)
def test_without_a_rise_the_peak_comes_first(schedule):
    assert schedule_factor(schedule, 0, 10, 0.0) == 1


def test_steps_beyond_the_plan_stay_at_zero():
    assert schedule_factor("cosine", 130, 100, 20) == pytest.approx(0, abs=1e-12)


def test_a_word_through_an_optimizer():
    optimizer = sgd(2.0, 0.5)
    scheduler = schedule_by_word(optimizer, "one-cycle", RunLength(10, 2, 5), 2.0)
    rates = []
    for _ in range(11):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx([0.08, 0.02])
    assert rates[2] == pytest.approx([2.0, 0.5])
    assert rates[6] == pytest.approx([1.0, 0.25])
    assert rates[10] == pytest.approx([0.0, 0.0])


def test_words_in_a_run_without_an_end():
    scheduler = schedule_by_word(sgd(), "constant", UNKNOWN, 0.0)
    assert scheduler.get_last_lr() == [1.0]
    for word in ("one-cycle", "cosine"):
        with pytest.raises(InputError, match=f"the schedule '{word}' needs the run's length"):
            schedule_by_word(sgd(), word, UNKNOWN, 0.0)


class OwnPerEpoch(lr_scheduler.StepLR):
    pass


class OwnPerStep(lr_scheduler.StepLR):
    interval = "step"


class OwnConfused(lr_scheduler.StepLR):
    interval = "batch"


@pytest.mark.parametrize(
    ("made", "options", "interval"),
    [
        (lr_scheduler.StepLR, {"step_size": 2}, "epoch"),
        (lr_scheduler.MultiStepLR, {"milestones": [1]}, "epoch"),
        (lr_scheduler.ExponentialLR, {"gamma": 0.9}, "epoch"),
        (lr_scheduler.CosineAnnealingLR, {"T_max": 3}, "epoch"),
        (lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 3}, "epoch"),
        (lr_scheduler.LinearLR, {}, "epoch"),
        (lr_scheduler.PolynomialLR, {}, "epoch"),
        (lr_scheduler.ReduceLROnPlateau, {}, "epoch"),
        (ReduceLROnPlateau, {}, "epoch"),
        (lr_scheduler.CyclicLR, {"base_lr": 0.1, "max_lr": 1.0}, "step"),
        (lr_scheduler.OneCycleLR, {"max_lr": 1.0}, "step"),
        (OwnPerEpoch, {"step_size": 2}, "epoch"),
        (OwnPerStep, {"step_size": 2}, "step"),
    ],
)
def test_the_class_says_when_it_is_stepped(made, options, interval):
    assert interval_of(by_class(made, sgd(momentum=0.9), **options)) == interval


def test_an_interval_that_does_not_exist():
    with pytest.raises(InputError, match=r"OwnConfused.interval must be 'step' or 'epoch', not 'batch'"):
        interval_of(by_class(OwnConfused, step_size=1))


def test_one_cycle_learns_the_length_of_the_run():
    assert by_class(lr_scheduler.OneCycleLR, sgd(momentum=0.9), max_lr=1.0).total_steps == 12
    agreeing = {"total_steps": 12, "epochs": 3, "steps_per_epoch": 4}
    assert by_class(lr_scheduler.OneCycleLR, sgd(momentum=0.9), max_lr=1.0, **agreeing).total_steps == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_steps": 100}, "OneCycleLR is given total_steps 100, but the run has 12: leave it out"),
        ({"epochs": 5}, "OneCycleLR is given epochs 5, but the run has 3: leave it out"),
        ({"epochs": 3, "steps_per_epoch": 8}, "given steps_per_epoch 8, but the run has 4"),
    ],
)
def test_one_cycle_of_another_length(options, message):
    with pytest.raises(InputError, match=message):
        by_class(lr_scheduler.OneCycleLR, sgd(momentum=0.9), max_lr=1.0, **options)


def test_one_cycle_in_a_run_without_an_end():
    with pytest.raises(InputError, match="OneCycleLR needs the run's length"):
        by_class(lr_scheduler.OneCycleLR, sgd(momentum=0.9), UNKNOWN, max_lr=1.0)


@pytest.mark.parametrize(
    ("made", "options"), [(lr_scheduler.OneCycleLR, {}), (lr_scheduler.CyclicLR, {"base_lr": 0.1})]
)
def test_momentum_that_is_not_there(made, options):
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    for optimizer in (torch.optim.Adagrad(parameters), torch.optim.RMSprop(parameters), sgd()):
        name = type(optimizer).__name__
        message = f"{made.__name__} moves the momentum .*, and {name} has none here: .*cycle_momentum: false"
        with pytest.raises(InputError, match=message):
            by_class(made, optimizer, max_lr=1.0, **options)
        by_class(made, optimizer, max_lr=1.0, cycle_momentum=False, **options)
    by_class(made, torch.optim.Adam(parameters), max_lr=1.0, **options)


def test_rates_among_the_arguments_follow_the_groups():
    optimizer = sgd(0.2, 0.02, momentum=0.9)
    by_class(lr_scheduler.OneCycleLR, optimizer, rates=(1.0, 0.1), max_lr=2.0)
    assert [group["max_lr"] for group in optimizer.param_groups] == pytest.approx([2.0, 0.2])
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2 / 25, 0.2 / 25])
    cyclic = by_class(lr_scheduler.CyclicLR, sgd(1, 0.1, momentum=0.9), rates=(1.0, 0.1), base_lr=0.5, max_lr=2.0)
    assert cyclic.base_lrs == pytest.approx([0.5, 0.05])
    assert cyclic.max_lrs == pytest.approx([2.0, 0.2])
    plateau = by_class(ReduceLROnPlateau, sgd(1, 0.1), rates=(1.0, 0.1), min_lr=0.01)
    assert plateau.min_lrs == pytest.approx([0.01, 0.001])
    listed = by_class(ReduceLROnPlateau, sgd(1, 0.1), rates=(1.0, 0.1), min_lr=[0.02, 0.03])
    assert listed.min_lrs == [0.02, 0.03]


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        (lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 0}, "CosineAnnealingWarmRestarts cannot be used: Expected"),
        (ReduceLROnPlateau, {"factor": 1.0}, r"ReduceLROnPlateau cannot be used: Factor should be < 1\.0"),
        (ReduceLROnPlateau, {"min_lr": [0.1, 0.1, 0.1]}, "ReduceLROnPlateau cannot be used: expected 1 min_lrs, got 3"),
        (
            lr_scheduler.CosineAnnealingLR,
            {"T_max": 3, "eta_min": 2.0},
            "its eta_min is 2.0, and the optimiser's lowest",
        ),
        (lr_scheduler.SequentialLR, {"schedulers": [], "milestones": []}, "SequentialLR joins schedulers that exist"),
        (lambda optimizer: None, {}, "the schedule gave a NoneType, which is no torch LRScheduler"),
    ],
)
def test_arguments_that_do_not_fit(made, options, message):
    with pytest.raises(InputError, match=message):
        by_class(made, **options)


def test_plateaus_and_what_they_watch():
    logged = {"train/loss", "validation/loss", "validation/accuracy"}
    assert monitor_of(by_class(lr_scheduler.StepLR, step_size=1), logged) is None
    assert monitor_of(by_class(lr_scheduler.ReduceLROnPlateau), logged) == "validation/loss"
    for monitor, mode in (("train/loss", "min"), ("validation/loss", "min"), ("validation/accuracy", "max")):
        plateau = by_class(ReduceLROnPlateau, monitor=monitor)
        assert monitor_of(plateau, logged) == monitor
        assert plateau.mode == mode
    assert by_class(ReduceLROnPlateau, monitor="my/figure", mode="min").mode == "min"


def test_plateaus_that_wait_for_the_wrong_thing():
    with pytest.raises(
        InputError, match=r"nothing is logged as 'validation/los'; there are train/loss, validation/loss"
    ):
        monitor_of(by_class(ReduceLROnPlateau, monitor="validation/los"), {"train/loss", "validation/loss"})
    with pytest.raises(InputError, match="validation/loss, which is better the lower it is, but its mode is max: set"):
        monitor_of(by_class(lr_scheduler.ReduceLROnPlateau, mode="max"), None)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (lr_scheduler.StepLR(sgd(), step_size=0), "StepLR fails at its step 1: .*zero"),
        (lr_scheduler.LambdaLR(sgd(), lambda epoch: 1 - epoch / 2), r"learning rate -0.5 after 3 of its steps"),
        (lr_scheduler.ExponentialLR(sgd(), gamma=math.nan), "ExponentialLR gives the learning rate nan after 1 "),
    ],
)
def test_faults_that_would_come_out_in_the_middle(scheduler, message):
    with pytest.raises(InputError, match=message):
        rehearse(scheduler, 4)


def test_rehearsing_what_works():
    rehearse(lr_scheduler.LambdaLR(sgd(), lambda epoch: 1 - epoch / 2), 2)
    rehearse(ReduceLROnPlateau(sgd()), 30)
