"""Networks by name: Kaoiro's own, timm's, and those that a user brings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from kaoiro.errors import InputError
from kaoiro.models.construction import construct
from kaoiro.models.emotionnet import EmotionNetBackbone
from kaoiro.models.own_networks import create_own_backbone
from kaoiro.models.residual import ResidualBackbone
from kaoiro.models.separable import SeparableBackbone
from kaoiro.models.timm_networks import PREFIX, create_timm_backbone
from kaoiro.models.transformer import TransformerBackbone


@dataclass(frozen=True)
class UsualInput:
    """The pictures that a network is meant for."""

    channels: int
    """1 for grey, 3 for RGB."""
    size: int
    """Side in pixels."""


@dataclass(frozen=True)
class _Network:
    make: Callable[..., nn.Module]
    usual_input: UsualInput


# Widths are multiples of 16, the blocks in which ONNX Runtime lays channels out.
def _kaoiro_s(
    channels: int, stem: int = 16, widths: Sequence[int] = (64, 128, 176), depths: Sequence[int] = (1, 1, 2)
) -> nn.Module:
    return ResidualBackbone(channels, stem, widths, depths)


def _kaoiro_xs(
    channels: int, stem: int = 8, widths: Sequence[int] = (32, 64, 128), depths: Sequence[int] = (1, 1, 1)
) -> nn.Module:
    return ResidualBackbone(channels, stem, widths, depths)


def _kaoiro_n(
    channels: int, stem: int = 8, widths: Sequence[int] = (16, 32, 64, 112), depths: Sequence[int] = (0, 1, 2)
) -> nn.Module:
    return SeparableBackbone(channels, stem, widths, depths)


_NETWORKS: Final = {
    "emotionnet": _Network(EmotionNetBackbone, UsualInput(channels=3, size=224)),
    "expression-transformer": _Network(TransformerBackbone, UsualInput(channels=1, size=48)),
    "kaoiro-n": _Network(_kaoiro_n, UsualInput(channels=1, size=48)),
    "kaoiro-s": _Network(_kaoiro_s, UsualInput(channels=1, size=48)),
    "kaoiro-xs": _Network(_kaoiro_xs, UsualInput(channels=1, size=48)),
}


def network_names() -> list[str]:
    """The names of Kaoiro's own networks."""
    return sorted(_NETWORKS)


def usual_input(name: str) -> UsualInput:
    """The pictures that a network is meant for; 48×48 grey, as `kaoiro train` has it, for networks of others."""
    return _NETWORKS[name].usual_input if name in _NETWORKS else UsualInput(channels=1, size=48)


def create_backbone(name: str, channels: int, options: Mapping[str, Any] | None = None, size: int = 48) -> nn.Module:
    """Make a backbone by name.

    Args:
        name: one of `network_names()`; `timm:<name>` for a backbone of timm; or `package.module.Class` for a
            network of your own, which is searched in the current folder too.
        channels: channels of the input picture, 1 for grey or 3 for RGB.
        options: keyword arguments for the network. Those of timm take `pretrained` too: true, or the path of a
            local .safetensors or .pth file.
        size: side of the input in pixels, for networks that are made for one size. timm's networks and your own
            are tried on two blank pictures of this size.

    Returns:
        A module that turns `float (batch, channels, height, width)` into features `float (batch, num_features)` or
        maps `(batch, num_features, h, w)`, with the attribute `num_features`.

    Raises:
        InputError: there is no such network, it does not take these options, or it cannot be used.
        MissingExtraError: the network is one of timm, which is not installed.
    """
    options = {} if options is None else options
    if name.startswith(PREFIX):
        return create_timm_backbone(name, channels, options, size)
    if name in _NETWORKS:
        return construct(name, _NETWORKS[name].make, channels, options)
    if all(part.isidentifier() for part in name.split(".")) and "." in name:
        return create_own_backbone(name, channels, options, size)
    raise InputError(
        f"there is no network {name!r}; the networks are: {', '.join(network_names())}, timm:<name>, "
        "or package.module.Class for one of your own"
    )
