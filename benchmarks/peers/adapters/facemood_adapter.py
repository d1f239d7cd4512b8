"""PyPI `facemood`: its Keras network, which its own code gives whole camera frames of 170 x 170 pixels in colour."""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import tensorflow as tf
from PIL import Image
from serving import Classify, serve

_LABELS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")


def load() -> tuple[Classify, Sequence[str]]:
    model = tf.keras.models.load_model(str(files("facemood") / "model__version1.0.0__.h5"), compile=False)

    def classify(faces: np.ndarray) -> np.ndarray:
        frames = [np.array(Image.fromarray(face).convert("RGB").resize((170, 170))) for face in faces]
        return model.predict_on_batch(np.stack(frames) / 255.0)

    return classify, _LABELS


if __name__ == "__main__":
    serve(load, ("facemood", "tensorflow-cpu", "numpy"))
