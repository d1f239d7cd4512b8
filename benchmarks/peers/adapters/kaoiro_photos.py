"""Kaoiro's `Recognizer` on whole photos, in the environment that runs the benchmark; the second argument: the model."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from reading_photos import serve_photos

from kaoiro.recognition.many import read_pictures
from kaoiro.recognition.recognizer import Recognizer


def main() -> None:
    recognizer = Recognizer(sys.argv[2], device="cpu")
    # As `kaoiro predict` reads folders.
    for_many = Recognizer(sys.argv[2], device="cpu", threads=1)

    def read(image: np.ndarray) -> int:
        return len(recognizer.predict(image))

    def read_files(paths: Sequence[str]) -> int:
        return sum(len(reading.faces) for reading in read_pictures(for_many, map(Path, paths)))

    serve_photos(read, recognizer.expressions, ("kaoiro", "onnxruntime", "opencv-python-headless"), read_files)


if __name__ == "__main__":
    main()
