"""Making a network from a class and its options, and trying it on blank pictures."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError
from kaoiro.models.faults import reported_faults

_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def construct(name: str, make: Callable[..., nn.Module], channels: int, options: Mapping[str, Any]) -> nn.Module:
    """Make a network; `channels` is passed on if the network takes it.

    Args:
        name: how messages call the network.
        make: a class or function whose parameters are the network's options.
        channels: channels of the input picture.
        options: keyword arguments for `make`.

    Raises:
        InputError: an option is unknown or missing, or making the network fails.
    """
    if "channels" in options:
        raise InputError(f"network {name!r}: give the channels as model.channels, not among the network's options")
    parameters = inspect.signature(make).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind in _NAMED]
    known = [parameter for parameter in named if parameter != "channels"]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    unknown = [option for option in options if option not in known]
    if unknown and not takes_any:
        offered = f"its options are: {', '.join(known)}" if known else "it has none"
        raise InputError(f"the network {name!r} has no option {unknown[0]!r}; {offered}")
    needed = [p.name for p in parameters if p.name in known and p.default is p.empty and p.name not in options]
    if needed:
        raise InputError(f"the network {name!r} needs the option {needed[0]!r}; give it in model.network_options")
    given = {"channels": channels} if "channels" in named else {}
    with reported_faults(f"the network {name!r} cannot be made"):
        return make(**given, **options)


def count_features(name: str, network: nn.Module, channels: int, size: int) -> int:
    """Run a network on two blank pictures and say how many features it gives for each.

    Random streams, the network's mode and its running statistics are left as they were. The network's weights end up
    in channels-last order, as training has them, so that code which minds the order is found out here.

    Args:
        name: how messages call the network.
        network: on the CPU.
        channels: of the pictures.
        size: side of the pictures in pixels.

    Raises:
        InputError: the network fails, or gives neither features `(2, features)` nor maps `(2, features, h, w)`.
    """
    blank_BCHW = torch.zeros(2, channels, size, size).contiguous(memory_format=torch.channels_last)
    modes = [(module, module.training) for module in network.modules()]
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.no_grad(),
            reported_faults(f"the network {name!r} cannot read pictures of {channels}×{size}×{size}"),
        ):
            network.eval()
            network(blank_BCHW)  # lazy layers get their weights here, and only then an order in memory
            network.to(memory_format=torch.channels_last)
            result: object = network(blank_BCHW)
    finally:
        for module, training in modes:
            module.training = training
    shape = tuple(blank_BCHW.shape)
    if not isinstance(result, Tensor):
        raise InputError(
            f"the network {name!r} turns {shape} into a {type(result).__name__}; "
            "it must give one tensor (batch, features)"
        )
    if result.ndim not in (2, 4) or result.shape[0] != 2 or not result.is_floating_point():
        kind = "" if result.is_floating_point() else f" of {result.dtype}"
        raise InputError(
            f"the network {name!r} turns {shape} into {tuple(result.shape)}{kind}; "
            "it must give floating (2, features), or maps (2, features, height, width)"
        )
    return result.shape[1]
