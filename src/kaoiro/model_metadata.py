"""Changing what a model file says of itself, and nothing else."""

from dataclasses import replace
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from kaoiro.errors import ModelFileError
from kaoiro.files import atomic_path, kind_of, reported_writing
from kaoiro.recognition.metadata import METADATA_KEY, ModelMetadata


def replace_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Write other metadata into a model file. Its graph stays as it is, to the last bit.

    Args:
        path: a model file that `kaoiro export` wrote.
        metadata: what it shall say from now on, with the same heads, classes, size and channels.

    Raises:
        ModelFileError: there is no such file, it is no model of Kaoiro, or the metadata do not fit its graph.
        InputError: the file cannot be written.
    """
    if kind_of(path) != "file":
        raise ModelFileError(f"there is no model file {str(path)!r}")
    try:
        model = onnx.load(str(path))
    except DecodeError as error:
        raise ModelFileError(f"the file {str(path)!r} is no ONNX model that can be loaded: {error}") from error
    entries = {entry.key: entry for entry in model.metadata_props}
    if METADATA_KEY not in entries:
        raise ModelFileError(f"the file {str(path)!r} is an ONNX model, but none of Kaoiro's")
    if _shape(ModelMetadata.from_json(entries[METADATA_KEY].value)) != _shape(metadata):
        raise ModelFileError(f"the new metadata do not fit the graph of {str(path)!r}: other heads, classes or input")
    graph = model.graph.SerializeToString(deterministic=True)
    entries[METADATA_KEY].value = metadata.to_json()
    with reported_writing(path), atomic_path(path) as temporary:
        onnx.save_model(model, str(temporary))
        assert onnx.load(str(temporary)).graph.SerializeToString(deterministic=True) == graph


def _shape(metadata: ModelMetadata) -> tuple[object, ...]:
    """What metadata say of the graph."""
    heads = {name: replace(head, prior=None) for name, head in metadata.heads.items()}
    return metadata.size, metadata.channels, heads
