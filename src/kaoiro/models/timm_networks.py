"""Backbones of timm (https://github.com/huggingface/pytorch-image-models) by name."""

import difflib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError, MissingExtraError
from kaoiro.files import kind_of
from kaoiro.models.construction import count_features
from kaoiro.models.faults import reported_faults

PREFIX: Final = "timm:"

_OURS: Final = {
    "checkpoint_path": "give the file as pretrained",
    "features_only": "a network gives one vector of features",
    "in_chans": "give model.channels",
    "num_classes": "the heads are Kaoiro's",
    "pretrained_cfg": "give a file as pretrained",
    "pretrained_cfg_overlay": "give a file as pretrained",
}
"""Arguments of timm that Kaoiro sets itself, and what a user does in their place."""


def create_timm_backbone(name: str, channels: int, options: Mapping[str, Any], size: int) -> nn.Module:
    """Make a backbone of timm without its classifier.

    Args:
        name: `timm:<name>`, with or without timm's tag of the weights, for example `timm:resnet18.a1_in1k`.
        channels: channels of the input picture; timm adapts the first convolution of pretrained weights.
        options: keyword arguments for the network. `pretrained: true` takes timm's own weights (from its cache, or
            else from the Hugging Face Hub), `pretrained: <path>` those of a local .safetensors or .pth file.
        size: side of the input in pixels, passed on as `img_size` to networks that are made for one size.

    Returns:
        The network, with `num_features` as it really gives them.

    Raises:
        MissingExtraError: timm is not installed.
        InputError: there is no such network or such option, the weights cannot be had or do not fit, or the network
            cannot read pictures of this size.
    """
    try:
        import timm
        from timm.models import get_pretrained_cfg
    except ModuleNotFoundError as error:
        package = (error.name or "timm").partition(".")[0]
        raise MissingExtraError(f"the network {name!r}", "timm", package) from error
    timm_name = name.removeprefix(PREFIX)
    _check_name(name, timm_name)
    for option in options:
        if option in _OURS:
            raise InputError(f"the network {name!r} has no option {option!r}: {_OURS[option]}")
    arguments = {"num_classes": 0, "in_chans": channels, **options}
    pretrained = arguments.pop("pretrained", False)
    config = get_pretrained_cfg(timm_name)
    if config is not None and config.fixed_input_size:
        arguments.setdefault("img_size", size)

    if isinstance(pretrained, str | Path):
        network = _with_weights_of_file(name, timm_name, Path(pretrained), arguments)
    elif pretrained is True:
        network = _with_timms_weights(name, timm_name, arguments)
    elif pretrained is False or pretrained is None:
        with reported_faults(f"the network {name!r} cannot be made"):
            network = timm.create_model(timm_name, **arguments)
    else:
        raise InputError(f"network {name!r}: pretrained is true, false or the path of a file, not {pretrained!r}")
    features = count_features(name, network, channels, size)
    # In some networks (MobileNetV3, for one) a layer follows whose width timm's num_features does not tell.
    cast(Any, network).num_features = features
    return network


def _check_name(name: str, timm_name: str) -> None:
    import timm

    architecture, _, tag = timm_name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(PREFIX + c for c in close)}?" if close else "timm.list_models() lists them all"
        raise InputError(f"there is no network {name!r} in timm {timm.__version__}; {hint}")
    tags = [known.partition(".")[2] for known in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag and tag not in tags:
        offered = f"it has: {', '.join(tags)}" if tags else "it has none"
        raise InputError(f"timm {timm.__version__} has no weights {tag!r} of {PREFIX + architecture}; {offered}")


def _with_timms_weights(name: str, timm_name: str, arguments: Mapping[str, Any]) -> nn.Module:
    import timm

    if not timm.models.is_model_pretrained(timm_name):
        raise InputError(f"timm has no weights for {name!r}; leave pretrained out, or give the path of a file")
    try:
        return timm.create_model(timm_name, pretrained=True, **arguments)
    except OSError as error:  # whatever goes wrong on the way to the hub, or in the cache
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"network {name!r}: its weights are not in timm's cache and cannot be fetched ({reason.rstrip('.')}); "
            "give the path of a .safetensors or .pth file as pretrained"
        ) from error
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the network {name!r} cannot be made: {' '.join(str(error).split())}") from error


def _with_weights_of_file(name: str, timm_name: str, path: Path, arguments: Mapping[str, Any]) -> nn.Module:
    import timm

    weights = _read_weights(path)
    before = torch.get_rng_state()
    with reported_faults(f"the network {name!r} cannot be made"):
        fresh = timm.create_model(timm_name, **arguments).state_dict()
    # From the same random numbers again, so that what the file did not fill is what stayed equal.
    torch.set_rng_state(before)
    with reported_faults(f"the weights file {str(path)!r} does not fit the network {name!r}"):
        network = timm.create_model(
            timm_name, pretrained=True, pretrained_cfg_overlay={"state_dict": weights}, **arguments
        )
    cast(Any, network).pretrained_cfg.pop("state_dict", None)
    # Vectors and counters are left out: those of fresh networks may be equal by rights, all zeros or all ones.
    filled = network.state_dict()
    comparable = [key for key, value in fresh.items() if value.ndim > 1]
    unfilled = [key for key in comparable if torch.equal(fresh[key], filled[key])]
    if len(unfilled) == len(comparable):
        raise InputError(f"the weights file {str(path)!r} does not fit the network {name!r}: no weight has its name")
    if unfilled:
        warnings.warn(
            f"{len(unfilled)} of {len(comparable)} weights of {name!r} are not in {str(path)!r} and begin afresh, "
            f"{unfilled[0]!r} for one",
            stacklevel=2,
        )
    return network


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of weights without running anything that it might carry."""
    from safetensors import SafetensorError
    from timm.models import load_state_dict

    if kind_of(path) != "file":
        raise InputError(f"there is no weights file {str(path)!r}; pretrained takes true or the path of a file")
    try:
        with warnings.catch_warnings():
            # torch warns of pickles of other kinds before it refuses them.
            warnings.simplefilter("ignore")
            content = load_state_dict(str(path), weights_only=True)
    except (SafetensorError, AttributeError, EOFError, LookupError, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(" No automatic")[0] or type(error).__name__
        raise InputError(f"{str(path)!r} is no weights file that can be loaded safely: {reason}") from error
    weights = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        raise InputError(f"{str(path)!r} holds no weights")
    return weights
