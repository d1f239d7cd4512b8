"""PyPI `facex`: its TensorFlow Lite network, one face a call as its own code does."""

from collections.abc import Sequence
from pathlib import Path

import facex
import numpy as np
from facex.core import EmotionClassifier
from serving import Classify, serve


def load() -> tuple[Classify, Sequence[str]]:
    classifier = EmotionClassifier(str(Path(facex.__file__).parent / "assets" / "model_optimized.tflite"))

    def classify(faces: np.ndarray) -> np.ndarray:
        return np.array([list(classifier.detect_emotion(face).values()) for face in faces])

    return classify, classifier.category


if __name__ == "__main__":
    serve(load, ("facex", "tensorflow-cpu", "scikit-image", "numpy"))
