"""Reading weights out of every kind of file that training can begin with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from kaoiro.errors import MissingExtraError, ModelFileError
from kaoiro.files import kind_of
from kaoiro.training.weights.checkpoint import (
    CHECKPOINT_KEY,
    WEIGHTS_PREFIX,
    TrainedNetwork,
    brief_reason,
    load_checkpoint,
    rebuild,
)
from kaoiro.training.weights.safe_loading import load_safely

_NESTED: Final = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
"""Under which keys other programs keep the weights in their checkpoints, averaged ones first."""

_METADATA_KEY: Final = "kaoiro"
"""Where a model file keeps what it says about itself; docs/model-file.md describes it."""

_MODEL_FILE_WEIGHTS: Final = (f"{WEIGHTS_PREFIX}backbone.", f"{WEIGHTS_PREFIX}heads.")


@dataclass(frozen=True)
class WeightsFile:
    """What a file holds to begin with."""

    source: str
    """The name or path that was given."""
    tensors: dict[str, Tensor]
    """By the names that the file gives them."""
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of each head's outputs; empty where the file does not tell."""
    normalization: str | None = None
    """How the network's pixels were normalised; None where the file does not tell."""
    description: dict[str, Any] | None = None
    """What a checkpoint would say of the network under `CHECKPOINT_KEY`; of model files alone."""

    @property
    def is_model_file(self) -> bool:
        """Whether it is one of `kaoiro export`."""
        return self.description is not None


def shipped_names() -> list[str]:
    """The names of the models that come with this package."""
    names = (file.name for file in (resources.files("kaoiro") / "weights").iterdir())
    return sorted(name.removesuffix(".onnx") for name in names if name.endswith(".onnx"))


def read_weights_file(source: str) -> WeightsFile:
    """Read weights; nothing that the file might carry is run.

    Args:
        source: the name of a shipped model; or the path of a checkpoint (`.ckpt`), of a model file (`.onnx`), of a
            file of `torch.save` with a state dict, or of a `.safetensors` file.

    Raises:
        ModelFileError: there is no such model or file, or it holds no weights that can be read.
        MissingExtraError: a `.safetensors` file is given and that package is not installed.
    """
    if source in shipped_names():
        return _from_model_file(source, (resources.files("kaoiro") / "weights" / f"{source}.onnx").read_bytes())
    path = Path(source)
    if kind_of(path) != "file":
        raise ModelFileError(
            f"there are no initial weights {source!r}: give the path of a file, or a shipped model's name "
            f"({', '.join(shipped_names())})"
        )
    if path.suffix == ".safetensors":
        return WeightsFile(source, _safetensors(path))
    if path.suffix != ".onnx":
        return _from_torch_file(source, load_safely(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read the model file {source!r}: {error.strerror}") from error
    return _from_model_file(source, content)


def _from_torch_file(source: str, content: Any) -> WeightsFile:
    description = content.get(CHECKPOINT_KEY) if isinstance(content, dict) else None
    nested = content
    if isinstance(content, dict):
        nested = next((content[key] for key in _NESTED if isinstance(content.get(key), dict)), content)
    tensors = {k: v for k, v in nested.items() if isinstance(v, Tensor)} if isinstance(nested, dict) else {}
    if not tensors:
        raise ModelFileError(f"{source!r} holds no weights: neither a state dict nor a checkpoint with one")
    return _described(source, tensors, description if isinstance(description, dict) else {})


def _described(source: str, tensors: dict[str, Tensor], description: Mapping[str, Any]) -> WeightsFile:
    heads = description.get("heads", {})
    outputs = {name: tuple(map(str, names)) for name, names in heads.items()}
    return WeightsFile(source, tensors, outputs, description.get("normalization", "per-face") if heads else None)


def _from_model_file(source: str, content: bytes) -> WeightsFile:
    try:
        model = onnx.load_from_string(content)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        metadata = json.loads(properties[_METADATA_KEY])
        outputs = {name: tuple(map(str, head["classes"])) for name, head in metadata["heads"].items()}
        provenance = metadata.get("provenance", {})
        normalization = provenance.get("normalization", "per-face")
        tensors = {
            entry.name: torch.from_numpy(onnx.numpy_helper.to_array(entry).copy())
            for entry in model.graph.initializer
            # The others are constants of the computation.
            if entry.name.startswith(_MODEL_FILE_WEIGHTS)
        }
    except (AttributeError, DecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{source!r} is no model file of `kaoiro export`, or not a whole one") from error
    if "members" in provenance or "precision" in provenance:
        why = "is an ensemble" if "members" in provenance else "computes in 8 bits"
        raise ModelFileError(f"training cannot use {source!r}: it {why}; give the checkpoint of one network")
    description = {
        **provenance,
        "size": metadata.get("size"),
        "channels": metadata.get("channels"),
        "heads": outputs,
        "targets": {name: head.get("target") for name, head in metadata["heads"].items()},
    }
    return WeightsFile(source, tensors, outputs, normalization, description)


def load_network(source: str) -> TrainedNetwork:
    """Rebuild a whole network.

    Args:
        source: the path of a checkpoint of `kaoiro train`, the name of a shipped model, or the path of a model file
            (`.onnx`) of one network.

    Raises:
        ModelFileError: there is no such model or file, or its network cannot be made here.
        MissingExtraError: its network is one of timm, which is not installed.
    """
    if source not in shipped_names() and Path(source).suffix != ".onnx":
        return load_checkpoint(Path(source))
    weights = read_weights_file(source)
    assert weights.description is not None
    try:
        return rebuild(weights.description, weights.tensors)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"the network of the model file {source!r} cannot be made again: {brief_reason(error)}"
        ) from error


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the file {str(path)!r}", "timm", "safetensors") from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{str(path)!r} is no .safetensors file, or not a whole one") from error
    if not tensors:
        raise ModelFileError(f"{str(path)!r} holds no weights")
    return tensors
