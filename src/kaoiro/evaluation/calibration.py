"""Fitting what turns logits into honest probabilities: one temperature, or a scale and a bias for each class."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

_FOLDS: Final = 5
_RIDGE: Final = 1e-3
_LEAST_FACES: Final = 10
"""Fewer right answers of a class say too little about a scale and a bias of its own."""
_CERTAIN: Final = 3.0
"""By how many standard errors the finer way must be better, out of sample, to be taken."""


def negative_log_likelihood(logits: NDArray[np.float64], answers: NDArray[np.int64], temperature: float) -> float:
    """Mean negative log-likelihood of the answers after dividing the logits by a temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(scaled).sum(axis=1))
    return float((log_total - scaled[np.arange(len(answers)), answers]).mean())


def fit_temperature(logits: NDArray[np.floating], answers: NDArray[np.int64]) -> float:
    """Find the temperature under which the answers are likeliest.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.

    Args:
        logits: `(n, classes)`.
        answers: `int64 (n,)`, right classes; faces with -1 have none and are left out.

    Returns:
        A temperature between 0.05 and 20; 1 where no face has a right answer.
    """
    known = answers >= 0
    if not known.any():
        return 1.0
    exact, answers = logits[known].astype(np.float64), answers[known]
    # In 1/T the loss is convex, hence unimodal in log T too: a golden-section search cannot be misled.
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.05), np.log(20.0)
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(exact, answers, np.exp(left)) < negative_log_likelihood(
            exact, answers, np.exp(right)
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class Calibration:
    """What is done to a head's logits z before the softmax: softmax(scales · z + biases)."""

    scales: tuple[float, ...]
    biases: tuple[float, ...]

    @classmethod
    def of_temperature(cls, temperature: float, classes: int) -> "Calibration":
        """Divide all logits by one number."""
        return cls((1 / temperature,) * classes, (0.0,) * classes)

    @property
    def by_class(self) -> bool:
        """Whether classes are treated differently."""
        return len(set(self.scales)) > 1 or any(self.biases)

    @property
    def temperature(self) -> float:
        """The one number by which logits are divided, or the inverse of the classes' mean scale."""
        return len(self.scales) / sum(self.scales)

    def apply(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Change logits `(n, classes)`."""
        return np.asarray(logits * np.array(self.scales) + np.array(self.biases), np.float64)


def fit_calibration(logits: NDArray[np.floating], answers: NDArray[np.int64]) -> Calibration:
    """Fit a temperature, or vector scaling where that is certainly better on faces that it was not fitted on.

    Vector scaling gives each class a scale and a bias of its own; a small ridge holds the scales together. It is taken
    where a five-fold cross-validation makes the answers likelier than with a temperature by more than three standard
    errors of the paired difference, and every class has ten faces.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.

    Args:
        logits: `(n, classes)`.
        answers: `int64 (n,)`, right classes; faces with -1 have none and are left out.
    """
    classes = logits.shape[1]
    known = answers >= 0
    exact, right = logits[known].astype(np.float64), answers[known]
    plain = Calibration.of_temperature(fit_temperature(exact, right), classes)
    if (np.bincount(right, minlength=classes) < _LEAST_FACES).any():
        return plain
    gains = np.empty(len(right))
    folds = np.random.default_rng(0).permutation(len(right)) % _FOLDS
    for fold in range(_FOLDS):
        fitted, tried = folds != fold, folds == fold
        coarse = Calibration.of_temperature(fit_temperature(exact[fitted], right[fitted]), classes)
        fine = _vector_scaling(exact[fitted], right[fitted])
        gains[tried] = _log_likelihoods(fine.apply(exact[tried]), right[tried]) - _log_likelihoods(
            coarse.apply(exact[tried]), right[tried]
        )
    certain = gains.mean() > _CERTAIN * gains.std(ddof=1) / np.sqrt(len(gains))
    return _vector_scaling(exact, right) if certain else plain


def _log_likelihoods(logits: NDArray[np.float64], answers: NDArray[np.int64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted[np.arange(len(answers)), answers] - np.log(np.exp(shifted).sum(axis=1)))


def _vector_scaling(logits: NDArray[np.float64], answers: NDArray[np.int64]) -> Calibration:
    z, right = torch.from_numpy(logits), torch.from_numpy(answers)
    scales = torch.full((z.shape[1],), 1 / fit_temperature(logits, answers), dtype=torch.float64, requires_grad=True)
    biases = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [scales, biases], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-8, tolerance_change=1e-12
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        apart = (scales - scales.mean()).square().sum()
        value = torch.nn.functional.cross_entropy(z * scales + biases, right) + _RIDGE * apart
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    # A common shift changes nothing; without it a bias says how a class stands to the others.
    centred = biases.detach() - biases.detach().mean()
    return Calibration(tuple(scales.detach().tolist()), tuple(centred.tolist()))
