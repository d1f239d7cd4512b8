"""What each head of a model is trained on: the label, the raters' votes, several expressions at once, or numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kaoiro.corpus.ferplus import LABEL_RULES, authors_distribution, majority, multi_label, vote_distribution
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression

Target = Literal["label", "votes", "multilabel", "values"]
VoteRule = Literal["shares", "authors", "majority", "clear-majority", "plurality"]


@dataclass(frozen=True)
class HeadConfig:
    """One head.

    Args:
        target: what the head learns. `label`: the corpus's label column. `votes`: the distribution of its raters'
            votes over all eight expressions. `multilabel`: for each of several things whether it is there, read off
            `columns`, or off the votes. `values`: real numbers, read off `columns`.
        contempt: whether a `label` head has contempt as its eighth class.
        weight: the head's share in the loss.
        columns: columns of numbers of the corpus, one for each output of a `multilabel` or `values` head, for example
            `[valence, arousal]`. Where a face has null, that output learns nothing from it.
        vote_share: an expression counts as there in a `multilabel` head without columns where at least this share of
            the votes went to it. 0.3 is what FERPlus's authors take for multi-label learning (Barsoum et al. 2016,
            https://arxiv.org/abs/1608.01041).
        vote_rule: how votes become what is learnt. `shares`: all votes count, but for outliers. `authors`: by the rules
            of FERPlus's authors, which leave out faces on which raters disagree (`authors_distribution` and
            `multi_label` in `kaoiro.corpus.ferplus`). `majority`, `clear-majority`, `plurality`, for `votes` heads
            alone: one expression a face, and faces without one are left out.
        soft_labels: columns of another model's probabilities that a `label` or `votes` head learns from too, by what
            their names begin with: `teacher.ferplus` stands for `teacher.ferplus.anger` and so on, which `kaoiro data
            soft-labels` writes. A face that has null there learns from its label or votes alone.
        soft_share: how much of a face's target the soft labels are, 0 to 1; the label or the votes are the rest. It is
            distillation (Hinton et al. 2015, https://arxiv.org/abs/1503.02531) at a temperature of 1, where both
            cross-entropies are one with a blended target.
    """

    target: Target = "label"
    contempt: bool = False
    weight: float = 1.0
    columns: tuple[str, ...] = ()
    vote_share: float = 0.3
    vote_rule: VoteRule = "shares"
    soft_labels: str = ""
    soft_share: float = 0.7

    @property
    def has_classes(self) -> bool:
        """Whether the head gives a distribution over expressions, which is what a model file holds."""
        return self.target in ("label", "votes")

    @property
    def classes(self) -> tuple[Expression, ...]:
        """The expressions that a `label` or `votes` head tells apart."""
        assert self.has_classes, f"a {self.target} head has outputs, but no classes"
        return EIGHT if self.target == "votes" or self.contempt else SEVEN

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the head's outputs: its classes, or the columns that it learns."""
        if self.has_classes:
            return tuple(str(expression) for expression in self.classes)
        return tuple(self.columns) or tuple(str(expression) for expression in EIGHT)


DEFAULT_HEADS: Final[Mapping[str, HeadConfig]] = MappingProxyType({"expression": HeadConfig()})
"""What a model has where nothing else is said: one head that learns the labels."""


@dataclass(frozen=True)
class Targets:
    """What one head should answer for n faces.

    Args:
        distribution: `float32 (n, outputs)`. For `label` and `votes` rows that sum to 1, or are all zero where nothing
            is known. For `multilabel` 0 or 1, for `values` any number, and NaN where it is not known.
        weight: `float32 (n,)`, the face's weight in the loss, 0 where nothing is known.
        answer: `int64 (n,)`, the class that counts as right in accuracy, -1 where none does.
    """

    distribution: Tensor
    weight: Tensor
    answer: Tensor

    def class_weight_sums(self) -> Tensor:
        """How much of the faces' weight each output has: `float64 (outputs,)`.

        For classes these are their weighted counts. They may be summed over the parts of a corpus.
        """
        return (self.distribution.nan_to_num(0).double() * self.weight[:, None]).sum(dim=0)


def head_targets(corpus: Corpus, head: HeadConfig, *, part: bool = False) -> Targets:
    """Read one head's targets off a corpus.

    Args:
        corpus: the labelled faces.
        head: what is learnt.
        part: the corpus is a piece of a larger one: faces of which nothing is known are then all right, were they the
            whole piece.

    Raises:
        CorpusError: the corpus has no votes, no label of the head's classes, or not the head's columns or soft labels;
            or a column has numbers that the head cannot learn.
    """
    if head.columns:
        targets = _column_targets(corpus, head)
    elif head.target == "multilabel":
        targets = _several_from_votes(corpus, head)
    elif head.target == "votes":
        targets = _votes_targets(_votes(corpus), head.vote_rule)
    else:
        labels = corpus.label_indices()
        answer = np.where(labels < len(head.classes), labels, -1).astype(np.int64)
        targets = _targets(*_one_hot(answer, len(head.classes)), answer)
    if head.soft_labels:
        targets = _with_soft_labels(targets, soft_labels(corpus, head.soft_labels, head.classes), head.soft_share)
    if not part and not targets.weight.any():
        raise CorpusError(_nothing_known(corpus, head))
    return targets


def _targets(distribution: NDArray[np.float32], weight: NDArray[np.float32], answer: NDArray[np.int64]) -> Targets:
    return Targets(torch.from_numpy(distribution), torch.from_numpy(weight), torch.from_numpy(answer))


def _votes(corpus: Corpus) -> NDArray[np.uint8]:
    votes = corpus.votes()
    return np.zeros((len(corpus), len(VOTE_NAMES)), np.uint8) if votes is None else votes


def _one_hot(answer: NDArray[np.int64], classes: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give certain distributions and their weights, both 0 where the answer is -1."""
    weight = (answer >= 0).astype(np.float32)
    one_hot: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[np.maximum(answer, 0)]
    return np.asarray(one_hot * weight[:, None], np.float32), weight


def _votes_targets(votes: NDArray[np.uint8], rule: VoteRule) -> Targets:
    # Whatever is learnt, the authors' majority is what counts as right, so that heads can be compared.
    answer = majority(votes)
    if rule == "shares":
        return _targets(*vote_distribution(votes), answer)
    if rule == "authors":
        distribution = authors_distribution(votes)
        return _targets(distribution, np.asarray(distribution.any(axis=1), np.float32), answer)
    return _targets(*_one_hot(LABEL_RULES[rule](votes), len(EIGHT)), answer)


def _several_from_votes(corpus: Corpus, head: HeadConfig) -> Targets:
    if head.vote_rule == "authors":
        several = multi_label(_votes(corpus))
        weight = np.asarray(several.any(axis=1), np.float32)
        return _targets(several.astype(np.float32), weight, np.full(len(corpus), -1, np.int64))
    distribution, weight = vote_distribution(_votes(corpus))
    # Shares of all votes, "unknown" among them. They are quotients of small counts, so rounding is far below 1e-6.
    there = distribution * weight[:, None] >= head.vote_share - 1e-6
    return _targets(there.astype(np.float32), weight, np.full(len(corpus), -1, np.int64))


def _column_targets(corpus: Corpus, head: HeadConfig) -> Targets:
    columns = [corpus.column(name) for name in head.columns]
    for name, column in zip(head.columns, columns, strict=True):
        known = column[~np.isnan(column)]
        good = (known == 0) | (known == 1) if head.target == "multilabel" else np.isfinite(known)
        if not good.all():
            wanted = "0, 1 or null" if head.target == "multilabel" else "finite numbers or null"
            raise CorpusError(
                f"{corpus.path}: the column {name!r} has the value {known[~good][0]:g}, "
                f"but a {head.target} head learns from {wanted}"
            )
    values = np.stack(columns, axis=1)
    weight = np.asarray((~np.isnan(values)).any(axis=1), dtype=np.float32)
    return _targets(values, weight, np.full(len(corpus), -1, np.int64))


def soft_labels(corpus: Corpus, prefix: str, classes: Sequence[Expression]) -> NDArray[np.float32]:
    """Read another model's probabilities off a corpus.

    Args:
        corpus: the labelled faces.
        prefix: what the columns' names begin with, before a dot and the expression.
        classes: the expressions that are wanted; the probabilities of others are left out.

    Returns:
        `float32 (n, classes)`, rows that sum to 1, or are all zero where a face has null or nothing for these classes.

    Raises:
        CorpusError: a column is missing or holds no probabilities.
    """
    names = [f"{prefix}.{expression}" for expression in classes]
    missing = [name for name in names if name not in corpus.extra_columns()]
    if missing:
        raise CorpusError(
            f"{corpus.path} has no soft labels {missing[0]!r}; `kaoiro data soft-labels` writes those of a model"
        )
    shares = np.stack([corpus.column(name) for name in names], axis=1)
    known = np.asarray(~np.isnan(shares).any(axis=1))
    total = np.where(known, shares.sum(axis=1), 1)
    bad = known & ~((shares >= 0).all(axis=1) & np.isfinite(total))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise CorpusError(
            f"{corpus.path}: the soft labels {prefix!r} of {corpus.sources()[row]} are no probabilities "
            f"({', '.join(f'{share:g}' for share in shares[row])})"
        )
    # All of a face's probability may lie with an expression that is not asked for.
    known &= total > 0
    return np.asarray(np.where(known[:, None], shares / np.where(known, total, 1)[:, None], 0), np.float32)


def _with_soft_labels(targets: Targets, soft_NC: NDArray[np.float32], share: float) -> Targets:
    blended, weight = blended_with_soft_labels(targets.distribution, targets.weight, torch.from_numpy(soft_NC), share)
    return Targets(blended, weight, targets.answer)


def blended_with_soft_labels(
    distribution_NC: Tensor, weight_N: Tensor, soft_NC: Tensor, share: float
) -> tuple[Tensor, Tensor]:
    """Put another model's probabilities into targets.

    Args:
        distribution_NC: what the faces' own answers are.
        weight_N: the faces' weights in the loss, 0 where nothing is known.
        soft_NC: the other model's probabilities, all zero for faces that it says nothing of.
        share: how much of the target they are, 0 to 1.

    Returns:
        The new distributions and weights. A face of which nothing was known has `share` as its weight.
    """
    known = soft_NC.any(dim=1)
    # The sum of two weighted cross-entropies is one against the weighted mean of their targets.
    hard_weight = torch.where(known, (1 - share) * weight_N, weight_N)
    soft_weight = share * known.float()
    weight = hard_weight + soft_weight
    blended = hard_weight[:, None] * distribution_NC + soft_weight[:, None] * soft_NC
    return blended / weight.clamp(min=1e-12)[:, None], weight


def _nothing_known(corpus: Corpus, head: HeadConfig) -> str:
    if head.target == "label":
        return f"{corpus.path}: none of the faces has a label that the head knows"
    if head.columns:
        return f"{corpus.path}: no face has a value in {', '.join(head.columns)}, which a head is trained on"
    if corpus.votes() is None:
        return (
            f"{corpus.path}: the corpus has no votes, but a head is trained on them; import it with --ferplus, "
            "or drop that head"
        )
    return f"{corpus.path}: none of the faces has a vote for an expression, which a head is trained on"


def check_heads(heads: Mapping[str, HeadConfig]) -> None:
    """Refuse a model without heads, with names that a model or its file cannot carry, or with heads that make no sense.

    Raises:
        InputError: there is no head; a name is taken or not made of letters, digits, `-` and `_`; or a head's options
            do not go together or are out of range.
    """
    if not heads:
        raise InputError("the model has no heads; give at least one, for example heads: {expression: {target: label}}")
    for name, head in heads.items():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(f"the head's name {name!r} may only have letters, digits, '-' and '_'")
        if name == "faces" or hasattr(nn.ModuleDict, name):
            raise InputError(f"a head cannot have the name {name!r}, which is used otherwise; give it another")
        _check_head(name, head)


def _check_head(name: str, head: HeadConfig) -> None:
    if head.has_classes and head.columns:
        raise InputError(f"the head {name!r} learns {head.target}, so it takes no columns; multilabel and values do")
    if head.target == "values" and not head.columns:
        raise InputError(
            f"the head {name!r} learns values, but of no column; name them, for example columns: [valence, arousal]"
        )
    if head.soft_labels and not head.has_classes:
        raise InputError(f"the head {name!r} learns {head.target}, so it takes no soft labels; label and votes do")
    if not 0 <= head.soft_share <= 1:
        raise InputError(f"soft_share of the head {name!r} must lie between 0 and 1, not {head.soft_share}")
    twice = [column for column in head.columns if head.columns.count(column) > 1]
    if twice:
        raise InputError(f"the head {name!r} names the column {twice[0]!r} twice")
    from_votes = head.target == "votes" or (head.target == "multilabel" and not head.columns)
    if head.vote_rule != "shares" and not (from_votes and (head.target == "votes" or head.vote_rule == "authors")):
        what = "learns no votes" if not from_votes else "learns several at once, so it takes shares or authors"
        raise InputError(f"vote_rule of the head {name!r} cannot be {head.vote_rule!r}: the head {what}")
    if not 0 < head.vote_share <= 1:
        raise InputError(f"vote_share of the head {name!r} must be above 0 and at most 1, not {head.vote_share}")
    if not (math.isfinite(head.weight) and head.weight >= 0):
        raise InputError(f"weight of the head {name!r} must be a number of at least 0, not {head.weight}")
