"""What a batch is, and how one is put together."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from kaoiro.training.heads import Targets

Batch = dict[str, Tensor]
"""`faces`, `uint8 (batch, channels, size, size)`, and for each head its `Targets`: `<head>.distribution`,
`float32 (batch, outputs)`, `<head>.weight`, `float32 (batch,)`, and `<head>.answer`, `int64 (batch,)`."""

Collate = Callable[[list[Batch]], Batch]
"""Makes a batch of single faces, each a `Batch` without its first dimension."""


def named_targets(targets: Mapping[str, Targets]) -> Batch:
    """Give every head's targets the names that they have in a batch."""
    named: Batch = {}
    for head, target in targets.items():
        named[f"{head}.distribution"] = target.distribution
        named[f"{head}.weight"] = target.weight
        named[f"{head}.answer"] = target.answer
    return named


def places_and_padding(numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Read the numbers that a sampler gives, in which `~number` is padding.

    Returns:
        Each face's own number, `int64 (n,)`, and whether it is padding, `bool (n,)`.
    """
    given = torch.tensor(numbers, dtype=torch.int64)
    padding = given < 0
    return torch.where(padding, ~given, given), padding


def discount(batch: Batch, faces: Tensor) -> Batch:
    """Make some faces of a batch count for nothing: their weights become 0 and their answers -1.

    Args:
        batch: left as it is.
        faces: `bool (batch,)`.
    """
    if not faces.any():
        return batch
    nothing = {"weight": 0, "answer": -1}
    return {
        name: tensor.masked_fill(faces, nothing[part]) if (part := name.rpartition(".")[2]) in nothing else tensor
        for name, tensor in batch.items()
    }


def single_faces(batch: Batch) -> list[Batch]:
    """Take a batch apart."""
    return [{name: tensor[face] for name, tensor in batch.items()} for face in range(len(batch["faces"]))]
