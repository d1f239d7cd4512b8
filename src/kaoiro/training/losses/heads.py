"""The loss of a model: a weighted sum over its heads, each of which has one or several losses."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError
from kaoiro.training.heads import HeadConfig, Targets
from kaoiro.training.losses.base import Loss, WeightedLoss
from kaoiro.training.losses.checks import check_fit, fit_of, try_out
from kaoiro.training.losses.distributions import CrossEntropy, WeightsClasses
from kaoiro.training.losses.fitting import OWN, FaceLosses, HeadBatch, name_of


def default_loss(head: HeadConfig) -> Loss:
    """Give the loss of a head for which none is chosen."""
    if head.has_classes:
        return CrossEntropy()
    return cast(Loss, nn.BCEWithLogitsLoss() if head.target == "multilabel" else nn.SmoothL1Loss())


def _same(weight_sums: Tensor) -> Tensor:
    return weight_sums


class Losses(nn.Module):
    """What a training step makes small.

    Each loss is taken face by face in float32 and averaged by the faces' weights; it is 0 where all weights are. A
    head's losses are summed by their weights, and the heads by theirs.

    Args:
        heads: what each head learns, by its name.
        losses: each head's loss, or several with weights. A head that is not in here has a default: cross-entropy for
            `label` and `votes`, binary cross-entropy for `multilabel`, smooth L1 for `values`.
        label_smoothing: of every `CrossEntropy` that has none of its own.

    Raises:
        InputError: a loss is given to a head that there is not, or does not fit what its head learns.
    """

    def __init__(
        self,
        heads: Mapping[str, HeadConfig],
        losses: Mapping[str, Loss | Sequence[WeightedLoss]] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        losses = losses or {}
        for name in losses:
            if name not in heads:
                raise InputError(f"there is no head {name!r} to have a loss; the heads are {', '.join(heads)}")
        self._heads = dict(heads)
        self._losses = nn.ModuleDict()
        self._weights: dict[str, list[float]] = {}
        for name, head in heads.items():
            chosen = losses.get(name, default_loss(head))
            entries = [WeightedLoss(chosen)] if isinstance(chosen, Loss) else list(chosen)
            _check_weights(name, entries)
            modules = [cast(nn.Module, entry.loss) for entry in entries]
            check_fit(name, head, modules)
            for module in modules:
                _set_up(module, head, label_smoothing)
                # Balanced weights are not known yet; and ours can be called.
                if not isinstance(module, WeightsClasses):
                    try_out(name, head, module)
            self._losses[name] = nn.ModuleList(modules)
            self._weights[name] = [entry.weight for entry in entries]

    def _of(self, head: str) -> list[nn.Module]:
        modules = self._losses[head]
        assert isinstance(modules, nn.ModuleList)
        return list(modules)

    def prepare(self, targets: Mapping[str, Targets | Tensor], mixup: float) -> None:
        """Count the training faces for balanced class weights, and refuse what does not go with mixup.

        Args:
            targets: by head, the training faces' targets, or, where those are too many to hold, the sums over the
                parts of the corpus of `Targets.class_weight_sums`, `(outputs,)`. The same in every process.
            mixup: share of the batches that are blended.

        Raises:
            InputError: faces are blended, and a loss needs whole answers.
        """
        for name in self._heads:
            given = targets[name]
            class_sums_C = given if isinstance(given, Tensor) else given.class_weight_sums()
            for loss in self._of(name):
                if mixup > 0 and fit_of(loss).whole_answers:
                    raise InputError(
                        f"{name_of(loss)} of the head {name!r} needs whole answers, and mixup and cutmix blend them; "
                        "set model.augmentation.mixup and cutmix to 0, or leave the loss out for the default"
                    )
                if isinstance(loss, WeightsClasses):
                    loss.count_classes(class_sums_C)

    def forward(
        self,
        logits: Mapping[str, Tensor],
        features_BF: Tensor,
        batch: Mapping[str, Tensor],
        *,
        smoothing: bool = True,
        world_mean: Callable[[Tensor], Tensor] = _same,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare predictions with a batch's targets.

        Args:
            logits: `(batch, outputs)`, by head.
            features_BF: what the heads read, `(batch, features)`, for losses between faces.
            batch: `<head>.distribution` (blended or not), `<head>.weight`, and `<head>.answer` as it was before any
                blending.
            smoothing: false leaves label smoothing out, as in validation.
            world_mean: averages a tensor over the processes of a run. Each process then divides by the same mean
                weight, so that the mean of the processes' gradients is the gradient of the average over all faces.

        Returns:
            The loss, and each head's part in it, without gradient.
        """
        names = [(name, loss, weight) for name in self._heads for loss, weight in self._terms(name)]
        with torch.autocast(features_BF.device.type, enabled=False):
            found: list[FaceLosses] = []
            for name, loss, _ in names:
                question = HeadBatch(
                    logits[name].float(),
                    batch[f"{name}.distribution"].float(),
                    batch[f"{name}.weight"].float(),
                    batch[f"{name}.answer"],
                    features_BF.float(),
                    smoothing,
                )
                found.append(fit_of(loss).call(loss, question))
            totals = world_mean(torch.stack([weight_B.sum() for _, weight_B in found])).clamp(min=1e-6)
            parts: dict[str, list[Tensor]] = {name: [] for name in self._heads}
            for (name, _, weight), (loss_B, weight_B), total in zip(names, found, totals.unbind(), strict=True):
                known_B = torch.where(weight_B > 0, loss_B, 0)
                parts[name].append(weight * ((known_B * weight_B).sum() / total))
            shares = [head.weight * torch.stack(parts[name]).sum() for name, head in self._heads.items()]
        return torch.stack(shares).sum(), {name: s.detach() for name, s in zip(self._heads, shares, strict=True)}

    def _terms(self, head: str) -> list[tuple[nn.Module, float]]:
        return list(zip(self._of(head), self._weights[head], strict=True))


def _check_weights(head: str, entries: Sequence[WeightedLoss]) -> None:
    for entry in entries:
        if not (math.isfinite(entry.weight) and entry.weight >= 0):
            raise InputError(f"a loss of the head {head!r} has the weight {entry.weight}; it must be at least 0")


def _set_up(loss: nn.Module, head: HeadConfig, label_smoothing: float) -> None:
    if isinstance(loss, CrossEntropy):
        if loss.label_smoothing is None:
            loss.label_smoothing = label_smoothing
        if not 0 <= loss.label_smoothing < 1:
            raise InputError(f"label_smoothing must be at least 0 and below 1, not {loss.label_smoothing}")
    if isinstance(loss, WeightsClasses):
        loss.set_classes(head.outputs)
    if hasattr(loss, "reduction") and fit_of(loss) is not OWN:
        # Set past torch's typing, which knows tensors and modules only.
        loss.__dict__["reduction"] = "none"
