"""PyPI `what-the-face-classification`: its network in torch; several faces go through it at once."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from serving import Classify, serve
from what_the_face_classification.inference import Image_classifier


def load() -> tuple[Classify, Sequence[str]]:
    classifier = Image_classifier()
    classifier.net.eval()

    def classify(faces: np.ndarray) -> np.ndarray:
        pictures = torch.stack([classifier.transform(Image.fromarray(face)) for face in faces])
        with torch.no_grad():
            return torch.softmax(classifier.net(pictures), 1).numpy()

    return classify, classifier.classes


if __name__ == "__main__":
    serve(load, ("what-the-face-classification", "torch", "numpy"))
