import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler

from kaoiro.errors import InputError
from kaoiro.expressions import SEVEN
from kaoiro.training.loading.samplers import EpochOrder, GlobalBatches, face_weights

sizes = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)


def numbers(order, epoch=0):
    return torch.cat(list(order.windows(epoch))).tolist()


def batches(order, batch_size, epoch=0, first=0, **options):
    made = GlobalBatches(order, batch_size, **options)
    made.begin_at(epoch, first)
    return list(made)


@given(sizes=sizes, window=st.integers(1, 7), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_every_face_once_an_epoch(sizes, window, seed, epoch):
    assert sorted(numbers(EpochOrder(sizes, window=window, seed=seed), epoch)) == list(range(sum(sizes)))


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (3, 4)])
def test_one_window_has_the_order_of_torchs_sampler(seed, epoch):
    theirs = DistributedSampler(range(50), num_replicas=1, rank=0, shuffle=True, seed=seed)
    theirs.set_epoch(epoch)
    for order in (EpochOrder([50], seed=seed), EpochOrder([20, 0, 25, 5], window=4, seed=seed)):
        assert numbers(order, epoch) == list(theirs)


def test_a_window_mixes_whole_groups():
    order = EpochOrder([10] * 7, window=3, seed=1)
    seen = []
    for epoch in range(4):
        windows = [window.tolist() for window in order.windows(epoch)]
        groups = [sorted({number // 10 for number in window}) for window in windows]
        assert [len(window) for window in windows] == [30, 30, 10]
        assert [len(group) for group in groups] == [3, 3, 1]
        assert windows[0] != sorted(windows[0])
        seen.append(groups)
    assert any(groups != seen[0] for groups in seen)


def test_without_shuffling_the_corpus_comes_in_order():
    assert numbers(EpochOrder([3, 4, 2], window=1, shuffle=False), epoch=5) == list(range(9))


@pytest.mark.parametrize("window", [1, 4])
def test_faces_are_drawn_by_weight(window):
    weights = torch.tensor([0.0, 1.0, 2.0, 5.0]).repeat(1000)
    order = EpochOrder([1000, 1000, 1500, 500], window=window, weights=weights)
    drawn = np.bincount(np.array(numbers(order)) % 4, minlength=4)
    assert drawn.sum() == 4000
    assert drawn[0] == 0
    # Five standard deviations of a binomial count.
    share = np.array([1, 2, 5]) / 8
    assert np.all(np.abs(drawn[1:] - 4000 * share) < 5 * np.sqrt(4000 * share * (1 - share)))
    assert numbers(order, 0) != numbers(order, 1)


def test_all_windows_of_a_weighted_epoch_are_drawn_from():
    weights = torch.tensor([1.0] * 500 + [3.0] * 500)
    order = EpochOrder([500, 500], window=1, weights=weights)
    lengths = sorted(len(window) for window in order.windows(0))
    assert sum(lengths) == 1000
    assert abs(lengths[0] - 250) < 5 * np.sqrt(1000 * 3 / 16)


@given(sizes=sizes, batch_size=st.integers(1, 5), processes=st.integers(1, 4), drop_last=st.booleans())
def test_processes_together_take_the_batches_of_one(sizes, batch_size, processes, drop_last):
    order = EpochOrder(sizes, window=2, seed=3)
    alone = batches(order, batch_size * processes, epoch=1, drop_last=drop_last)
    shares = [
        batches(order, batch_size, epoch=1, process=process, processes=processes, drop_last=drop_last)
        for process in range(processes)
    ]
    length = len(GlobalBatches(order, batch_size, processes=processes, drop_last=drop_last))
    assert {len(share) for share in shares} == {length} == {len(alone)}
    for whole, *parts in zip(alone, *shares, strict=True):
        assert len({len(part) for part in parts}) == 1
        together = [number for part in parts for number in part]
        assert sorted(number for number in together if number >= 0) == sorted(whole)
        assert {~number for number in together if number < 0} <= set(whole)
        assert len(together) < len(whole) + processes


@given(sizes=sizes, batch_size=st.integers(1, 5), first=st.integers(0, 20), weighted=st.booleans())
def test_beginning_in_mid_epoch(sizes, batch_size, first, weighted):
    weights = torch.rand(sum(sizes), generator=torch.Generator().manual_seed(0)) + 0.1 if weighted else None
    order = EpochOrder(sizes, window=2, weights=weights)
    whole = batches(order, batch_size, epoch=2)
    assert batches(order, batch_size, epoch=2, first=first) == whole[first:]


def test_an_incomplete_batch():
    order = EpochOrder([10])
    assert [len(batch) for batch in batches(order, 4)] == [4, 4, 2]
    assert [len(batch) for batch in batches(order, 4, drop_last=True)] == [4, 4]
    # The only batch is never dropped.
    assert [len(batch) for batch in batches(order, 11, drop_last=True)] == [10]


ANSWERS = torch.tensor([0] * 6 + [3] * 2 + [-1] * 2, dtype=torch.int8)


def test_balanced_classes_weigh_the_same():
    weights = face_weights(ANSWERS, SEVEN, "balanced")
    assert weights[ANSWERS == 0].sum() == pytest.approx(4)
    assert weights[ANSWERS == 3].sum() == pytest.approx(4)
    assert weights[ANSWERS == -1].tolist() == [1, 1]


def test_factors_by_expression():
    weights = face_weights(ANSWERS, SEVEN, {"happiness": 4, "anger": 0})
    assert weights.tolist() == [0] * 6 + [4] * 2 + [1] * 2
    assert face_weights(ANSWERS, SEVEN, "uniform") is None


def test_factors_that_cannot_be():
    with pytest.raises(InputError, match="sampling names 'joy', but the head that it goes by knows anger, disgust"):
        face_weights(ANSWERS, SEVEN, {"joy": 2})
    with pytest.raises(InputError, match="leaves no face to train on"):
        face_weights(ANSWERS[:8], SEVEN, {"happiness": 0, "anger": 0})
