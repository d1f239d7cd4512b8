"""The collective operations that are checked, each with values that betray a missing, doubled or swapped piece."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

BYTES_PER_ELEMENT: Final = 4
"""Messages are float32, as gradients are."""

_PERIOD: Final = 509
_PIECES: Final = 2**14
_UNTOUCHED: Final = -1.0

# torch 2.14 renamed these two and warns about the old names; older ones know only the old names.
_all_gather: Final = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_reduce_scatter: Final = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


@dataclass(frozen=True)
class Place:
    """This process's place among the others."""

    rank: int
    processes: int
    device: torch.device


@dataclass(frozen=True)
class Trial:
    """One operation, ready to run.

    Attributes:
        run: runs the operation on its own buffers; may be called again, for the time that it takes.
        result: what the first run fills; None where this process gets nothing.
        expected: what should then be in it.
        givers: the ranks that gave the result's equal pieces, in order; empty for sums, which everyone gives.
    """

    run: Callable[[], object]
    result: Tensor | None
    expected: Tensor | None
    givers: Sequence[int] = ()


def piece(number: int, elements: int, device: torch.device) -> Tensor:
    """A piece to be copied: `float32 (elements,)`, of which every value tells the piece's number and its position.

    The values are `512 × (number mod 2¹⁴) + (position mod 509)`, below 2²³ and so exact.
    """
    return _positions(elements, device).add_(512.0 * (number % _PIECES))


def term(rank: int, elements: int, device: torch.device) -> Tensor:
    """A term to be summed over the processes: `float32 (elements,)`, `rank + (position mod 509)`."""
    return _positions(elements, device).add_(float(rank))


def total(processes: int, elements: int, device: torch.device) -> Tensor:
    """The sum of every process's `term`: `float32 (elements,)`, exact for up to 5,000 processes."""
    return _positions(elements, device).mul_(float(processes)).add_(processes * (processes - 1) / 2)


def _positions(elements: int, device: torch.device) -> Tensor:
    return torch.arange(elements, device=device).remainder_(_PERIOD).float()


def _untouched(elements: int, device: torch.device) -> Tensor:
    return torch.full((elements,), _UNTOUCHED, device=device)


def _broadcast(place: Place, elements: int, root: int) -> Trial:
    expected = piece(root, elements, place.device)
    buffer = expected.clone() if place.rank == root else _untouched(elements, place.device)
    return Trial(lambda: dist.broadcast(buffer, src=root), buffer, expected, (root,))


def _all_reduce(place: Place, elements: int, root: int) -> Trial:
    buffer = term(place.rank, elements, place.device)
    return Trial(lambda: dist.all_reduce(buffer), buffer, total(place.processes, elements, place.device))


def _reduce(place: Place, elements: int, root: int) -> Trial:
    buffer = term(place.rank, elements, place.device)
    if place.rank != root:  # what the others find in their buffers afterwards is not defined
        return Trial(lambda: dist.reduce(buffer, dst=root), None, None)
    return Trial(lambda: dist.reduce(buffer, dst=root), buffer, total(place.processes, elements, place.device))


def _all_gather_trial(place: Place, elements: int, root: int) -> Trial:
    own = piece(place.rank, elements // place.processes, place.device)
    gathered = _untouched(elements, place.device)
    return Trial(lambda: _all_gather(gathered, own), gathered, _all_pieces(place, elements), range(place.processes))


def _gather(place: Place, elements: int, root: int) -> Trial:
    own = piece(place.rank, elements // place.processes, place.device)
    if place.rank != root:
        return Trial(lambda: dist.gather(own, dst=root), None, None)
    gathered = _untouched(elements, place.device)
    slots = list(gathered.chunk(place.processes))
    return Trial(
        lambda: dist.gather(own, slots, dst=root), gathered, _all_pieces(place, elements), range(place.processes)
    )


def _all_pieces(place: Place, elements: int) -> Tensor:
    share = elements // place.processes
    return torch.cat([piece(rank, share, place.device) for rank in range(place.processes)])


def _scatter(place: Place, elements: int, root: int) -> Trial:
    received = _untouched(elements // place.processes, place.device)
    expected = piece(place.rank, elements // place.processes, place.device)
    slots = list(_all_pieces(place, elements).chunk(place.processes)) if place.rank == root else None
    return Trial(lambda: dist.scatter(received, slots, src=root), received, expected, (root,))


def _reduce_scatter_trial(place: Place, elements: int, root: int) -> Trial:
    source = term(place.rank, elements, place.device)
    received = _untouched(elements // place.processes, place.device)
    expected = total(place.processes, elements, place.device).chunk(place.processes)[place.rank]
    return Trial(lambda: _reduce_scatter(received, source), received, expected)


def _all_to_all(place: Place, elements: int, root: int) -> Trial:
    share = elements // place.processes
    everyone = range(place.processes)
    source = torch.cat([piece(place.rank * place.processes + to, share, place.device) for to in everyone])
    expected = torch.cat([piece(by * place.processes + place.rank, share, place.device) for by in everyone])
    received = _untouched(elements, place.device)
    return Trial(lambda: dist.all_to_all_single(received, source), received, expected, everyone)


def _whole(processes: int) -> float:
    return 1.0


def _without_own_piece(processes: int) -> float:
    return (processes - 1) / processes


def _there_and_back(processes: int) -> float:
    return 2 * (processes - 1) / processes


@dataclass(frozen=True)
class Operation:
    """A collective operation.

    Attributes:
        prepare: makes a trial for a place, a number of elements (a multiple of the processes) and a root.
        bus_share: bus bandwidth over algorithm bandwidth, for a number of processes.
    """

    prepare: Callable[[Place, int, int], Trial]
    bus_share: Callable[[int], float]


OPERATIONS: Final = {
    "broadcast": Operation(_broadcast, _whole),
    "all_reduce": Operation(_all_reduce, _there_and_back),
    "reduce": Operation(_reduce, _whole),
    "all_gather": Operation(_all_gather_trial, _without_own_piece),
    "gather": Operation(_gather, _without_own_piece),
    "scatter": Operation(_scatter, _without_own_piece),
    "reduce_scatter": Operation(_reduce_scatter_trial, _without_own_piece),
    "all_to_all": Operation(_all_to_all, _without_own_piece),
}
"""By name; `barrier`, the ninth, moves no data and has no size."""


def whole_elements(size: int, processes: int) -> int:
    """The elements of a message of `size` bytes: rounded to equal pieces, one element a process at least."""
    return max(round(size / BYTES_PER_ELEMENT / processes), 1) * processes


def bandwidths(operation: str, processes: int, size: int, seconds: float) -> tuple[float, float]:
    """Algorithm and bus bandwidth, in bytes a second, as nccl-tests defines them.

    Algorithm bandwidth is `size / seconds`. Bus bandwidth multiplies it by the share that has to cross the slowest link
    whatever the algorithm, with n processes: `2(n−1)/n` for all_reduce, 1 for broadcast and reduce, `(n−1)/n` for the
    others. It can be compared with what the hardware is sold for, whatever n is.
    Source: https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md

    Args:
        operation: a name of `OPERATIONS`.
        processes: n.
        size: bytes of the whole message: for all_gather, gather, scatter, reduce_scatter and all_to_all that of the n
            pieces together.
        seconds: what the operation took.
    """
    algorithm = size / seconds
    return algorithm, algorithm * OPERATIONS[operation].bus_share(processes)
