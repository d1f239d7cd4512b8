"""How a configuration names losses."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class Loss(ABC):
    """Any module that is called as `loss(predictions, targets)`: one of ours, of `torch.nn`, or your own.

    Every `nn.Module` counts as a subclass, so that configurations take each by its import path.
    """

    @abstractmethod
    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Give one loss a face, one an output of each face, or their average."""

    @classmethod
    def __subclasshook__(cls, candidate: type) -> Any:
        return issubclass(candidate, nn.Module) if cls is Loss else NotImplemented


@dataclass(frozen=True)
class WeightedLoss:
    """One of several losses of a head.

    Args:
        loss: one of kaoiro.training.losses or torch.nn, or your own, by its class path.
        weight: its share in the head's loss.
    """

    loss: Loss
    weight: float = 1.0


def accept_lists_as_tensors() -> None:
    """Let configurations give a tensor, such as the `weight` of a loss of `torch.nn`, as a list of numbers."""
    from jsonargparse.typing import register_type

    register_type(Tensor, _as_list, _as_tensor, fail_already_registered=False)


def _as_list(tensor: Tensor) -> Any:
    return tensor.tolist()


def _as_tensor(numbers: Any) -> Tensor:
    # A single number stays one: the optimisers' learning rates may be either, and are better off as numbers.
    if not isinstance(numbers, list):
        raise ValueError(f"expected a list of numbers, not {numbers!r}")  # noqa: TRY004
    return torch.tensor(numbers)
