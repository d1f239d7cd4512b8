"""Reading a network back out of a checkpoint, without running anything that the file might carry."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from kaoiro.errors import ModelFileError
from kaoiro.expressions import Expression
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.weights.safe_loading import load_safely

CHECKPOINT_KEY: Final = "kaoiro"
"""Where a checkpoint keeps what is needed to rebuild its model: network, size, channels, heads, epochs, seed."""

WEIGHTS_PREFIX: Final = "classifier."
"""What the names of the classifier's tensors begin with in a checkpoint and in a model file."""

COUNTER: Final = "num_batches_tracked"
"""What the names of the counters of batches end in, buffers that a network does not need to read faces."""

_LONGEST_REASON: Final = 300

CLASS_TARGETS: Final = ("label", "votes")
"""The targets of heads that tell classes apart; the outputs of the others are no distribution."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network as a checkpoint has it; averaged weights where the run averaged them."""

    classifier: ExpressionClassifier
    """In evaluation mode, on the CPU, in float32."""
    network: str
    size: int
    channels: int
    classes: dict[str, tuple[Expression, ...]]
    """Of the heads that tell classes apart, by head."""
    targets: dict[str, str]
    """`label`, `votes`, `multilabel` or `values`, by head, for all heads."""
    epochs: int
    planned_epochs: int
    seed: int
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of the outputs of the other heads, by head."""
    network_options: dict[str, Any] = field(default_factory=dict)
    """What the network was made with, without `pretrained`: its weights are in the checkpoint."""
    normalization: str = "per-face"


def load_checkpoint(path: Path) -> TrainedNetwork:
    """Rebuild the network of a checkpoint that `kaoiro train` wrote.

    Raises:
        ModelFileError: the file is missing, is no checkpoint, is not one of Kaoiro's, wants to run code, or its
            network cannot be made here.
        MissingExtraError: its network is one of timm, which is not installed.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no checkpoint {str(path)!r}; `kaoiro train` writes best.ckpt and last.ckpt")
    content = load_safely(path)
    if not isinstance(content, dict) or CHECKPOINT_KEY not in content:
        raise ModelFileError(f"{str(path)!r} is not a checkpoint of `kaoiro train`")
    try:
        state: dict[str, Tensor] = content["state_dict"]
        return rebuild(content[CHECKPOINT_KEY], {k: v for k, v in state.items() if k.startswith(WEIGHTS_PREFIX)})
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"the network of the checkpoint {str(path)!r} cannot be made again: {brief_reason(error)}"
        ) from error


def brief_reason(error: Exception) -> str:
    """An error's message in one line of bearable length: torch names every tensor that does not fit."""
    return textwrap.shorten(str(error), _LONGEST_REASON, placeholder=" …")


def rebuild(description: Mapping[str, Any], state: Mapping[str, Tensor]) -> TrainedNetwork:
    """Make the network that a description names, with the weights of `state`.

    Args:
        description: what a checkpoint keeps under `CHECKPOINT_KEY`.
        state: all of the classifier's tensors, their names beginning with `WEIGHTS_PREFIX`, with or without counters of
            batches.

    Raises:
        AttributeError, KeyError, RuntimeError, TypeError, ValueError: the one does not fit the other.
    """
    heads = {name: tuple(outputs) for name, outputs in description["heads"].items()}
    targets = dict(description["targets"])
    class_heads = [name for name in heads if targets[name] in CLASS_TARGETS]
    options = {k: v for k, v in description.get("network_options", {}).items() if k != "pretrained"}
    normalization = description.get("normalization", "per-face")
    classifier = ExpressionClassifier(
        create_backbone(description["network"], description["channels"], options, description["size"]),
        {name: len(outputs) for name, outputs in heads.items()},
        normalization=normalization,
    )
    counters = {k: v for k, v in classifier.state_dict().items() if k.endswith(COUNTER)}
    classifier.load_state_dict(counters | {k.removeprefix(WEIGHTS_PREFIX): v for k, v in state.items()})
    return TrainedNetwork(
        classifier=classifier.eval(),
        network=description["network"],
        size=description["size"],
        channels=description["channels"],
        classes={name: tuple(map(Expression, heads[name])) for name in class_heads},
        targets=targets,
        epochs=description["epochs"],
        planned_epochs=description["planned_epochs"],
        seed=description["seed"],
        outputs={name: outputs for name, outputs in heads.items() if name not in class_heads},
        network_options=options,
        normalization=normalization,
    )
