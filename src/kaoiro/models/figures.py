"""How large and how costly a network is: counted, never typed in."""

from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kaoiro.models.classifier import ExpressionClassifier
from kaoiro.models.registry import create_backbone, usual_input

CLASSES: Final = 7
"""Outputs of the one head that the figures include."""

_PRODUCTS: Final = ("aten.bmm", "aten.baddbmm")


@dataclass(frozen=True)
class NetworkFigures:
    """A network with one head of seven classes, and what it does for one picture."""

    name: str
    channels: int
    size: int
    """Side of the input in pixels."""
    parameters: int
    mmac: float
    """Million multiply-accumulate operations of the convolutions and linear layers, which is what most tables give."""
    attention_mmac: float
    """Those of products of activations with one another, as in attention, which come on top."""


def network_figures(name: str, channels: int | None = None, size: int | None = None) -> NetworkFigures:
    """Make a network, run it on one blank picture and count.

    Args:
        name: as `create_backbone` takes it.
        channels: of the input; by default what the network is meant for.
        size: of the input; by default what the network is meant for.

    Raises:
        InputError, MissingExtraError: as `create_backbone`, or the network cannot read such a picture.
    """
    usual = usual_input(name)
    channels, size = channels or usual.channels, size or usual.size
    classifier = ExpressionClassifier(create_backbone(name, channels, size=size), {"expression": CLASSES}).eval()
    # The plain form of attention is made of products that the counter sees on every kind of processor.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        classifier(torch.zeros(1, channels, size, size))
    operations = {str(operator): count for operator, count in counter.get_flop_counts()["Global"].items()}
    products = sum(count for operator, count in operations.items() if operator in _PRODUCTS)
    return NetworkFigures(
        name=name,
        channels=channels,
        size=size,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        # The counter takes a multiplication and an addition for two.
        mmac=(sum(operations.values()) - products) / 2e6,
        attention_mmac=products / 2e6,
    )
