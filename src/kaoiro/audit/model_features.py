"""What the shipped model sees in faces, before it names an expression."""

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from kaoiro.parallel import ordered_map
from kaoiro.recognition.classifier import BATCH
from kaoiro.recognition.metadata import INPUT_NAME
from kaoiro.recognition.model_file import DEFAULT_MODEL

if TYPE_CHECKING:
    from onnx import GraphProto

_HEAD: Final = "fer2013"


def model_features(
    faces: NDArray[np.uint8], on_progress: Callable[[float], None] = lambda _: None
) -> NDArray[np.float32]:
    """Give what the heads of kaoiro-s work with: the means of the last layer's features over the face.

    Args:
        faces: `uint8 (n, 48, 48)` grey, at least one.
        on_progress: is told now and then which part is done, from 0 to 1.

    Returns:
        `float32 (n, channels)`: as many as the last layer has.
    """
    import onnx

    model = onnx.load_from_string((resources.files("kaoiro") / "weights" / f"{DEFAULT_MODEL}.onnx").read_bytes())
    name = _before_the_head(model.graph)
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several batches at a time are faster than several threads for one
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def features(start: int) -> NDArray[np.float32]:
        batch = np.ascontiguousarray(faces[start : start + BATCH, None])
        (answer,) = session.run([name], {INPUT_NAME: batch})
        return np.asarray(answer, np.float32).reshape(len(batch), -1)

    blocks = []
    for block in ordered_map(features, range(0, len(faces), BATCH)):
        blocks.append(block)
        on_progress(min(1, len(blocks) * BATCH / len(faces)))
    return np.concatenate(blocks)


def _before_the_head(graph: "GraphProto") -> str:
    """Follow a head from its probabilities back to its linear layer, and name what goes into that."""
    maker = {output: node for node in graph.node for output in node.output}
    node = maker[_HEAD]
    while node.op_type != "Gemm":
        node = maker[node.input[0]]
    return str(node.input[0])
