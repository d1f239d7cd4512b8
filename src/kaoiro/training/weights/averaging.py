"""Averages of the weights over the run, which are the ones validated and saved."""

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


def average_decay(decay: float, averaged: int) -> float:
    """The share that the average keeps at an update: `(1 + n) / (10 + n)` after n updates, until `decay` is reached.

    A constant decay would carry the weights of the first steps along for thousands of steps. The growing form is that
    of TensorFlow's `ExponentialMovingAverage` with `num_updates`.

    Args:
        decay: the largest share, 0 to below 1.
        averaged: number of updates so far.

    >>> [round(average_decay(0.998, n), 3) for n in (1, 10, 100, 10000)]
    [0.182, 0.55, 0.918, 0.998]
    """
    return min(decay, (1 + averaged) / (10 + averaged))


class GrowingAverage(WeightAveraging):
    """Exponential moving average of all parameters and buffers, updated after every optimiser step.

    Args:
        decay: the decay that `average_decay` grows towards.
    """

    def __init__(self, decay: float) -> None:
        def update(averages: list[Tensor], currents: list[Tensor], count: Tensor | int) -> None:
            if averages[0].is_floating_point():
                torch._foreach_lerp_(averages, currents, 1 - average_decay(decay, int(count)))
            else:
                # Counters have no average.
                torch._foreach_copy_(averages, currents)

        super().__init__(use_buffers=True, multi_avg_fn=update)
