"""Refusing, before the first step, losses that do not fit what their head learns."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError
from kaoiro.training.heads import HeadConfig
from kaoiro.training.losses.fitting import FITS, OWN, UNFIT, Fit, HeadBatch, fitting_names, name_of

_SAMPLE_FACES = 5
# What a module can be expected to raise when it is called with tensors that it was not made for.
_CALL_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def fit_of(loss: nn.Module) -> Fit:
    """How a loss is used: as the table of known ones says, or as a user's own."""
    return FITS.get(type(loss), OWN)


def check_fit(name: str, head: HeadConfig, losses: Sequence[nn.Module]) -> None:
    """Hold the losses of one head against what it learns.

    Raises:
        InputError: there is none, one does not fit, or none of them trains the head's own layer; the message says why,
            and what fits.
    """
    if not losses:
        raise InputError(f"the head {name!r} has an empty list of losses; leave it out for the default")
    for loss in losses:
        _check_one(name, head, loss)
    if all(fit_of(loss).reads_features for loss in losses):
        raise InputError(
            f"the head {name!r} has no other loss than {name_of(losses[0])}, which trains the features but not the "
            "head itself; put another one beside it"
        )


def _check_one(name: str, head: HeadConfig, loss: nn.Module) -> None:
    fit = fit_of(loss)
    known = fit is not OWN
    if head.target not in fit.targets or (not known and type(loss).__module__.startswith("torch.nn.")):
        reason = f"it wants {fit.wants}" if known else UNFIT.get(type(loss), "it is no loss of predictions and targets")
        raise InputError(
            f"{name_of(loss)} does not fit the head {name!r}, which learns {head.target}: {reason}; "
            f"these fit: {fitting_names(head.target)}"
        )
    if getattr(loss, "ignore_index", -100) != -100:
        raise InputError(
            f"{name_of(loss)} of the head {name!r} has ignore_index {loss.ignore_index}; leave it out, "
            "faces without an answer do not count anyway"
        )
    if getattr(loss, "log_target", False):
        raise InputError(f"{name_of(loss)} of the head {name!r} has log_target, but targets are no logarithms")
    if known and getattr(loss, "reduction", "mean") not in ("mean", "batchmean", "none"):
        raise InputError(
            f"{name_of(loss)} of the head {name!r} has reduction {loss.reduction!r}; leave it out, "
            "losses are averaged over the faces by their weights"
        )
    if next(loss.parameters(), None) is not None:
        raise InputError(f"{name_of(loss)} of the head {name!r} has parameters to learn, which no optimiser would move")


def try_out(name: str, head: HeadConfig, loss: nn.Module) -> None:
    """Call a loss on a few random faces.

    Raises:
        InputError: it fails, or gives something else than losses.
    """
    random = torch.Generator().manual_seed(0)
    shape = (_SAMPLE_FACES, len(head.outputs))
    logits = torch.randn(shape, generator=random).requires_grad_()
    sample = HeadBatch(
        logits_BO=logits,
        target_BO=_random_targets(head, shape, random),
        weight_B=torch.ones(_SAMPLE_FACES),
        answer_B=torch.zeros(_SAMPLE_FACES, dtype=torch.int64),
        features_BF=logits,
        smoothing=True,
    )
    # A loss may draw random numbers; the network's first weights should not depend on that.
    with torch.random.fork_rng(devices=[]):
        try:
            result = loss(logits, sample.target_BO) if fit_of(loss) is OWN else fit_of(loss).call(loss, sample)[0]
        except _CALL_ERRORS as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{name_of(loss)} cannot be used for the head {name!r}: {reason}") from error
    what = f"{name_of(loss)} of the head {name!r}, called with predictions and targets of shape {shape}, gave"
    if not isinstance(result, Tensor) or result.shape not in ((), shape[:1], shape):
        given = f"a tensor of shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        raise InputError(f"{what} {given}; it must give one number, one a face, or one for each output of each face")
    if not result.requires_grad:
        raise InputError(f"{what} a result that does not depend on the predictions")
    if not result.isfinite().all():
        raise InputError(f"{what} numbers that are not finite")


def _random_targets(head: HeadConfig, shape: tuple[int, int], random: torch.Generator) -> Tensor:
    numbers = torch.randn(shape, generator=random)
    if head.has_classes:
        return numbers.softmax(dim=1)
    return (numbers > 0).float() if head.target == "multilabel" else numbers
