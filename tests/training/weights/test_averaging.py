import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import LightningModule
from torch import nn

from kaoiro.training.weights.averaging import GrowingAverage, average_decay


@given(st.integers(0, 10**6), st.floats(0, 0.9999))
def test_the_decay_never_falls_and_never_passes_its_limit(count, decay):
    assert 0 <= average_decay(decay, count) <= average_decay(decay, count + 1) <= decay


class Module(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        self.register_buffer("counter", torch.tensor(0))


def test_the_average_of_three_updates():
    module, callback = Module(), GrowingAverage(decay=0.25)
    callback.setup(None, module, "fit")
    for step, value in enumerate([4.0, 8.0, 16.0]):
        module.layer.weight.data.fill_(value)
        module.counter.fill_(step)
        callback._average_model.update_parameters(module)
    # The first value is taken over; the shares kept are then 2/11 and, 3/12 being the limit, 1/4.
    second = 2 / 11 * 4 + 9 / 11 * 8
    averaged = callback._average_model.module
    assert averaged.layer.weight.item() == pytest.approx(second / 4 + 16 * 3 / 4)
    assert averaged.counter.item() == 2
