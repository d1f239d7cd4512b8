"""Parameter groups: which parameters are decayed, and which learn at a smaller rate than the heads.

The layer-wise decay follows Howard and Ruder 2018, "Universal Language Model Fine-tuning", section 3.2,
https://arxiv.org/abs/1801.06146, in the form of Bao et al. 2022, "BEiT", https://arxiv.org/abs/2106.08254: the rate
falls by one factor from each layer to the one below.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from kaoiro.errors import InputError

BACKBONE, HEADS = "backbone", "heads"
KINDS = {True: "weights", False: "norms-and-biases"}


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated alike.

    Args:
        name: for the logs, for example `backbone-3/weights`.
        parameters: those that are trained.
        decayed: whether the optimiser's weight decay applies.
        rate: factor on the optimiser's learning rate.
    """

    name: str
    parameters: list[nn.Parameter]
    decayed: bool = True
    rate: float = 1.0


def check_group_options(backbone_rate: float, layer_decay: float) -> None:
    """Refuse factors that are out of range.

    Raises:
        InputError: `backbone_rate` is not above 0, or `layer_decay` not above 0 and at most 1.
    """
    if not backbone_rate > 0:
        raise InputError(f"backbone_rate must be above 0, not {backbone_rate}; to train the heads alone, freeze it")
    if not 0 < layer_decay <= 1:
        raise InputError(f"layer_decay must be above 0 and at most 1, not {layer_decay}")


def parameter_groups(
    classifier: nn.Module,
    *,
    decay_norms_and_biases: bool = False,
    backbone_rate: float = 1.0,
    layer_decay: float = 1.0,
) -> list[ParameterGroup]:
    """Split the parameters that are trained (`requires_grad`) into groups.

    Without a smaller rate for the backbone there are two groups, `weights` and `norms-and-biases`, in this order. Else
    the backbone, or each of its layers from the first to the last, and then the heads have these two each. A parameter
    with fewer than two dimensions is a norm or a bias, and so is what the backbone's own `no_weight_decay()` names.

    Args:
        classifier: a module whose part `backbone` is the network; all the rest counts as heads.
        decay_norms_and_biases: treat norms and biases as weights.
        backbone_rate: factor on the learning rate of the backbone.
        layer_decay: factor from each layer of the backbone to the one below it; the last layer has one such factor.

    Raises:
        InputError: a factor is out of range, or no parameter is trained.
    """
    check_group_options(backbone_rate, layer_decay)
    trained = [(name, parameter) for name, parameter in classifier.named_parameters() if parameter.requires_grad]
    if not trained:
        raise InputError("there is nothing to train: every parameter of the network is frozen")
    rates, part_of = _parts(classifier, backbone_rate, layer_decay)
    never_decayed = _never_decayed(classifier)
    members: dict[tuple[str, bool], list[nn.Parameter]] = {
        (part, decayed): [] for part in rates for decayed in (True, False)
    }
    for name, parameter in trained:
        decayed = decay_norms_and_biases or (parameter.ndim > 1 and name not in never_decayed)
        members[part_of[name], decayed].append(parameter)
    # The usual two groups are there even if one is empty: checkpoints count them.
    always = len(rates) == 1 and not decay_norms_and_biases
    return [
        ParameterGroup(f"{part}/{KINDS[decayed]}".lstrip("/"), parameters, decayed, rates[part])
        for (part, decayed), parameters in members.items()
        if parameters or always
    ]


def backbone_layers(backbone: nn.Module) -> dict[str, int]:
    """Number a network's layers from the input to the output.

    A network of timm numbers its layers itself. In any other, the layers are the parts in the order in which the
    network holds them: a part that is a plain `nn.Sequential` or `nn.ModuleList` counts as its items, and one without
    matrices, such as a norm, belongs to the layer before it. A network that is one single part is opened first.

    Returns:
        The layer of each parameter, by its name; the first layer is 1. Parameters that the network holds itself, such
        as position embeddings, are in the first layer.
    """
    layers = {name: 1 for name, _ in backbone.named_parameters()}
    for prefix, module in backbone.named_modules():
        matcher = getattr(module, "group_matcher", None)
        if callable(matcher):
            from timm.models import group_parameters

            numbers: dict[str, int] = group_parameters(module, matcher(coarse=False), reverse=True)
            return layers | {f"{prefix}.{name}".lstrip("."): number + 1 for name, number in numbers.items()}
    prefix, network = "", backbone
    while len(parts := _parts_with_parameters(network)) == 1 and not list(network.parameters(recurse=False)):
        prefix, network = f"{prefix}{parts[0][0]}.", parts[0][1]
    number = 0
    for part, module in _opened(parts):
        if number == 0 or any(parameter.ndim > 1 for parameter in module.parameters()):
            number += 1
        layers |= {f"{prefix}{part}.{name}": number for name, _ in module.named_parameters()}
    return layers


def _parts_with_parameters(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, part) for name, part in module.named_children() if any(True for _ in part.parameters())]


def _opened(parts: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Module]]:
    for name, part in parts:
        if type(part) in (nn.Sequential, nn.ModuleList):
            yield from ((f"{name}.{item}", module) for item, module in _parts_with_parameters(part))
        else:
            yield name, part


def _parts(classifier: nn.Module, backbone_rate: float, layer_decay: float) -> tuple[dict[str, float], dict[str, str]]:
    """The factor of each part of the classifier, and the part of each parameter."""
    names = [name for name, _ in classifier.named_parameters()]
    if backbone_rate == 1 and layer_decay == 1:
        return {"": 1.0}, dict.fromkeys(names, "")
    part_of = {name: BACKBONE if name.startswith(f"{BACKBONE}.") else HEADS for name in names}
    if layer_decay == 1:
        return {BACKBONE: backbone_rate, HEADS: 1.0}, part_of
    layers = backbone_layers(classifier.get_submodule(BACKBONE))
    part_of |= {f"{BACKBONE}.{name}": f"{BACKBONE}-{layer}" for name, layer in layers.items()}
    count = max(layers.values())
    rates = {f"{BACKBONE}-{layer}": backbone_rate * layer_decay ** (count + 1 - layer) for layer in range(1, count + 1)}
    return {**rates, HEADS: 1.0}, part_of


def _never_decayed(classifier: nn.Module) -> set[str]:
    """What networks name as not to be decayed, by timm's convention: embeddings of positions, for example."""
    return {
        f"{prefix}.{name}".lstrip(".")
        for prefix, module in classifier.named_modules()
        if callable(listed := getattr(module, "no_weight_decay", None))
        for name in listed()
    }
