"""Random amounts for a batch, one for each face, from the batch's own generator."""

import torch
from torch import Tensor


def uniform(count: int, low: float, high: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw `float32 (count,)` evenly between two limits, on the device of `like`."""
    values_B = torch.rand(count, generator=generator, device=generator.device)
    return (low + (high - low) * values_B).to(like.device)
