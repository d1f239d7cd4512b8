"""The network of YuNet, run by ONNX Runtime: half the time of OpenCV's own `FaceDetectorYN`, with the same answers."""

from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from kaoiro.faces.onnx_shapes import without_shapes

_STRIDES: Final = (8, 16, 32)
_PARTS: Final = ("cls", "obj", "bbox", "kps")
_OUTPUTS: Final = tuple(f"{part}_{stride}" for stride in _STRIDES for part in _PARTS)
_SILENT: Final = 4  # ONNX Runtime's severity "fatal"
_OVERLAP_LIMIT: Final = 0.3

_ERRORS: Final = (
    ValueError,
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NotImplemented,
    onnxruntime_errors.RuntimeException,
)


class YuNetNetwork:
    """Finds faces of some 10 to 400 pixels in a picture (Wu et al. 2023, https://doi.org/10.1007/s11633-023-1423-y).

    Several threads may use it at once.

    Args:
        model: the content of a YuNet file in ONNX form, of the version of March 2023 or one with the same outputs.
        threads: how many CPU threads one search may use; None: all.

    Raises:
        ValueError: it is no such file.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        # Threads that wait busily for the next search would take the cores from what decodes and reads faces.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                without_shapes(model), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except _ERRORS as error:
            raise ValueError(f"no YuNet model in ONNX form: {error}") from error
        inputs = [node.name for node in self._session.get_inputs()]
        if len(inputs) != 1 or not {*_OUTPUTS} <= {node.name for node in self._session.get_outputs()}:
            raise ValueError("no YuNet model of the version of March 2023")
        self._input = inputs[0]

    def find(self, image: NDArray[np.uint8], min_score: float) -> NDArray[np.float64]:
        """Search a picture in its own size.

        Args:
            image: `uint8 (H, W, 3)` RGB.
            min_score: faces with a lower score, 0 to 1, are left out.

        Returns:
            `(n, 15)`, the surest face first: left, top, width, height, the x and y of five landmarks, score; in pixels.
        """
        height, width = image.shape[:2]
        below, right = -height % _STRIDES[-1], -width % _STRIDES[-1]
        if below or right:
            image = np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)
        pixels = cv2.dnn.blobFromImage(image, swapRB=True)
        answers = dict(zip(_OUTPUTS, self._session.run(_OUTPUTS, {self._input: pixels}), strict=True))
        grids = [_faces(answers, stride, (width + right) // stride, min_score) for stride in _STRIDES]
        return _without_repeats(np.concatenate(grids))


def _faces(answers: dict[str, NDArray[np.float32]], stride: int, columns: int, min_score: float) -> NDArray[np.float64]:
    """Turn one grid's answers, `(1, cells, …)` row after row, into faces as `YuNetNetwork.find` gives them."""
    is_face, is_object, boxes, points = (answers[f"{part}_{stride}"][0] for part in _PARTS)
    scores = np.sqrt(np.clip(is_face[:, 0], 0, 1) * np.clip(is_object[:, 0], 0, 1))
    sure = np.flatnonzero(scores >= min_score)
    cells = np.stack([sure % columns, sure // columns], axis=1)
    centres, sizes = cells + boxes[sure, :2].astype(np.float64), np.exp(boxes[sure, 2:].astype(np.float64))
    landmarks = np.tile(cells, 5) + points[sure].astype(np.float64)
    found = np.concatenate([centres - sizes / 2, sizes, landmarks], axis=1) * stride
    return np.concatenate([found, scores[sure, None]], axis=1)


def _without_repeats(faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of faces that share more than a limit of their joint area, keep the surest one."""
    faces = faces[np.argsort(-faces[:, -1], kind="stable")]
    areas = faces[:, 2] * faces[:, 3]
    kept = np.empty(0, np.int64)
    for place, face in enumerate(faces):
        others = faces[kept]
        low = np.maximum(face[:2], others[:, :2])
        high = np.minimum(face[:2] + face[2:4], others[:, :2] + others[:, 2:4])
        shared = np.maximum(high - low, 0).prod(axis=1)
        if (shared <= _OVERLAP_LIMIT * (areas[kept] + areas[place] - shared)).all():
            kept = np.append(kept, place)
    return np.asarray(faces[kept])
