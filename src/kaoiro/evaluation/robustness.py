"""How much a model loses when its faces are blurred, compressed, badly lit, tiny, tilted, covered or noisy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError
from kaoiro.evaluation.corruptions import CORRUPTIONS, STATED_SIDE, Corruption, Face
from kaoiro.evaluation.evaluate import RULES, right_answers
from kaoiro.evaluation.scores import RESAMPLES, Measured
from kaoiro.media.face_pixels import face_pixels
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.model_file import Backend, Device, open_model
from kaoiro.recognition.priors import Prior, prior_weights, with_weights


@dataclass(frozen=True)
class ChangedScores:
    """What a head makes of the changed faces."""

    accuracy: Measured
    difference: Measured
    """The accuracy less that of the same faces unchanged: below 0 where the change costs something."""


@dataclass(frozen=True)
class HeadRobustness:
    """One head's accuracies."""

    rule: str
    """What counts as the right answer."""
    n: int
    """Faces that have a right answer."""
    clean: float
    """Accuracy on the unchanged faces."""
    changed: dict[str, ChangedScores]
    """By the change's name."""


@dataclass(frozen=True)
class Robustness:
    """A model's accuracies on the faces of one split, each change applied to all of them."""

    model: str
    corpus: str
    split: str
    faces: int
    flip_averaging: bool
    seed: int
    descriptions: dict[str, str]
    """What each change does, by its name."""
    heads: dict[str, HeadRobustness]

    def to_dict(self) -> dict[str, Any]:
        """Plain types that `json.dumps` takes."""
        return asdict(self)


def compare(
    right: NDArray[np.bool_], changed_right: NDArray[np.bool_], generator: np.random.Generator
) -> ChangedScores:
    """Compare readings of the same faces before and after a change.

    The intervals are percentile bootstraps over faces. A face is right before, after, both times or never, and drawing
    faces with replacement draws the numbers of the four kinds from a multinomial distribution.

    Args:
        right: `bool (n,)`, whether each unchanged face was read rightly.
        changed_right: `bool (n,)`, the same of the changed faces.
        generator: of the bootstrap.
    """
    n = len(right)
    kinds = np.bincount(2 * right + changed_right, minlength=4)
    _, after, before, both = generator.multinomial(n, kinds / n, size=RESAMPLES).T / n
    accuracy, clean = float(changed_right.mean()), float(right.mean())
    return ChangedScores(_measured(accuracy, after + both), _measured(accuracy - clean, after - before))


def _measured(value: float, samples: NDArray[np.float64]) -> Measured:
    low, high = np.quantile(samples, [0.025, 0.975])
    return Measured(value, float(low), float(high))


def robustness(
    model: str | Path,
    corpus: Path,
    split: str,
    *,
    flip_averaging: bool = False,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    device: Device = "auto",
    backend: Backend = "onnxruntime",
    prior: Prior = "natural",
    seed: int = 0,
) -> Robustness:
    """Read the faces of a split as they are and once more with each change.

    Faces are changed at 48 × 48 pixels, or at the model's own size where that is larger, and then brought to the
    model's size.

    Args:
        model: the name of a shipped model, or a model file's path.
        corpus: a stored corpus.
        split: `train`, `validation` or `test`.
        flip_averaging: whether each face is also read mirrored, and both answers averaged.
        corruptions: the changes.
        device: where the model runs.
        backend: what runs it.
        prior: how frequent expressions are where the faces come from; the probabilities are weighted accordingly.
        seed: of the noise and the bootstrap.

    Raises:
        ModelFileError: the model cannot be used.
        InputError: the prior cannot be used with a head.
        CorpusError: the corpus cannot be used, lacks the split, or has no right answers for any of the model's heads.
    """
    opened = open_model(model, device=device, backend=backend)
    metadata = opened.metadata
    part = open_corpus(corpus).select(split)
    answers = {
        name: answer for name, head in metadata.heads.items() if (answer := right_answers(part, head)) is not None
    }
    if not answers:
        raise CorpusError(
            f"no face of the split {split!r} in {corpus} has a label or votes that the model's heads know"
        )
    weights = {name: prior_weights(prior, metadata, name, metadata.heads[name].classes) for name in answers}
    faces = part.decode_faces(max(STATED_SIDE, metadata.size), metadata.channels)

    def right_by_head(changed: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
        found = head_probabilities(opened, changed, list(answers), flip_averaging=flip_averaging)
        readings = {name: with_weights(found[name], weights[name]).argmax(axis=1) for name in answers}
        return {name: (readings[name] == answer)[answer >= 0] for name, answer in answers.items()}

    def changed_faces(change: Corruption | None) -> NDArray[np.uint8]:
        generator = np.random.default_rng(seed)
        pictures = (_picture(face) for face in faces)
        changed = (picture if change is None else change.apply(picture, generator) for picture in pictures)
        return np.stack([face_pixels(picture, metadata.size, metadata.channels) for picture in changed])

    clean = right_by_head(changed_faces(None))
    scores: dict[str, dict[str, ChangedScores]] = {name: {} for name in answers}
    for change in corruptions:
        for name, right in right_by_head(changed_faces(change)).items():
            scores[name][change.name] = compare(clean[name], right, np.random.default_rng(seed))
    return Robustness(
        model=metadata.name,
        corpus=corpus.name,
        split=split,
        faces=len(part),
        flip_averaging=flip_averaging,
        seed=seed,
        descriptions={change.name: change.description for change in corruptions},
        heads={
            name: HeadRobustness(
                rule=RULES[metadata.heads[name].target],
                n=len(right),
                clean=float(right.mean()),
                changed=scores[name],
            )
            for name, right in clean.items()
        },
    )


def _picture(face: NDArray[np.uint8]) -> Face:
    """`(channels, H, W)` to `(H, W)` or `(H, W, 3)`."""
    return face[0] if len(face) == 1 else np.ascontiguousarray(face.transpose(1, 2, 0))
