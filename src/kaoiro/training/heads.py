"""What each head of a model is trained on: the label, or the raters' votes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from kaoiro.corpus.ferplus import majority, vote_distribution
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN, Expression


@dataclass(frozen=True)
class HeadConfig:
    """One head.

    Args:
        target: `label` trains on the corpus's label column, `votes` on the distribution of its raters' votes.
            A `votes` head tells all eight expressions apart.
        contempt: whether a `label` head has contempt as its eighth class.
        weight: the head's share in the loss.
    """

    target: Literal["label", "votes"] = "label"
    contempt: bool = False
    weight: float = 1.0

    @property
    def classes(self) -> tuple[Expression, ...]:
        return EIGHT if self.target == "votes" or self.contempt else SEVEN


DEFAULT_HEADS: Final[Mapping[str, HeadConfig]] = MappingProxyType({"expression": HeadConfig()})
"""What a model has where nothing else is said: one head that learns the labels."""


@dataclass(frozen=True)
class Targets:
    """What one head should answer for n faces.

    Args:
        distribution: `float32 (n, classes)`, rows sum to 1, or are all zero where nothing is known.
        weight: `float32 (n,)`, the face's weight in the loss, 0 where nothing is known.
        answer: `int64 (n,)`, the class that counts as right in accuracy, -1 where none does.
    """

    distribution: Tensor
    weight: Tensor
    answer: Tensor


def head_targets(corpus: Corpus, head: HeadConfig) -> Targets:
    """Read one head's targets off a corpus.

    Raises:
        CorpusError: the corpus has no votes, or no label of the head's classes.
    """
    if head.target == "votes":
        votes = corpus.votes()
        if votes is None:
            raise CorpusError(
                "the corpus has no votes, but a head is trained on them; import it with --ferplus, or drop that head"
            )
        distribution, weight = vote_distribution(votes)
        answer = majority(votes)
    else:
        labels = corpus.label_indices()
        answer = np.where(labels < len(head.classes), labels, -1).astype(np.int64)
        if not (answer >= 0).any():
            raise CorpusError("none of the corpus's faces has a label that the head knows")
        distribution = np.eye(len(head.classes), dtype=np.float32)[np.maximum(answer, 0)]
        weight = (answer >= 0).astype(np.float32)
        distribution = distribution * weight[:, None]
    return Targets(torch.from_numpy(distribution), torch.from_numpy(weight), torch.from_numpy(answer))


def check_heads(heads: Mapping[str, HeadConfig]) -> None:
    """Refuse a model without heads, or with names that a model or its file cannot carry.

    Raises:
        InputError: there is no head, or a name is taken or not made of letters, digits, `-` and `_`.
    """
    if not heads:
        raise InputError("the model has no heads; give at least one, for example heads: {expression: {target: label}}")
    for name in heads:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(f"the head's name {name!r} may only have letters, digits, '-' and '_'")
        if name == "faces" or hasattr(nn.ModuleDict, name):
            raise InputError(f"a head cannot have the name {name!r}, which is used otherwise; give it another")
