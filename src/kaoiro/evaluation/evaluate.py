"""Judging a model file on one split of a corpus."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.duplicates import near_duplicates
from kaoiro.corpus.ferplus import majority
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError
from kaoiro.evaluation.scores import Scores, score
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import Head
from kaoiro.recognition.model_file import Backend, Device, open_model
from kaoiro.recognition.priors import Prior, prior_weights, with_weights

if TYPE_CHECKING:
    from kaoiro.evaluation.robustness import Robustness

RULES: Final = {
    "label": "the corpus's label",
    "votes": "the raters' majority: single votes dropped, then more than half of those left (FERPlus authors' rule)",
}


@dataclass(frozen=True)
class HeadReport:
    """One head's scores, and how they were taken."""

    rule: str
    """What counts as the right answer."""
    scores: Scores
    leak_free: Scores | None
    """The same without faces that are near-duplicates of training faces; None where that was not asked for."""


@dataclass(frozen=True)
class Report:
    """A model's scores on one split."""

    model: str
    corpus: str
    split: str
    faces: int
    flip_averaging: bool
    near_duplicates: int | None
    """Faces of the split that are near-duplicates of training faces; None where they were not looked for."""
    prior: str | dict[str, float]
    """The prior that probabilities were weighted to: `natural` (not at all), `balanced`, or frequencies by name."""
    heads: dict[str, HeadReport]
    robustness: "Robustness | None" = None
    """What changes to the faces cost; None where that was not measured."""

    def to_dict(self) -> dict[str, Any]:
        """Plain types that `json.dumps` takes."""
        return asdict(self)


def right_answers(part: Corpus, head: Head) -> NDArray[np.int64] | None:
    """The class of each face that counts as right for a head, -1 where none does; None if the corpus has none at all.

    Returns:
        `int64 (n,)`, places in the head's classes.
    """
    if head.target == "votes":
        votes = part.votes()
        if votes is None:
            return None
        answers = majority(votes)
    else:
        labels = part.label_indices()
        answers = np.where(labels < len(head.classes), labels, -1)
    return answers if (answers >= 0).any() else None


def evaluate(
    model: str | Path,
    corpus: Path,
    split: str,
    *,
    flip_averaging: bool = False,
    leak_check: bool = True,
    device: Device = "auto",
    backend: Backend = "onnxruntime",
    prior: Prior = "natural",
) -> Report:
    """Judge a model on one split of a corpus.

    Args:
        model: the name of a shipped model, or a model file's path.
        corpus: a stored corpus.
        split: `train`, `validation` or `test`.
        flip_averaging: whether each face is also read mirrored, and both answers averaged.
        leak_check: whether near-duplicates of the corpus's training faces are looked for and the scores are also
            given without them; has no effect on the `train` split itself or where there is none.
        device: where the model runs.
        backend: what runs it.
        prior: how frequent expressions are where the faces come from; the probabilities are weighted accordingly.

    Raises:
        ModelFileError: the model cannot be used.
        InputError: the prior cannot be used with a head (`kaoiro.recognition.priors.prior_weights` says when).
        CorpusError: the corpus cannot be used, lacks the split, or has no right answers for any of the model's heads.
    """
    opened = open_model(model, device=device, backend=backend)
    metadata = opened.metadata
    stored = open_corpus(corpus)
    part = stored.select(split)
    answers = {name: right_answers(part, head) for name, head in metadata.heads.items()}
    if all(answer is None for answer in answers.values()):
        raise CorpusError(
            f"no face of the split {split!r} in {corpus} has a label or votes that the model's heads know"
        )
    weights = {
        name: prior_weights(prior, metadata, name, head.classes)
        for name, head in metadata.heads.items()
        if answers[name] is not None
    }
    faces = part.decode_faces(metadata.size, metadata.channels)
    found = head_probabilities(opened, faces, list(metadata.heads), flip_averaging=flip_averaging)
    duplicates = None
    if leak_check and split != "train" and "train" in stored.splits():
        references = stored.select("train").decode_faces(48, 1)[:, 0]
        duplicates = near_duplicates(part.decode_faces(48, 1)[:, 0], references)
    heads = {}
    for name, head in metadata.heads.items():
        answer = answers[name]
        if answer is None:
            continue
        probabilities = with_weights(found[name], weights[name])
        clean = None if duplicates is None else np.where(duplicates, -1, answer)
        heads[name] = HeadReport(
            rule=RULES[head.target],
            scores=score(probabilities, answer, head.classes),
            leak_free=score(probabilities, clean, head.classes) if clean is not None and (clean >= 0).any() else None,
        )
    return Report(
        model=metadata.name,
        corpus=corpus.name,
        split=split,
        faces=len(part),
        flip_averaging=flip_averaging,
        near_duplicates=None if duplicates is None else int(duplicates.sum()),
        prior={str(name): value for name, value in prior.items()} if isinstance(prior, Mapping) else prior,
        heads=heads,
    )
