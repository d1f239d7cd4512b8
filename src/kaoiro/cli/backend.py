"""The `--backend` option's values."""

from enum import StrEnum


class Backend(StrEnum):
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
