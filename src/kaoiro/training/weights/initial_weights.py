"""Beginning a training with the weights of an earlier one, whose heads, classes or input may differ."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from kaoiro.errors import ModelFileError
from kaoiro.models import ExpressionClassifier
from kaoiro.training.weights.checkpoint import COUNTER
from kaoiro.training.weights.weights_files import WeightsFile, read_weights_file

_WRAPPERS: Final = ("classifier.", "module.", "model.")
"""What Lightning modules, DDP, averaged models and other programs put in front of a tensor's name."""
_COMPILED: Final = "_orig_mod."
"""What `torch.compile` puts into the names, at any place."""
_BACKBONE: Final = "backbone."
_HEADS: Final = "heads."
_LEAST_SHARE: Final = 0.1
"""Two networks with fewer numbers in common, measured by the smaller of them, are strangers that happen to have a name
and a shape or two in common."""


@dataclass(frozen=True)
class HeadReport:
    """What became of one head of the new model."""

    loaded: tuple[str, ...]
    """The outputs whose weights come from the file."""
    fresh: tuple[str, ...]
    """The outputs that begin afresh."""
    reason: str = ""
    """Why none was loaded, where that is so."""

    def __str__(self) -> str:
        if not self.loaded:
            return f"begins afresh ({self.reason})"
        if not self.fresh:
            return f"all {len(self.loaded)} outputs loaded"
        return f"{', '.join(self.loaded)} loaded; afresh: {', '.join(self.fresh)}"


@dataclass
class LoadReport:
    """What `load_initial_weights` took from a file, what it left there, and why.

    Names are those of `ExpressionClassifier`. Counters of batches are left out.
    """

    source: str
    loaded: list[str] = field(default_factory=list)
    """The backbone's tensors that come from the file."""
    adapted: dict[str, str] = field(default_factory=dict)
    """Those among them that had to be changed, and how."""
    fresh: list[str] = field(default_factory=list)
    """The backbone's tensors that begin afresh."""
    heads: dict[str, HeadReport] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    """The file's tensors that are not used, and why."""
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report for people."""
        total = len(self.loaded) + len(self.fresh)
        lines = [f"initial weights from {self.source}: {len(self.loaded)} of the backbone's {total} tensors"]
        lines += [f"  {name}: {how}" for name, how in self.adapted.items()]
        if self.fresh:
            lines.append(f"  afresh: {_some(self.fresh)}")
        lines += [f"  head {name}: {head}" for name, head in self.heads.items()]
        for reason in dict.fromkeys(self.left.values()):
            names = [name for name, why in self.left.items() if why == reason]
            lines.append(f"  left in the file: {_some(names)} ({reason})")
        return lines + [f"  note: {note}" for note in self.notes]


def load_initial_weights(
    classifier: ExpressionClassifier,
    source: str,
    outputs: Mapping[str, Sequence[str]],
    *,
    channels: int,
    normalization: str = "per-face",
) -> LoadReport:
    """Fill a classifier with as much of a file as fits.

    The backbone's tensors are found by name, with or without the prefixes that wrappers leave. A head is filled from
    the head of the same name: all of it where both have the same outputs, otherwise the outputs that both have. The
    first convolution is adapted where the channels differ, so that a grey picture gives the features that it gave: the
    weights of red, green and blue are summed for a grey input, or each of them gets a third of the grey ones. All else
    begins as it is in `classifier`.

    Args:
        classifier: the new model; changed in place, but not where an error is raised.
        source: what `read_weights_file` takes.
        outputs: the names of each head's outputs in the new model.
        channels: of the new model's input, 1 or 3.
        normalization: of the new model's pixels; a difference is noted.

    Raises:
        ModelFileError: the file cannot be read, its weights are no finite numbers or stand in it merged with others,
            or it holds another network.
        MissingExtraError: a `.safetensors` file is given and that package is not installed.
    """
    weights = read_weights_file(source)
    state = classifier.state_dict()
    report = LoadReport(weights.source)
    given = _by_the_models_names(weights.tensors, state, report)
    taken = _take_backbone(given, state, channels, report)
    _check_network(weights, taken, state)
    _check_norms(weights, taken, state)
    for head, names in outputs.items():
        rows, report.heads[head] = _take_head(head, tuple(map(str, names)), weights, given, state)
        taken |= rows
    for name in given:
        if name.startswith(_HEADS) and name.split(".")[1] not in outputs:
            report.left[name] = "the model has no such head"
    for name, value in taken.items():
        if not value.isfinite().all():
            raise ModelFileError(f"{source!r} has weights that are no finite numbers, in {name} for one")
    if weights.normalization not in (None, normalization):
        report.notes.append(
            f"the file's network expects pixels normalised {weights.normalization!r}, this one {normalization!r}"
        )
    classifier.load_state_dict(state | taken)
    return report


def _by_the_models_names(tensors: Mapping[str, Tensor], known: Container[str], report: LoadReport) -> dict[str, Tensor]:
    given: dict[str, Tensor] = {}
    for file_name, value in tensors.items():
        name = _models_name(file_name, known)
        if name in given:
            report.left[file_name] = "another tensor has its place"
        elif name in known or name.startswith(_HEADS):
            given[name] = value
        elif not name.endswith(COUNTER):
            report.left[file_name] = "the model has none of that name"
    return given


def _models_name(file_name: str, known: Container[str]) -> str:
    """What an `ExpressionClassifier` calls a tensor, wrappers taken off and `backbone.` put in front where it lacks."""
    name = file_name.replace(_COMPILED, "")
    while True:
        for candidate in (name, _BACKBONE + name):
            if candidate in known:
                return candidate
        wrapper = next((wrapper for wrapper in _WRAPPERS if name.startswith(wrapper)), None)
        if wrapper is None:
            return name
        name = name.removeprefix(wrapper)


def _take_backbone(
    given: Mapping[str, Tensor], state: Mapping[str, Tensor], channels: int, report: LoadReport
) -> dict[str, Tensor]:
    taken: dict[str, Tensor] = {}
    for name, wanted in state.items():
        if not name.startswith(_BACKBONE):
            continue
        value = given.get(name)
        if value is not None and value.shape != wanted.shape:
            adapted = _other_channels(value, wanted, channels)
            if adapted is None:
                report.left[name] = f"the shape is {_shape(value)} there, {_shape(wanted)} here"
                value = None
            else:
                value, report.adapted[name] = adapted
        if value is not None:
            taken[name] = value
        if not name.endswith(COUNTER):
            (report.fresh if value is None else report.loaded).append(name)
    return taken


def _other_channels(value: Tensor, wanted: Tensor, channels: int) -> tuple[Tensor, str] | None:
    """Bring a first convolution's weights from grey to RGB or back; None where they are no such weights."""
    if value.ndim != 4 or {value.shape[1], wanted.shape[1]} != {1, 3} or wanted.shape[1] != channels:
        return None
    if (value.shape[0], *value.shape[2:]) != (wanted.shape[0], *wanted.shape[2:]):
        return None
    if channels == 1:
        return value.sum(dim=1, keepdim=True), "the weights of red, green and blue summed for grey pictures"
    return value.expand(-1, 3, -1, -1) / 3, "a third of the grey weights for each of red, green and blue"


def _take_head(
    head: str,
    names: tuple[str, ...],
    weights: WeightsFile,
    given: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], HeadReport]:
    keys = [f"{_HEADS}{head}.{part}" for part in ("weight", "bias")]
    if not all(key in given for key in keys):
        there = dict.fromkeys(name.split(".")[1] for name in given if name.startswith(_HEADS))
        known = f"; it has {', '.join(there)}" if there else ""
        return {}, HeadReport((), names, f"the file has no head of that name{known}")
    weight_OF, bias_O = (given[key] for key in keys)
    # A plain state dict does not name its outputs; as many of them are taken to be the same ones.
    file_names = weights.outputs.get(head, names)
    if (*weight_OF.shape, *bias_O.shape) != (len(file_names), state[keys[0]].shape[1], len(file_names)):
        fresh = HeadReport((), names, f"the shape is {_shape(weight_OF)} there, {_shape(state[keys[0]])} here")
        return {}, fresh
    shared = tuple(name for name in names if name in file_names)
    if not shared:
        return {}, HeadReport((), names, f"the file's head has other outputs: {', '.join(file_names)}")
    places = [names.index(name) for name in shared]
    file_places = [file_names.index(name) for name in shared]
    rows = {}
    for key in keys:
        rows[key] = state[key].clone()
        rows[key][places] = given[key][file_places].to(rows[key])
    return rows, HeadReport(shared, tuple(name for name in names if name not in shared))


def _check_norms(weights: WeightsFile, taken: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    means = [name for name in state if name.startswith(_BACKBONE) and name.endswith(".running_mean")]
    if weights.is_model_file and means and not any(name in taken for name in means):
        raise ModelFileError(
            f"training cannot begin with {weights.source!r}: its batch normalisations are merged into the convolutions;"
            " export the checkpoint again with this version, or give the checkpoint itself"
        )


def _check_network(weights: WeightsFile, taken: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    here = {name: value for name, value in state.items() if name.startswith(_BACKBONE)}
    there = {name: value for name, value in weights.tensors.items() if _HEADS not in name}
    smaller = min(_numbers(here), _numbers(there))
    if _numbers(taken) < _LEAST_SHARE * smaller or not taken:
        raise ModelFileError(
            f"training cannot begin with {weights.source!r}: it holds another network, {len(taken)} of whose tensors "
            f"fit this one (this one's begin with {next(iter(here))}, the file's with {next(iter(weights.tensors))})"
        )


def _numbers(tensors: Mapping[str, Tensor]) -> int:
    return sum(value.numel() for value in tensors.values())


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
