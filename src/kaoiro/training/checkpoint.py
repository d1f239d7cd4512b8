"""Reading a network back out of a checkpoint, without running anything that the file might carry."""

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kaoiro.errors import ModelFileError
from kaoiro.expressions import Expression
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.module import CHECKPOINT_KEY


@dataclass(frozen=True)
class TrainedNetwork:
    """A network as a checkpoint has it; averaged weights where the run averaged them."""

    classifier: ExpressionClassifier
    """In evaluation mode, on the CPU, in float32."""
    network: str
    size: int
    channels: int
    classes: dict[str, tuple[Expression, ...]]
    targets: dict[str, str]
    """`label` or `votes`, by head."""
    epochs: int
    planned_epochs: int
    seed: int


def load_checkpoint(path: Path) -> TrainedNetwork:
    """Rebuild the network of a checkpoint that `kaoiro train` wrote.

    Raises:
        ModelFileError: the file is missing, is no checkpoint, is not one of Kaoiro's, or wants to run code.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no checkpoint {str(path)!r}; `kaoiro train` writes best.ckpt and last.ckpt")
    try:
        with warnings.catch_warnings():
            # torch warns of pickles of other kinds before it refuses them.
            warnings.simplefilter("ignore")
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{str(path)!r} is no checkpoint that can be loaded safely: {reason}") from error
    if not isinstance(content, dict) or CHECKPOINT_KEY not in content:
        raise ModelFileError(f"{str(path)!r} is not a checkpoint of `kaoiro train`")
    prefix = "classifier."
    try:
        description = content[CHECKPOINT_KEY]
        weights = {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
        classes = {name: tuple(map(Expression, names)) for name, names in description["heads"].items()}
        classifier = ExpressionClassifier(
            create_backbone(description["network"], description["channels"]),
            {name: len(known) for name, known in classes.items()},
        )
        classifier.load_state_dict(weights)
        trained = TrainedNetwork(
            classifier=classifier.eval(),
            network=description["network"],
            size=description["size"],
            channels=description["channels"],
            classes=classes,
            targets=description["targets"],
            epochs=description["epochs"],
            planned_epochs=description["planned_epochs"],
            seed=description["seed"],
        )
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"the checkpoint {str(path)!r} does not fit this version: {reason}") from error
    return trained
