"""Networks by name."""

from collections.abc import Callable
from typing import Final

from torch import nn

from kaoiro.errors import InputError
from kaoiro.models.emotionnet import EmotionNetBackbone
from kaoiro.models.residual import ResidualBackbone
from kaoiro.models.transformer import TransformerBackbone


def _kaoiro_s(channels: int) -> nn.Module:
    return ResidualBackbone(channels, stem=16, widths=(64, 128, 192), depths=(1, 1, 1))


_BACKBONES: Final[dict[str, Callable[[int], nn.Module]]] = {
    "emotionnet": EmotionNetBackbone,
    "expression-transformer": TransformerBackbone,
    "kaoiro-s": _kaoiro_s,
}


def network_names() -> list[str]:
    """The names that `create_backbone` knows."""
    return sorted(_BACKBONES)


def create_backbone(name: str, channels: int) -> nn.Module:
    """Make an untrained backbone by name.

    Args:
        name: one of `network_names()`.
        channels: channels of the input picture, 1 for grey or 3 for RGB.

    Returns:
        A module that turns `float (batch, channels, height, width)` into `float (batch, num_features)`, with the
        attribute `num_features`.

    Raises:
        InputError: there is no such network.
    """
    if name not in _BACKBONES:
        raise InputError(f"there is no network {name!r}; the networks are: {', '.join(network_names())}")
    return _BACKBONES[name](channels)
