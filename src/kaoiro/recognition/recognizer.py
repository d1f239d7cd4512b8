"""The recogniser: from pictures to the expressions of the faces in them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import Expression
from kaoiro.faces.crops import Box, cut_face
from kaoiro.faces.detector import DEFAULT_MIN_SCORE, Detection, FaceDetector
from kaoiro.media.images import Picture, as_rgb
from kaoiro.recognition.classifier import Classifier
from kaoiro.recognition.metadata import ModelMetadata
from kaoiro.recognition.model_file import DEFAULT_MODEL, Backend, Device, open_model
from kaoiro.recognition.priors import Prior
from kaoiro.recognition.results import Face


class Recognizer:
    """Finds faces in pictures and reads their expressions. One recogniser may serve several threads at once.

    >>> from kaoiro import Recognizer
    >>> recognizer = Recognizer()
    >>> [face.expression.value for face in recognizer.predict("examples/photos/astronaut.jpg")]
    ['happiness']

    Args:
        model: the name of a shipped model or the path of a model file.
        head: which of the model's heads answers; None takes its default. In the shipped models, `ferplus`
            knows eight expressions, and `fer2013` is the seven-class head of that benchmark.
        contempt: whether contempt, which the head must know, is among the answers. By default it is left out
            and the others' probabilities are renormalised.
        device: where the model runs: `auto`, `cpu` or `cuda`.
        threads: how many CPU threads one call of the model may use; None: all.
        backend: what runs the model: `onnxruntime`, or `openvino`, which needs the extra of that name.
        detector: the path of a YuNet file of your own, or a whole `FaceDetector`, upon which
            `min_detection_score` has no effect.
        min_detection_score: faces about which the detector is less sure, 0 to 1, are left out.
        flip_averaging: whether each face is also read mirrored, and the two answers averaged: a little more
            accurate, at twice the time.
        prior: how frequent expressions are where the pictures come from. `natural`: as in what the model learned
            from. `balanced`: all alike. A mapping, for example `{"happiness": 0.5, "neutral": 0.3, …}`, names every
            expression among the answers. Probabilities are weighted accordingly.
        min_confidence: a face whose highest probability, 0 to 1, is below this has None for its expression.

    Raises:
        ModelFileError: there is no such model, or the file is no model of Kaoiro.
        InputError: the model has no such head, the head does not know contempt, the device or the prior cannot be
            used, or `min_confidence` is not between 0 and 1.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        head: str | None = None,
        contempt: bool = False,
        device: Device = "auto",
        threads: int | None = None,
        backend: Backend = "onnxruntime",
        detector: FaceDetector | str | Path | None = None,
        min_detection_score: float = DEFAULT_MIN_SCORE,
        flip_averaging: bool = False,
        prior: Prior = "natural",
        min_confidence: float = 0.0,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise InputError(f"min_confidence must be between 0 and 1, not {min_confidence}")
        self._min_confidence = min_confidence
        model_file = open_model(model, device=device, threads=threads, backend=backend)
        self.metadata: ModelMetadata = model_file.metadata
        self._classifier = Classifier(model_file, head, contempt=contempt, flip_averaging=flip_averaging, prior=prior)
        if not isinstance(detector, FaceDetector):
            detector = FaceDetector(detector, min_detection_score)
        self._detector = detector

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions among which the recogniser chooses, in the order of `Face.probabilities`."""
        return self._classifier.expressions

    def predict(self, picture: Picture) -> list[Face]:
        """Read the faces in one picture.

        Args:
            picture: a path, `uint8 (H, W, 3)` RGB, `uint8 (H, W)` grey, or a Pillow image.

        Returns:
            The faces, the largest first; an empty list where there is none.

        Raises:
            ImageError: the file cannot be read.
            InputError: the array has another type or shape.
        """
        return self.predict_batch([picture])[0]

    def predict_batch(self, pictures: Iterable[Picture]) -> list[list[Face]]:
        """Read the faces in several pictures; all of them are classified together.

        Args:
            pictures: as `predict` takes them. They are read one after the other, so that a generator or a
                list of paths never has more than one decoded picture in memory.

        Returns:
            For each picture, in order, what `predict` returns.

        Raises:
            ImageError, InputError: as `predict`, for the first picture that cannot be used.
        """
        found: list[list[Detection]] = []

        def crops() -> Iterator[NDArray[np.uint8]]:
            for picture in pictures:
                image = as_rgb(picture)
                found.append(self.find_faces(image))
                yield from self._crops(image, found[-1])

        rows = iter(self._classifier.probabilities(crops()))
        return [[self._face(next(rows), one.box, one) for one in detections] for detections in found]

    def find_faces(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in `uint8 (H, W, 3)` RGB without reading them; the largest comes first."""
        return self._detector.detect(image)

    def read_faces(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> list[Face]:
        """Read the expressions of faces that were found before, by `find_faces` or otherwise.

        Args:
            image: `uint8 (H, W, 3)` RGB.
            detections: where the faces are in it.

        Returns:
            A face for each detection, in the same order.
        """
        rows = self._classifier.probabilities(self._crops(image, detections))
        return [self._face(row, one.box, one) for row, one in zip(rows, detections, strict=True)]

    def _crops(self, image: NDArray[np.uint8], detections: Iterable[Detection]) -> Iterator[NDArray[np.uint8]]:
        crop = self.metadata.crop
        return (cut_face(image, one.box, crop.side, crop.shift_x, crop.shift_y) for one in detections)

    def predict_crops(self, crops: Iterable[Picture]) -> list[Face]:
        """Read faces that are already cut out: each picture is one face, as a whole.

        Args:
            crops: as `predict` takes pictures.

        Returns:
            For each crop, in order, its face; the box is the whole crop, and there are no landmarks and no
            detection score.

        Raises:
            ImageError, InputError: as `predict`, for the first crop that cannot be used.
        """
        boxes: list[Box] = []

        def images() -> Iterator[NDArray[np.uint8]]:
            for crop in crops:
                image = as_rgb(crop)
                height, width = image.shape[:2]
                boxes.append((0.0, 0.0, float(width), float(height)))
                yield image

        rows = self._classifier.probabilities(images())
        return [self._face(row, box) for row, box in zip(rows, boxes, strict=True)]

    def _face(self, row: NDArray[np.float64], box: Box, detection: Detection | None = None) -> Face:
        probabilities = dict(zip(self.expressions, row.tolist(), strict=True))
        likeliest = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[likeliest]
        return Face(
            box=box,
            expression=likeliest if confidence >= self._min_confidence else None,
            confidence=confidence,
            probabilities=probabilities,
            landmarks=None if detection is None else detection.landmarks,
            detection_score=None if detection is None else detection.score,
        )
