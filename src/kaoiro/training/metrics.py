"""How well a head answers on the validation faces."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy, MultilabelF1Score
from torchmetrics.utilities import dim_zero_cat

from kaoiro.training.heads import HeadConfig


class ValueScores(Metric):
    """Mean absolute error and concordance of real-valued outputs; targets that are NaN do not count.

    With the means m, variances s² and covariance s_xy of predictions x and targets y, the concordance correlation
    coefficient is 2 s_xy / (s_x² + s_y² + (m_x - m_y)²), from -1 to 1. Source: Lin 1989, "A Concordance Correlation
    Coefficient to Evaluate Reproducibility", https://doi.org/10.2307/2532051.

    `compute` gives `mean_absolute_error` and `concordance`, each averaged over the outputs of which anything is known,
    and, where there are several outputs, each output's own as `concordance/<output>` and so on. A concordance that is
    not defined counts as 0.

    Args:
        outputs: the outputs' names.
    """

    full_state_update = False
    predictions: list[Tensor]
    targets: list[Tensor]

    def __init__(self, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.outputs = outputs
        self.add_state("predictions", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, predictions_BO: Tensor, targets_BO: Tensor) -> None:
        """Take in a batch: `(batch, outputs)` twice."""
        self.predictions.append(predictions_BO.detach().float())
        self.targets.append(targets_BO.detach().float())

    def compute(self) -> dict[str, Tensor]:
        predictions, targets = (dim_zero_cat(part).cpu().double() for part in (self.predictions, self.targets))
        scores: dict[str, dict[str, Tensor]] = {"mean_absolute_error": {}, "concordance": {}}
        for name, predicted, target in zip(self.outputs, predictions.T, targets.T, strict=True):
            known = ~target.isnan()
            if known.any():
                error = (predicted[known] - target[known]).abs().mean()
                scores["mean_absolute_error"][name] = error.float()
                scores["concordance"][name] = _concordance(predicted[known], target[known]).float()
        found: dict[str, Tensor] = {}
        for score, by_output in scores.items():
            found[score] = torch.stack(list(by_output.values())).mean() if by_output else torch.tensor(torch.nan)
            if len(self.outputs) > 1:
                found |= {f"{score}/{name}": value for name, value in by_output.items()}
        return found


def _concordance(x: Tensor, y: Tensor) -> Tensor:
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    spread = x.var(correction=0) + y.var(correction=0) + (x.mean() - y.mean()) ** 2
    return torch.where(spread > 0, 2 * covariance / spread, 0)


def head_metrics(head: HeadConfig, prefix: str = "") -> MetricCollection:
    """Choose the scores of one head, for `update(*metric_arguments(...))`.

    `label` and `votes` heads have `accuracy` and `balanced_accuracy` (the mean of the classes' recalls), `multilabel`
    ones `accuracy` (over all outputs of all faces) and `macro_f1` (at a probability of 0.5), `values` ones
    `mean_absolute_error` and `concordance`. They are summed up over the processes of a run.

    Args:
        head: what the head learns.
        prefix: put in front of each score's name.
    """
    count = len(head.outputs)
    chosen: dict[str, Metric | MetricCollection]
    if head.has_classes:
        chosen = {
            "accuracy": MulticlassAccuracy(count, average="micro", ignore_index=-1),
            "balanced_accuracy": MulticlassAccuracy(count, average="macro", ignore_index=-1),
        }
    elif head.target == "multilabel":
        chosen = {
            "accuracy": MultilabelAccuracy(count, average="micro", ignore_index=-1),
            "macro_f1": MultilabelF1Score(count, average="macro", ignore_index=-1),
        }
    else:
        chosen = {"value_scores": ValueScores(head.outputs)}
    return MetricCollection(chosen, prefix=prefix)


def score_names(head: HeadConfig) -> tuple[str, ...]:
    """The names of all scores that a head's metrics give."""
    if head.has_classes:
        return ("accuracy", "balanced_accuracy")
    if head.target == "multilabel":
        return ("accuracy", "macro_f1")
    scores = ("mean_absolute_error", "concordance")
    each = tuple(f"{score}/{output}" for score in scores for output in head.outputs) if len(head.outputs) > 1 else ()
    return scores + each


def metric_arguments(name: str, head: HeadConfig, logits_BO: Tensor, batch: Mapping[str, Tensor]) -> tuple[Any, Any]:
    """Bring a head's predictions for a batch, and the right answers, to the form that its metrics take.

    Faces whose weight is 0 do not count.

    Args:
        name: the head's name, by which the batch has its targets.
        head: what the head learns.
        logits_BO: what the head gave, `(batch, outputs)`.
        batch: `<head>.distribution`, `<head>.weight` and `<head>.answer`.
    """
    if head.has_classes:
        return logits_BO.float(), batch[f"{name}.answer"]
    target_BO, weight_B = batch[f"{name}.distribution"], batch[f"{name}.weight"]
    target_BO = target_BO.where(weight_B[:, None] > 0, torch.nan)
    if head.target == "multilabel":
        return logits_BO.float().sigmoid(), target_BO.nan_to_num(-1).long()
    return logits_BO.float(), target_BO
