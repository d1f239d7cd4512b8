"""From cut-out faces to probabilities, in batches."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import Expression
from kaoiro.media.face_pixels import face_pixels
from kaoiro.recognition.metadata import INPUT_NAME
from kaoiro.recognition.model_file import ModelFile
from kaoiro.recognition.priors import Prior, prior_weights, with_weights

BATCH: Final = 64


def head_probabilities(
    model: ModelFile, faces: NDArray[np.uint8], heads: Sequence[str], *, flip_averaging: bool
) -> dict[str, NDArray[np.float64]]:
    """Run heads of a model on faces that have its input form, in batches.

    Args:
        model: the model.
        faces: `uint8 (n, channels, size, size)`, in the model's own size and colours.
        heads: names of the model's heads.
        flip_averaging: whether each face is also read mirrored, and the two answers averaged.

    Returns:
        `float64 (n, classes)` by head.
    """
    batches = []
    for start in range(0, len(faces), BATCH):
        batch = faces[start : start + BATCH]
        answers = [np.asarray(a, np.float64) for a in model.session.run(list(heads), {INPUT_NAME: batch})]
        if flip_averaging:
            mirrored = model.session.run(list(heads), {INPUT_NAME: np.ascontiguousarray(batch[..., ::-1])})
            answers = [(a + b) / 2 for a, b in zip(answers, mirrored, strict=True)]
        batches.append(answers)
    return {head: np.concatenate(parts) for head, parts in zip(heads, zip(*batches, strict=True), strict=True)}


class Classifier:
    """Reads the expressions of cut-out faces with one head of a model.

    Args:
        model: an opened model file.
        head: the name of the head; None takes the model's default.
        contempt: whether contempt is one of the answers. Where the head knows contempt and it is not asked
            for, it is left out and the others' probabilities are renormalised.
        flip_averaging: whether each face is also classified mirrored, and the two answers averaged. Takes
            twice the time.
        prior: how frequent expressions are where the faces come from: `natural`, as in what the model learned from;
            `balanced`, all alike; or a mapping from each expression among the answers to its frequency.

    Raises:
        InputError: the model has no such head, contempt is asked of a head that does not know it, or the prior
            cannot be used (`kaoiro.recognition.priors.prior_weights` says when).
    """

    def __init__(
        self,
        model: ModelFile,
        head: str | None = None,
        *,
        contempt: bool = False,
        flip_averaging: bool = False,
        prior: Prior = "natural",
    ) -> None:
        self._model = model
        heads = model.metadata.heads
        self._head = model.metadata.default_head if head is None else head
        if self._head not in heads:
            raise InputError(f"unknown head {head!r}; the model {model.metadata.name!r} has {', '.join(heads)}")
        classes = heads[self._head].classes
        if contempt and Expression.CONTEMPT not in classes:
            with_contempt = [name for name, other in heads.items() if Expression.CONTEMPT in other.classes]
            advice = f"; use head {' or '.join(with_contempt)}" if with_contempt else ""
            raise InputError(f"the head {self._head!r} does not know contempt{advice}")
        self._kept = [i for i, e in enumerate(classes) if contempt or e is not Expression.CONTEMPT]
        self.expressions: tuple[Expression, ...] = tuple(classes[i] for i in self._kept)
        """What the columns of `probabilities` stand for."""
        self._flip_averaging = flip_averaging
        self._weights = prior_weights(prior, model.metadata, self._head, self.expressions)

    def probabilities(self, faces: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Classify cut-out faces.

        Args:
            faces: each `uint8 (H, W, 3)` RGB or `(H, W)` grey, of any size.

        Returns:
            `float64 (n, len(expressions))`; each row sums to 1.
        """
        faces = iter(faces)
        batches = []
        while batch := list(islice(faces, BATCH)):
            batches.append(self.classify(self.inputs(batch)))
        return np.concatenate(batches) if batches else np.empty((0, len(self.expressions)))

    def inputs(self, faces: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Bring cut-out faces, as `probabilities` takes them, to the model's `uint8 (n, channels, size, size)`."""
        metadata = self._model.metadata
        pixels = [face_pixels(face, metadata.size, metadata.channels) for face in faces]
        return np.stack(pixels) if pixels else np.empty((0, metadata.channels, *[metadata.size] * 2), np.uint8)

    def classify(self, inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Classify what `inputs` gave, `uint8 (n, channels, size, size)`; the answers are those of `probabilities`."""
        if not len(inputs):
            return np.empty((0, len(self.expressions)))
        answers = head_probabilities(self._model, inputs, [self._head], flip_averaging=self._flip_averaging)
        kept = answers[self._head][:, self._kept]
        return with_weights(np.asarray(kept / kept.sum(axis=1, keepdims=True)), self._weights)
