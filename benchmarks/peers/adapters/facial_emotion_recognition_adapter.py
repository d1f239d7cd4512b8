"""PyPI `facial-emotion-recognition`: its network in torch; several faces go through it at once."""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from facial_emotion_recognition import EmotionRecognition
from serving import Classify, serve


def load() -> tuple[Classify, Sequence[str]]:
    load_here = torch.load
    torch.load = functools.partial(load_here, map_location="cpu")  # its weights were saved on a GPU
    try:
        recognition = EmotionRecognition("cpu")
    finally:
        torch.load = load_here

    def classify(faces: np.ndarray) -> np.ndarray:
        pictures = torch.stack([recognition.transform(face) for face in faces])
        with torch.no_grad():
            return recognition.network(pictures).numpy()

    return classify, [recognition.emotions[place] for place in range(len(recognition.emotions))]


if __name__ == "__main__":
    serve(load, ("facial-emotion-recognition", "torch", "numpy"))
