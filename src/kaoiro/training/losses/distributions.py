"""Losses between logits and distributions over classes: labels are distributions too, with one 1 in each row."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaoiro.errors import InputError
from kaoiro.training.losses.base import Loss

ClassWeights = Literal["balanced"] | dict[str, float] | list[float] | None


def balanced_weights(class_sums_C: Tensor) -> Tensor:
    """Weigh classes so that each has an equal part in the loss, and a face has weight 1 on average.

    Args:
        class_sums_C: `(classes,)`, how much of the training faces' weight each class has.

    Returns:
        `(classes,)`: n / (k · n_c) for a class that has n_c of the n faces, where k classes have any; 0 for the others.
    """
    present_C = class_sums_C > 0
    fair_share = class_sums_C.sum() / present_C.sum().clamp(min=1)
    return torch.where(present_C, fair_share / class_sums_C.clamp(min=torch.finfo(class_sums_C.dtype).tiny), 0)


class WeightsClasses(nn.Module):
    """What losses with class weights share.

    The weights are known in two steps: a mapping or list once the head's classes are, `balanced` ones once the
    training faces have been counted.
    """

    def __init__(self, class_weights: ClassWeights) -> None:
        super().__init__()
        self.class_weights = class_weights
        # Not a buffer: an average of a run's weights is copied off before the training faces are counted.
        self.weights_C: Tensor | None = None

    def set_classes(self, classes: Sequence[str]) -> None:
        """Take the weights that were given by name or as a list.

        Raises:
            InputError: a weight is missing, is not one of the classes', or is no number of at least 0.
        """
        given = self.class_weights
        if isinstance(given, dict):
            unknown = [name for name in given if name not in classes]
            missing = [name for name in classes if name not in given]
            if unknown or missing:
                fault = f"{unknown[0]!r} is not one of them" if unknown else f"{missing[0]!r} has none"
                raise InputError(f"class_weights must give each of {', '.join(classes)} a weight: {fault}")
            given = [given[name] for name in classes]
        if isinstance(given, list):
            if len(given) != len(classes):
                raise InputError(
                    f"class_weights has {len(given)} weights for {len(classes)} classes ({', '.join(classes)})"
                )
            if not (all(math.isfinite(weight) and weight >= 0 for weight in given) and any(given)):
                raise InputError(f"class_weights must be numbers of at least 0, and not all 0, not {given}")
            self.weights_C = torch.tensor(given, dtype=torch.float32)

    def count_classes(self, class_sums_C: Tensor) -> None:
        """Work out `balanced` weights; without effect where others were given."""
        if self.class_weights == "balanced":
            self.weights_C = balanced_weights(class_sums_C).float()

    def _weighted(self, terms_BC: Tensor) -> Tensor:
        if self.class_weights is None:
            return terms_BC
        assert self.weights_C is not None, "class weights are used before they are known"
        self.weights_C = self.weights_C.to(terms_BC.device)
        return self.weights_C * terms_BC


class CrossEntropy(WeightsClasses, Loss):
    """Cross-entropy against labels or distributions, with label smoothing and class weights.

    For a face with the target distribution t and the predicted one p, both over the classes c, it is
    -Σ w_c · t_c · log p_c.

    Args:
        class_weights: `balanced` gives each class an equal part in the loss, whatever its number of training faces;
            otherwise a weight for each class, by its name or as a list in the order of classes.
        label_smoothing: share of every target that is spread evenly over the classes (Szegedy et al. 2016, section 7,
            https://arxiv.org/abs/1512.00567); by default the model's `label_smoothing`.
    """

    def __init__(self, class_weights: ClassWeights = None, label_smoothing: float | None = None) -> None:
        super().__init__(class_weights)
        self.label_smoothing = label_smoothing

    def forward(self, predictions: Tensor, targets: Tensor, smoothing: float | None = None) -> Tensor:
        """Give each face's loss.

        Args:
            predictions: logits, `(batch, classes)`.
            targets: `(batch, classes)`, rows sum to 1.
            smoothing: takes the place of `label_smoothing`.

        Returns:
            `float32 (batch,)`.
        """
        smoothing = (self.label_smoothing or 0.0) if smoothing is None else smoothing
        smooth_BC = targets * (1 - smoothing) + smoothing / targets.shape[1]
        return -self._weighted(smooth_BC * F.log_softmax(predictions.float(), dim=1)).sum(dim=1)


class Focal(WeightsClasses, Loss):
    """Cross-entropy that turns to the faces which are still read wrongly.

    For a face with the target distribution t and the predicted one p it is -Σ w_c · t_c · (1 - p_c)^γ · log p_c.
    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", https://arxiv.org/abs/1708.02002, whose α are the
    class weights here.

    Args:
        gamma: how much less a face counts that is read rightly; 0 is plain cross-entropy.
        class_weights: `balanced` gives each class an equal part in the loss, whatever its number of training faces;
            otherwise a weight for each class, by its name or as a list in the order of classes.
    """

    def __init__(self, gamma: float = 2.0, class_weights: ClassWeights = None) -> None:
        super().__init__(class_weights)
        self.gamma = gamma

    def set_classes(self, classes: Sequence[str]) -> None:
        if not (math.isfinite(self.gamma) and self.gamma >= 0):
            raise InputError(f"gamma of the focal loss must be a number of at least 0, not {self.gamma}")
        super().set_classes(classes)

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Give each face's loss, `float32 (batch,)`, for logits and distributions of `(batch, classes)`."""
        log_p_BC = F.log_softmax(predictions.float(), dim=1)
        # 1 - p without the loss of digits near p = 1; a power below 1 has no slope at 0.
        missing_BC = (-torch.expm1(log_p_BC)).clamp(min=1e-8)
        return -self._weighted(targets * missing_BC**self.gamma * log_p_BC).sum(dim=1)


class KullbackLeibler(nn.Module, Loss):
    """Kullback-Leibler divergence of the prediction p from the target distribution t: Σ t_c · log(t_c / p_c).

    It is the cross-entropy less the target's own entropy. A network learns the same from both, but this one is 0 where
    the prediction equals the votes, so its curve says how far there is to go.
    """

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Give each face's divergence, `float32 (batch,)`, for logits and distributions of `(batch, classes)`."""
        return F.kl_div(F.log_softmax(predictions.float(), dim=1), targets, reduction="none").sum(dim=1)
