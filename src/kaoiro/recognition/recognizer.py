"""The recogniser: from pictures to the expressions of the faces in them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import Expression
from kaoiro.faces.alignment import Pose, pose
from kaoiro.faces.crops import Box, cut_face
from kaoiro.faces.detector import Detection, Detector, open_detector
from kaoiro.media.images import Picture, as_rgb
from kaoiro.parallel import ordered_map
from kaoiro.recognition.classifier import BATCH, Classifier
from kaoiro.recognition.metadata import ModelMetadata
from kaoiro.recognition.model_file import DEFAULT_MODEL, Backend, Device, open_model
from kaoiro.recognition.priors import Prior
from kaoiro.recognition.results import Face
from kaoiro.recognition.seen_faces import SeenFaces


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
        threads: how many CPU threads may work on one picture; None: all. 1 is faster where several threads read many
            pictures (`predict_batch`, `kaoiro.recognition.many.read_pictures`).
        backend: what runs the model: `onnxruntime`, or `openvino`, which needs the extra of that name.
        detector: what finds the faces: `yunet`, `yunet-thorough` or `haar`; the path of a YuNet file; a detector of
            your own, which is any object with a method `detect` (`kaoiro.faces.detector.Detector`), or its class as
            `package.module:Class`. None: `yunet`.
        min_detection_score: faces about which the detector is less sure, 0 to 1, are left out; None: the detector's
            own limit, 0.6 for YuNet. Without effect on detectors of your own.
        align: whether tilted faces are turned upright before they are read; the detector takes a second look at each.
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
        detector: Detector | str | Path | None = None,
        min_detection_score: float | None = None,
        align: bool = True,
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
        self._detector = open_detector(detector, min_detection_score, threads)
        self._align = align

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions among which the recogniser chooses, in the order of `Face.probabilities`."""
        return self._classifier.expressions

    @property
    def min_confidence(self) -> float:
        """A face whose highest probability is below this has None for its expression."""
        return self._min_confidence

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
        image = as_rgb(picture)
        return self.read_faces(image, self.find_faces(image))

    def predict_batch(self, pictures: Iterable[Picture]) -> list[list[Face]]:
        """Read the faces in several pictures; several are looked at together, and their faces are classified together.

        Args:
            pictures: as `predict` takes them. A generator is drawn from only as far ahead as the CPU cores need, a
                few pictures each; `kaoiro.recognition.many.read_pictures` is for files that are too many for a list
                of results.

        Returns:
            For each picture, in order, what `predict` returns. Probabilities may differ from those in the last bits.

        Raises:
            ImageError, InputError: as `predict`, for the first picture that cannot be used.
        """

        def seen(picture: Picture) -> SeenFaces:
            image = as_rgb(picture)
            return self.see_faces(image, self.find_faces(image))

        with closing(ordered_map(seen, pictures, ahead=2)) as in_order:
            return self.read_seen(list(in_order))

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
        return self.read_seen([self.see_faces(image, detections)])[0]

    def see_faces(self, image: NDArray[np.uint8], detections: Sequence[Detection]) -> SeenFaces:
        """Cut faces out of a picture, which can then be let go, for `read_seen` to read them.

        Args:
            image: `uint8 (H, W, 3)` RGB.
            detections: where the faces are in it.
        """
        crops = self._crops(image, detections)
        return SeenFaces(tuple(one.box for one in detections), tuple(detections), self._classifier.inputs(crops))

    def see_crop(self, image: NDArray[np.uint8]) -> SeenFaces:
        """Take `uint8 (H, W, 3)` RGB as a face that is already cut out, for `read_seen` to read it."""
        height, width = image.shape[:2]
        return SeenFaces(((0.0, 0.0, float(width), float(height)),), (None,), self._classifier.inputs([image]))

    def read_seen(self, pictures: Sequence[SeenFaces]) -> list[list[Face]]:
        """Read the faces of several pictures in one go: for each picture, its faces in their order."""
        if not pictures:
            return []
        rows = iter(self._classifier.classify(np.concatenate([seen.inputs for seen in pictures])))
        return [
            [self._face(next(rows), box, detection) for box, detection in zip(seen.boxes, seen.detections, strict=True)]
            for seen in pictures
        ]

    def _crops(self, image: NDArray[np.uint8], detections: Iterable[Detection]) -> Iterator[NDArray[np.uint8]]:
        crop = self.metadata.crop
        for one in detections:
            place = pose(image, one, self._detector) if self._align else Pose(one.box, 0.0)
            yield cut_face(image, place.box, crop.side, crop.shift_x, crop.shift_y, place.roll)

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
        crops = iter(crops)
        faces: list[Face] = []
        while group := [self.see_crop(as_rgb(crop)) for crop in islice(crops, BATCH)]:
            faces += [face for (face,) in self.read_seen(group)]
        return faces

    def _face(self, row: NDArray[np.float64], box: Box, detection: Detection | None) -> Face:
        probabilities = dict(zip(self.expressions, row.tolist(), strict=True))
        likeliest = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[likeliest]
        return Face(
            box=box,
            expression=likeliest if confidence >= self._min_confidence else None,
            confidence=confidence,
            probabilities=probabilities,
            landmarks=None if detection is None else detection.landmarks or None,
            detection_score=None if detection is None else detection.score,
        )
