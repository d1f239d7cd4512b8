"""Running a model file with OpenVINO, which the extra `openvino` installs."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue

import numpy as np
import openvino
from numpy.typing import NDArray

from kaoiro.recognition.metadata import INPUT_NAME


class OpenVinoSession:
    """A model compiled for the CPU; several threads may run it at once.

    It computes in 32 bits, as ONNX Runtime does. Left to itself, OpenVINO takes bfloat16 where the CPU has it, and the
    same model would answer otherwise from one machine to the next.

    Args:
        model: the content of an ONNX file.
        threads: how many CPU threads it may use; None: all cores.

    Raises:
        RuntimeError: OpenVINO cannot load or compile the model; the last line of the message says why.
    """

    def __init__(self, model: bytes, threads: int | None) -> None:
        properties: dict[str, str | int | bool] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            # Pinned, the threads of several processes would all sit on the machine's first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(model), "CPU", properties)
        self._outputs = {name: port for port in self._compiled.outputs for name in port.get_names()}
        self._free_requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()

    def run(self, output_names: Sequence[str], inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Give the outputs of these names for `{INPUT_NAME: uint8 (batch, channels, size, size)}`."""
        faces = np.require(inputs[INPUT_NAME], requirements=("C", "W"))
        with self._request() as request:
            request.set_input_tensor(openvino.Tensor(faces, shared_memory=True))
            request.infer()
            # The request's own memory holds the next answer as soon as it is lent again.
            return [request.get_tensor(self._outputs[name]).data.copy() for name in output_names]

    @contextlib.contextmanager
    def _request(self) -> Iterator[openvino.InferRequest]:
        """Lend a request that no other thread uses."""
        try:
            request = self._free_requests.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        yield request
        self._free_requests.put(request)
