"""PyPI's packages on whole photos, each through its own detector and with its own defaults.

The second argument says which: `fer` (its Haar cascade), `facex` (its Haar cascade) or `facial-emotion-recognition`
(the MTCNN of `facenet-pytorch`).
"""

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from reading_photos import Read, serve_photos


def fer() -> tuple[Read, Sequence[str]]:
    from fer.fer import FER

    detector = FER()
    labels = detector._get_labels()
    return lambda image: len(detector.detect_emotions(_bgr(image))), [labels[place] for place in range(len(labels))]


def facex() -> tuple[Read, Sequence[str]]:
    import facex
    from facex.core import EmotionClassifier

    classifier = EmotionClassifier(str(Path(facex.__file__).parent / "assets" / "model_optimized.tflite"))
    return lambda image: len(classifier.predict(_bgr(image))), classifier.category


def facial_emotion_recognition() -> tuple[Read, Sequence[str]]:
    import torch
    from facial_emotion_recognition import EmotionRecognition

    load_here = torch.load
    torch.load = functools.partial(load_here, map_location="cpu")  # its weights were saved on a GPU
    try:
        recognition = EmotionRecognition(device="cpu")
    finally:
        torch.load = load_here

    def read(image: np.ndarray) -> int:
        # What its `recognise_emotion` does, without drawing.
        bgr = _bgr(image)
        grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
        boxes, _ = recognition.mtcnn.detect(bgr)
        if boxes is None:
            return 0
        for box in boxes:
            left, top, right, bottom = (max(0, round(float(edge))) for edge in box)
            recognition._predict(grey[top:bottom, left:right])
        return len(boxes)

    return read, list(recognition.emotions.values())


def _bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[:, :, ::-1])


PACKAGES = {
    "fer": (fer, ("fer", "tensorflow-cpu")),
    "facex": (facex, ("facex", "tensorflow-cpu")),
    "facial-emotion-recognition": (facial_emotion_recognition, ("facial-emotion-recognition", "facenet-pytorch")),
}

if __name__ == "__main__":
    load, packages = PACKAGES[sys.argv[2]]
    serve_photos(*load(), packages)
