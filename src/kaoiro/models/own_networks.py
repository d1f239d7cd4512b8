"""A user's own network by its import path."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import nn

from kaoiro.errors import InputError
from kaoiro.models.construction import construct, count_features
from kaoiro.models.faults import reported_faults


def create_own_backbone(path: str, channels: int, options: Mapping[str, Any], size: int) -> nn.Module:
    """Import a network's class, make the network and try it on blank pictures.

    The current folder is searched first, as Python does for `python -m`.

    Args:
        path: `package.module.Class`, a subclass of `torch.nn.Module` that turns `float (batch, channels, size, size)`
            into features `(batch, n)` or maps `(batch, n, height, width)`.
        channels: channels of the input picture; passed on if the class takes `channels`.
        options: further keyword arguments for the class.
        size: side of the input in pixels.

    Returns:
        The network. Its `num_features` is set where it has none.

    Raises:
        InputError: the class cannot be imported or is no network, or the network cannot be made or used.
    """
    network: Any = construct(path, _network_class(path), channels, options)
    features = count_features(path, network, channels, size)
    declared = getattr(network, "num_features", None)
    if declared is None:
        network.num_features = features
    elif declared != features:
        raise InputError(f"the network {path!r} says num_features = {declared!r}, but gives {features} features")
    return cast(nn.Module, network)


def _network_class(path: str) -> type[nn.Module]:
    module_name, _, class_name = path.rpartition(".")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        with reported_faults(f"the network {path!r} cannot be imported"):
            module = importlib.import_module(module_name)
    except InputError as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and f"{module_name}.".startswith(f"{missing.name}."):
            raise InputError(
                f"network {path!r}: there is no module {missing.name!r} in the current folder {folder!r} "
                "nor in this Python's packages"
            ) from missing
        raise
    found = getattr(module, class_name, None)
    # Only networks: the path may come from a checkpoint, which must not be able to call anything else.
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        networks = sorted(k for k, v in vars(module).items() if isinstance(v, type) and issubclass(v, nn.Module))
        offered = f"; its networks are: {', '.join(networks)}" if networks else ""
        raise InputError(
            f"network {path!r}: the module {module_name!r} has no subclass of torch.nn.Module called "
            f"{class_name!r}{offered}"
        )
    return found
