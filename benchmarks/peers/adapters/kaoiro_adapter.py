"""A model of Kaoiro, in the environment that runs the benchmark: further arguments are model, head, flip, threads."""

import sys
from collections.abc import Sequence

import numpy as np
from serving import Classify, serve

from kaoiro.media.face_pixels import face_pixels
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.model_file import open_model


def load() -> tuple[Classify, Sequence[str]]:
    name, head, flip, threads = sys.argv[2:]
    model = open_model(name, device="cpu", threads=int(threads) or None)
    metadata = model.metadata

    def classify(faces: np.ndarray) -> np.ndarray:
        pixels = np.stack([face_pixels(face, metadata.size, metadata.channels) for face in faces])
        return head_probabilities(model, pixels, [head], flip_averaging=flip == "flip")[head]

    return classify, metadata.heads[head].classes


if __name__ == "__main__":
    serve(load, ("kaoiro", "onnxruntime", "numpy"))
