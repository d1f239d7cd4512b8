"""The two face detectors of PyPI `fer`, with its settings: a Haar cascade, and the MTCNN of `facenet-pytorch`."""

from collections.abc import Iterable

import cv2
import numpy as np
from detecting import Detect, serve_detector


def load(name: str) -> Detect:
    return _mtcnn() if name == "mtcnn" else _haar()


def _haar() -> Detect:
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def detect(image: np.ndarray) -> Iterable[Iterable[float]]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found = cascade.detectMultiScale(
            grey, scaleFactor=1.1, minNeighbors=5, flags=cv2.CASCADE_SCALE_IMAGE, minSize=(50, 50)
        )
        return [(x, y, x + w, y + h) for x, y, w, h in found]

    return detect


def _mtcnn() -> Detect:
    from facenet_pytorch import MTCNN

    network = MTCNN(keep_all=True, device="cpu")

    def detect(image: np.ndarray) -> Iterable[Iterable[float]]:
        boxes, _ = network.detect(image)
        return [] if boxes is None else boxes

    return detect


if __name__ == "__main__":
    serve_detector(load)
