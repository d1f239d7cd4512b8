"""Which losses fit which targets, and how each of them is called.

Every loss is brought to one form: a number for each face, and the weight with which that face counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaoiro.training.heads import Target
from kaoiro.training.losses.distributions import CrossEntropy, Focal, KullbackLeibler
from kaoiro.training.losses.triplets import hardest_triplets


@dataclass(frozen=True)
class HeadBatch:
    """What one head predicted for a batch, and what it should have.

    Args:
        logits_BO: `float32 (batch, outputs)`.
        target_BO: `float32 (batch, outputs)`, NaN where not known.
        weight_B: `float32 (batch,)`.
        answer_B: `int64 (batch,)`, the class that counts as right, -1 where none does.
        features_BF: `float32 (batch, features)`, what the head read.
        smoothing: whether labels are smoothed, where the loss smooths them.
    """

    logits_BO: Tensor
    target_BO: Tensor
    weight_B: Tensor
    answer_B: Tensor
    features_BF: Tensor
    smoothing: bool

    def filled(self) -> "HeadBatch":
        """Put 0 in the place of unknown targets: a NaN would reach the gradient even through a weight of 0."""
        return replace(self, target_BO=self.target_BO.nan_to_num(0))


FaceLosses = tuple[Tensor, Tensor]
"""`(batch,)` twice: each face's loss, and its weight, 0 where the loss means nothing."""

Call = Callable[[nn.Module, HeadBatch], FaceLosses]


@dataclass(frozen=True)
class Fit:
    """How one kind of loss is used.

    Args:
        targets: what a head may learn by it.
        wants: what it compares predictions with.
        call: how it is called.
        whole_answers: each face must have one right class, or each output be 0 or 1, so that nothing may be blended.
        reads_features: it looks at the features and leaves the head's own layer untrained.
    """

    targets: frozenset[Target]
    wants: str
    call: Call
    whole_answers: bool = False
    reads_features: bool = False


def _by_face(loss_B: Tensor, batch: HeadBatch) -> FaceLosses:
    """Let a face count whose targets are all known."""
    return loss_B, batch.weight_B * ~batch.target_BO.isnan().any(dim=1)


def _by_output(loss_BO: Tensor, batch: HeadBatch) -> FaceLosses:
    """Average each face's loss over the outputs whose targets are known."""
    known_BO = ~batch.target_BO.isnan()
    count_B = known_BO.sum(dim=1)
    loss_B = torch.where(known_BO, loss_BO, 0).sum(dim=1) / count_B.clamp(min=1)
    return loss_B, batch.weight_B * (count_B > 0)


def _cross_entropy(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    assert isinstance(loss, CrossEntropy)
    smoothing = None if batch.smoothing else 0.0
    return loss(batch.logits_BO, batch.target_BO, smoothing), batch.weight_B


def _torch_cross_entropy(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    assert isinstance(loss, nn.CrossEntropyLoss)
    smoothing = loss.label_smoothing if batch.smoothing else 0.0
    each_B = F.cross_entropy(batch.logits_BO, batch.target_BO, loss.weight, reduction="none", label_smoothing=smoothing)
    return each_B, batch.weight_B


def _on_distributions(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    return loss(batch.logits_BO, batch.target_BO), batch.weight_B


def _on_log_probabilities(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    return loss(F.log_softmax(batch.logits_BO, dim=1), batch.target_BO).sum(dim=1), batch.weight_B


def _on_classes(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    predictions = F.log_softmax(batch.logits_BO, dim=1) if isinstance(loss, nn.NLLLoss) else batch.logits_BO
    return loss(predictions, batch.answer_B.clamp(min=0)), batch.weight_B * (batch.answer_B >= 0)


def _on_outputs(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    return _by_output(loss(batch.logits_BO, batch.filled().target_BO), batch)


def _multilabel_soft_margin(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    # torch's own averages over the outputs inside, unknown ones too.
    assert isinstance(loss, nn.MultiLabelSoftMarginLoss)
    each_BO = F.binary_cross_entropy_with_logits(
        batch.logits_BO, batch.filled().target_BO, loss.weight, reduction="none"
    )
    return _by_output(each_BO, batch)


def _soft_margin(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    return _by_output(loss(batch.logits_BO, 2 * batch.filled().target_BO - 1), batch)


def _multilabel_margin(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    # It wants the places of those that are there, filled up with -1.
    there_BO = batch.target_BO == 1
    places_BO = there_BO.int().argsort(dim=1, descending=True, stable=True)
    left_BO = torch.arange(there_BO.shape[1], device=there_BO.device) < there_BO.sum(dim=1, keepdim=True)
    return _by_face(loss(batch.logits_BO, places_BO.where(left_BO, -1)), batch)


def _triplets(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    assert isinstance(loss, nn.TripletMarginLoss)
    # A face that is blended with another one is of its class as long as most of it is.
    share_B = batch.target_BO.gather(1, batch.answer_B.clamp(min=0)[:, None])[:, 0]
    classes_B = batch.answer_B.where((share_B > 0.5) & (batch.weight_B > 0), -1)
    features_BF = batch.features_BF
    positive_B, negative_B, complete_B = hardest_triplets(features_BF, classes_B, loss.p)
    return loss(features_BF, features_BF[positive_B], features_BF[negative_B]), batch.weight_B * complete_B


def _own(loss: nn.Module, batch: HeadBatch) -> FaceLosses:
    filled = batch.filled()
    result = loss(filled.logits_BO, filled.target_BO)
    if result.ndim == 0:
        _, weight_B = _by_face(result, batch)
        known = weight_B > 0
        if not known.all():
            # An average over all faces would have those in it that should not count.
            result = loss(batch.logits_BO[known], batch.target_BO[known]) if known.any() else result * 0
        return result.expand(len(weight_B)), weight_B
    return _by_face(result, batch) if result.ndim == 1 else _by_output(result, batch)


_CLASSES: Final[frozenset[Target]] = frozenset({"label", "votes"})
_LABEL: Final[frozenset[Target]] = frozenset({"label"})
_SEVERAL: Final[frozenset[Target]] = frozenset({"multilabel"})
_VALUES: Final[frozenset[Target]] = frozenset({"values"})

_SHARES = "a distribution over classes"
_ONE = "one right class a face"
_EACH = "0 or 1 for each output, or a share"
_YES_OR_NO = "0 or 1 for each output, and no share"
_NUMBERS = "any number for each output"

FITS: Final[Mapping[type[nn.Module], Fit]] = MappingProxyType(
    {
        CrossEntropy: Fit(_CLASSES, _SHARES, _cross_entropy),
        Focal: Fit(_CLASSES, _SHARES, _on_distributions),
        KullbackLeibler: Fit(_CLASSES, _SHARES, _on_distributions),
        nn.CrossEntropyLoss: Fit(_CLASSES, _SHARES, _torch_cross_entropy),
        nn.KLDivLoss: Fit(_CLASSES, _SHARES, _on_log_probabilities),
        nn.NLLLoss: Fit(_LABEL, _ONE, _on_classes, whole_answers=True),
        nn.MultiMarginLoss: Fit(_LABEL, _ONE, _on_classes, whole_answers=True),
        nn.TripletMarginLoss: Fit(_CLASSES, "classes", _triplets, reads_features=True),
        nn.BCEWithLogitsLoss: Fit(_CLASSES | _SEVERAL, _EACH, _on_outputs),
        nn.MultiLabelSoftMarginLoss: Fit(_CLASSES | _SEVERAL, _EACH, _multilabel_soft_margin),
        nn.SoftMarginLoss: Fit(_LABEL | _SEVERAL, _YES_OR_NO, _soft_margin, whole_answers=True),
        nn.MultiLabelMarginLoss: Fit(_LABEL | _SEVERAL, _YES_OR_NO, _multilabel_margin, whole_answers=True),
        nn.MSELoss: Fit(_VALUES, _NUMBERS, _on_outputs),
        nn.L1Loss: Fit(_VALUES, _NUMBERS, _on_outputs),
        nn.SmoothL1Loss: Fit(_VALUES, _NUMBERS, _on_outputs),
        nn.HuberLoss: Fit(_VALUES, _NUMBERS, _on_outputs),
        nn.PoissonNLLLoss: Fit(_VALUES, _NUMBERS, _on_outputs),
    }
)
"""The losses that are known, by their exact class."""

OWN: Final = Fit(_CLASSES | _SEVERAL | _VALUES, "whatever the head learns", _own)
"""A user's own loss."""

UNFIT: Final[Mapping[type[nn.Module], str]] = MappingProxyType(
    {
        nn.BCELoss: "it wants probabilities, and a head gives logits, so take torch.nn.BCEWithLogitsLoss",
        nn.GaussianNLLLoss: "it wants a variance beside each prediction",
        nn.TripletMarginWithDistanceLoss: "its distance is a function; torch.nn.TripletMarginLoss has norms",
        nn.CosineEmbeddingLoss: "it wants pairs of faces",
        nn.HingeEmbeddingLoss: "it wants pairs of faces",
        nn.MarginRankingLoss: "it wants pairs of faces",
        nn.CTCLoss: "it wants sequences",
    }
)
"""Why some losses of `torch.nn` cannot be used at all."""


def name_of(loss: nn.Module | type[nn.Module]) -> str:
    """The class path that a configuration gives."""
    kind = loss if isinstance(loss, type) else type(loss)
    module = kind.__module__
    for public in ("torch.nn", "kaoiro.training.losses"):
        if module.startswith(f"{public}."):
            module = public
    return f"{module}.{kind.__qualname__}"


def fitting_names(target: Target) -> str:
    """The known losses that train a head on such targets."""
    fitting = (kind for kind, fit in FITS.items() if target in fit.targets and not fit.reads_features)
    return ", ".join(map(name_of, fitting))
