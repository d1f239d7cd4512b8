"""A model file so small that its answers can be worked out by hand.

Of a face it sees two numbers only: the mean brightness of the left half and of the right half, 0 to 1. A
head's logits are `LEFT × left + RIGHT × right`, so that bright left halves mean one expression and bright
right halves another.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kaoiro.expressions import EIGHT, SEVEN, Expression
from kaoiro.recognition.metadata import METADATA_KEY, Crop, Head, ModelMetadata

LEFT = {
    "ferplus": np.array([2.0, 0.3, -1.0, 4.0, 0.0, 1.0, 0.5, 3.0]),
    "fer2013": np.array([5.0, 0.3, -1.0, 0.0, 0.0, 1.0, 0.5]),
}
RIGHT = {
    "ferplus": np.array([-1.0, 0.0, 1.5, 0.2, 5.0, 0.4, 1.0, 2.0]),
    "fer2013": np.array([0.0, 0.0, 1.5, 0.2, 0.0, 4.0, 1.0]),
}
CLASSES: dict[str, tuple[Expression, ...]] = {"ferplus": EIGHT, "fer2013": SEVEN}


def probabilities(face: np.ndarray, head: str = "ferplus") -> np.ndarray:
    """What the model answers to `uint8 (H, W)` or `(H, W, 3)` with an even width, worked out in NumPy."""
    brightness = face / 255
    middle = face.shape[1] // 2
    logits = LEFT[head] * brightness[:, :middle].mean() + RIGHT[head] * brightness[:, middle:].mean()
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def write_tiny_model(
    path: Path, *, size: int = 8, channels: int = 1, crop: Crop | None = None, with_metadata: bool = True
) -> Path:
    pixels = channels * size * size
    is_left = np.tile(np.arange(size) < size // 2, channels * size)
    nodes = [
        helper.make_node("Cast", ["faces"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"], axis=1),
    ]
    weights = []
    for head in CLASSES:
        weight = np.where(is_left[:, None], LEFT[head], RIGHT[head]) / (255 * pixels / 2)
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"{head}_weight"))
        nodes.append(helper.make_node("MatMul", ["flat", f"{head}_weight"], [f"{head}_logits"]))
        nodes.append(helper.make_node("Softmax", [f"{head}_logits"], [head], axis=1))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["batch", channels, size, size])],
        [
            helper.make_tensor_value_info(head, TensorProto.FLOAT, ["batch", len(classes)])
            for head, classes in CLASSES.items()
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if with_metadata:
        metadata = ModelMetadata(
            name="tiny",
            size=size,
            channels=channels,
            heads={head: Head(classes, 1.0) for head, classes in CLASSES.items()},
            default_head="ferplus",
            crop=crop or Crop(),
        )
        helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save(model, path)
    return path
