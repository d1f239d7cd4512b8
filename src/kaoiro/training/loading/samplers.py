"""Which faces come when: an epoch's order and its batches, worked out from the seed and the epoch's number alone.

Nothing else goes into them, so a run can be resumed anywhere, and several processes agree without talking.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Sampler

from kaoiro.errors import InputError
from kaoiro.expressions import Expression

Sampling = Literal["uniform", "balanced"] | dict[str, float]
"""How often faces are drawn: all alike, each class alike, or by the factors of their expressions."""


class EpochOrder:
    """The order of an epoch's faces.

    The faces lie in groups, in a file its row groups. `window` groups that chance brings together are mixed at a time,
    so that no more of them need be in memory. Where all groups fit into one window, the order is that of torch's
    `DistributedSampler` in one process: `torch.randperm` seeded with `seed + epoch`.

    Args:
        sizes: number of faces in each group.
        window: how many groups are mixed at a time; all of them unless said otherwise.
        shuffle: false gives the faces as they lie.
        seed: equal seeds give equal orders.
        weights: `float (faces,)`, at least 0. Where given, as many faces as there are get drawn with replacement, each
            with a chance in proportion to its weight.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        window: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        weights: Tensor | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        self._starts = [0, *accumulate(sizes)]
        self.window = len(sizes) if window is None else min(window, len(sizes))
        self._shuffle = shuffle
        self._seed = seed
        self._weights = weights
        assert weights is None or (shuffle and len(weights) == len(self))

    def __len__(self) -> int:
        return self._starts[-1]

    def windows(self, epoch: int) -> Iterator[Tensor]:
        """Give the numbers of the epoch's faces, `int64 (n,)`, a window at a time."""
        generator = torch.Generator().manual_seed(self._seed + epoch)
        groups = list(range(len(self._starts) - 1))
        if self._shuffle and len(groups) > self.window:
            groups = torch.randperm(len(groups), generator=generator).tolist()
        windows = [sorted(groups[i : i + self.window]) for i in range(0, len(groups), self.window)]
        draws = self._draws(windows, generator)
        for window, number in zip(windows, draws, strict=True):
            faces = self._faces(window)
            if self._weights is not None:
                faces = faces[_draw(self._weights[faces], number, generator)]
            elif self._shuffle:
                faces = faces[torch.randperm(len(faces), generator=generator)]
            yield faces

    def _faces(self, groups: list[int]) -> Tensor:
        return torch.cat([torch.arange(self._starts[group], self._starts[group + 1]) for group in groups])

    def _draws(self, windows: list[list[int]], generator: torch.Generator) -> list[int]:
        """Divide the draws of a weighted epoch among its windows."""
        if self._weights is None or len(windows) == 1:
            return [len(self)] * len(windows)
        totals = torch.stack([self._weights[self._faces(window)].double().sum() for window in windows])
        return _draw(totals, len(self), generator).bincount(minlength=len(windows)).tolist()


def _draw(weights: Tensor, number: int, generator: torch.Generator) -> Tensor:
    # torch.multinomial draws the same way, but stops at 2**24 weights.
    summed = weights.double().cumsum(0)
    if number == 0:
        return torch.empty(0, dtype=torch.int64)
    places = torch.rand(number, dtype=torch.float64, generator=generator) * summed[-1]
    return torch.searchsorted(summed, places, right=True).clamp(max=len(weights) - 1)


class GlobalBatches(Sampler[list[int]]):
    """The batches of one of several processes, as lists of faces' numbers.

    Batch k of all processes together is batch k of one process with `processes * batch_size` faces. Each face comes
    once an epoch, and every process has the same number of batches: where faces do not go round, the last batch repeats
    some of its own as padding, written `~number`, which must count for nothing.

    Args:
        order: of all processes' faces.
        batch_size: faces in a batch of one process.
        process: the number of this process.
        processes: how many there are.
        drop_last: leave the last batch out where it is incomplete and not the only one.
    """

    def __init__(
        self, order: EpochOrder, batch_size: int, *, process: int = 0, processes: int = 1, drop_last: bool = False
    ) -> None:
        self._order = order
        self._whole = batch_size * processes
        self._process = process
        self._processes = processes
        self._drop_last = drop_last and len(order) >= self._whole
        self._epoch = 0
        self._first = 0

    def begin_at(self, epoch: int, batch: int = 0) -> None:
        """Make the next iteration begin with this batch of this epoch; 0 is the first of either."""
        self._epoch = epoch
        self._first = batch

    def __len__(self) -> int:
        """Number of batches in a whole epoch."""
        complete, rest = divmod(len(self._order), self._whole)
        return complete + (rest > 0 and not self._drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        skip = self._first * self._whole
        waiting = torch.empty(0, dtype=torch.int64)
        for window in self._order.windows(self._epoch):
            if skip >= len(window):
                skip -= len(window)
                continue
            waiting = torch.cat([waiting, window[skip:]])
            skip = 0
            complete = len(waiting) // self._whole * self._whole
            for batch in waiting[:complete].reshape(-1, self._whole):
                yield self._share(batch)
            waiting = waiting[complete:]
        if len(waiting) and not self._drop_last:
            yield self._share(waiting)

    def _share(self, batch: Tensor) -> list[int]:
        missing = -len(batch) % self._processes
        padding = ~batch[torch.arange(missing) % len(batch)]
        share: list[int] = torch.cat([batch, padding])[self._process :: self._processes].tolist()
        return share


def face_weights(answers: Tensor, classes: Sequence[Expression], sampling: Sampling) -> Tensor | None:
    """Turn a way of sampling into each face's weight.

    Args:
        answers: `int (faces,)`, each face's class, -1 where it has none.
        classes: what the classes are.
        sampling: `balanced` gives each class that occurs the same weight in all; a mapping gives the faces of an
            expression its factor, and 1 where it is not named. Faces without a class weigh 1, as the average face does
            in a balanced epoch.

    Returns:
        `float32 (faces,)`, or None for `uniform`.

    Raises:
        InputError: an expression is not one of the classes, or no face is left to draw.
    """
    if sampling == "uniform":
        return None
    known = answers >= 0
    counts = answers[known].long().bincount(minlength=len(classes)).double()
    if isinstance(sampling, Mapping):
        names = [str(one) for one in classes]
        for name in sampling:
            if name not in names:
                raise InputError(f"sampling names {name!r}, but the head that it goes by knows {', '.join(names)}")
        factors = torch.tensor([sampling.get(name, 1.0) for name in names], dtype=torch.float64)
    else:
        factors = counts.sum() / (counts.clamp(min=1) * max(int((counts > 0).sum()), 1))
    # The last factor is that of the faces without a class, whose number -1 finds it.
    weights = torch.cat([factors, factors.new_ones(1)]).float()[answers.long()]
    if not weights.any():
        raise InputError(f"sampling {sampling} leaves no face to train on; give a factor above 0 to one that occurs")
    return weights
