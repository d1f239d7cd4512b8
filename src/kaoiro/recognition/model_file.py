"""Opening a model file: a shipped one by name, or any by its path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from kaoiro.errors import InputError, MissingExtraError, ModelFileError
from kaoiro.files import kind_of
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY, ModelMetadata
from kaoiro.recognition.small_network_session import LARGEST_FILE, SmallNetworkSession

DEFAULT_MODEL: Final = "kaoiro-s"

Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["onnxruntime", "openvino"]

_LOADING_ERRORS: Final = (
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NoModel,
    onnxruntime_errors.NotImplemented,
    onnxruntime_errors.RuntimeException,
)
_CPU: Final = "CPUExecutionProvider"
_SILENT: Final = 4  # ONNX Runtime's severity "fatal"


class Session(Protocol):
    """What runs a model's graph; several threads may call it at once."""

    def run(self, output_names: Sequence[str], inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Give these outputs, each `(batch, classes)`, for `{INPUT_NAME: (batch, channels, size, size)}`."""


@dataclass(frozen=True)
class ModelFile:
    """An opened model."""

    metadata: ModelMetadata
    session: Session


def shipped_models() -> list[str]:
    """The names of the models that come with this package."""
    files = (file.name for file in (resources.files("kaoiro") / "weights").iterdir())
    return sorted(name.removesuffix(".onnx") for name in files if name.endswith(".onnx"))


def open_model(
    model: str | Path = DEFAULT_MODEL,
    *,
    device: Device = "auto",
    threads: int | None = None,
    backend: Backend = "onnxruntime",
) -> ModelFile:
    """Open a model file.

    Args:
        model: the name of a shipped model, or a file's path.
        device: where the model runs: `auto` takes a CUDA GPU where this installation of ONNX Runtime can use
            one. OpenVINO runs on the CPU only.
        threads: how many CPU threads one call may use; None leaves it to the backend (all cores), except that ONNX
            Runtime reads a few faces with a small network on one.
        backend: what runs the model. `openvino` needs the extra of that name; the answers are the same.

    Raises:
        ModelFileError: there is no such model or file, or the file is no model of Kaoiro.
        InputError: the device or the backend is unknown, or CUDA was asked for and cannot be used; `threads` is
            below 1.
        MissingExtraError: OpenVINO was asked for and is not installed.
    """
    if threads is not None and threads < 1:
        raise InputError(f"the number of threads must be at least 1, not {threads}")
    if backend not in get_args(Backend):
        raise InputError(f"unknown backend {backend!r}; choose one of {', '.join(get_args(Backend))}")
    if backend == "openvino" and device == "cuda":
        raise InputError("backend 'openvino' runs on the CPU, not on device 'cuda'; use the backend 'onnxruntime'")
    providers = _providers(device)
    content = model_bytes(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    # Threads that wait busily for the next call would take the cores from what decodes pictures and finds faces.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    if backend != "onnxruntime":
        # ONNX Runtime only reads the file then.
        providers = [_CPU]
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        # Without its fallback: that one prints to stdout.
        session = onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)
    except _LOADING_ERRORS as error:
        raise ModelFileError(f"the file {str(model)!r} is no ONNX model that can be loaded: {error}") from error
    if device == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise InputError("device 'cuda': ONNX Runtime found no CUDA GPU that works; use 'auto' or 'cpu'")
    metadata = _checked_metadata(session, model)
    if backend == "onnxruntime":
        if threads is None and session.get_providers() == [_CPU] and len(content) <= LARGEST_FILE:
            options.intra_op_num_threads = 1
            alone = onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)
            return ModelFile(metadata, SmallNetworkSession(alone, session))
        return ModelFile(metadata, session)
    return ModelFile(metadata, _openvino_session(content, threads, called=str(model)))


def _checked_metadata(session: onnxruntime.InferenceSession, model: str | Path) -> ModelMetadata:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"the file {str(model)!r} is an ONNX model, but none of Kaoiro's (it lacks the metadata "
            f"{METADATA_KEY!r}); make one with: kaoiro export"
        )
    metadata = ModelMetadata.from_json(text)
    inputs = {(node.name, node.type) for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    if inputs != {(INPUT_NAME, "tensor(uint8)")} or not outputs >= metadata.heads.keys():
        raise ModelFileError(f"the graph of the file {str(model)!r} does not fit its metadata; export it again")
    return metadata


def _openvino_session(content: bytes, threads: int | None, *, called: str) -> Session:
    try:
        from kaoiro.recognition.openvino_session import OpenVinoSession
    except ModuleNotFoundError as error:
        raise MissingExtraError("the backend 'openvino'", "openvino", error.name or "openvino") from error
    try:
        return OpenVinoSession(content, threads)
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2].strip(" -")
        raise ModelFileError(
            f"OpenVINO cannot run the model {called!r} ({reason}); use the backend 'onnxruntime'"
        ) from error


def _providers(device: str) -> list[str]:
    if device not in get_args(Device):
        raise InputError(f"unknown device {device!r}; choose one of {', '.join(get_args(Device))}")
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise InputError(
            "device 'cuda' needs an ONNX Runtime with CUDA, and this one has none; install onnxruntime-gpu "
            "in place of onnxruntime, or use 'auto' or 'cpu'"
        )
    return ["CUDAExecutionProvider", _CPU] if has_cuda and device != "cpu" else [_CPU]


def model_bytes(model: str | Path) -> bytes:
    """Read a model file, a shipped one by its name.

    Raises:
        ModelFileError: there is no such model or file, or it cannot be read.
    """
    shipped = shipped_models()
    if model in shipped:
        return (resources.files("kaoiro") / "weights" / f"{model}.onnx").read_bytes()
    path = Path(model)
    if kind_of(path) == "missing":
        if isinstance(model, str) and path.name == model and not path.suffix:
            known = f"the shipped ones are {', '.join(shipped)}" if shipped else "this package ships none"
            raise ModelFileError(f"unknown model {model!r}; {known}; or give the path of an .onnx file")
        raise ModelFileError(f"there is no model file {str(model)!r}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read the model file {str(model)!r}: {error.strerror}") from error
