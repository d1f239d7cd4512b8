"""Other priors: how frequent each expression is where a model is used, not where it learned."""

import math
from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import Expression
from kaoiro.recognition.metadata import ModelMetadata

Prior = Literal["natural", "balanced"] | Mapping[str, float]
"""How frequent expressions are: `natural`, as in what the model learned from; `balanced`, all alike; or each
expression's frequency. Frequencies need not sum to 1: 50 and 0.5 say the same if all are given that way."""

_SMALLEST: Final = float(np.finfo(np.float32).tiny)


def parse_prior(text: str) -> Prior:
    """Read a prior from a line of text: `natural`, `balanced`, or `happiness=0.5,neutral=0.4,…`.

    Raises:
        InputError: the text is none of these.
    """
    if text == "natural":
        return "natural"
    if text == "balanced":
        return "balanced"
    frequencies: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            raise InputError(
                f"the prior {text!r} cannot be read at {part.strip()!r}; give natural, balanced, or each expression's "
                "frequency, as in happiness=0.5,neutral=0.4,…"
            ) from None
        if name in frequencies:
            raise InputError(f"the prior {text!r} names {name} twice")
        frequencies[name] = value
    return frequencies


def prior_weights(
    prior: Prior, metadata: ModelMetadata, head: str, answers: tuple[Expression, ...]
) -> NDArray[np.float64] | None:
    """Work out what each probability must be multiplied by where expressions are as frequent as `prior` says.

    Bayes' rule: the probabilities p(y|x) of a model that learned where expressions had the frequencies π(y) become
    p(y|x) · q(y) / π(y), normalised, where they have the frequencies q(y). Among some expressions only, q and π
    count only in proportion to each other, so expressions that are not among the answers have no effect.

    Source: Saerens et al. 2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities",
    https://doi.org/10.1162/089976602753284446; as an addition to logits: Menon et al. 2021, "Long-tail Learning via
    Logit Adjustment", https://arxiv.org/abs/2007.07314.

    Args:
        prior: the frequencies q. Given one by one they must name every expression among the answers. `balanced` gives
            the same to each that the head learned from, and 0 to those of which it saw no face.
        metadata: the model's, with the frequencies π in its heads.
        head: which head answers.
        answers: the expressions among which it chooses, all of them classes of the head.

    Returns:
        `float64 (len(answers),)`, the largest 1; None for `natural`, which changes nothing.

    Raises:
        InputError: the prior is unknown or leaves an expression out, a frequency is not a number of at least 0, all
            are 0, one is given to an expression of which the head saw no face, or the head does not say what it
            learned from.
    """
    if prior == "natural":
        return None
    wanted = _balanced() if prior == "balanced" else _checked(prior, answers)
    described = metadata.heads[head]
    if described.prior is None:
        raise InputError(
            f"the head {head!r} of the model {metadata.name!r} does not say how frequent each expression was in its "
            "training, so only the prior natural can be used; models exported with a corpus say it"
        )
    learned = dict(zip(described.classes, described.prior, strict=True))
    if prior != "balanced":
        unseen = [one for one in answers if wanted[one] > 0 and not learned[one] > 0]
        if unseen:
            raise InputError(
                f"the head {head!r} of the model {metadata.name!r} learned from no face of {unseen[0]}, so the prior "
                f"cannot give it {wanted[unseen[0]]:g}; give it 0"
            )
    possible = [one for one in answers if wanted[one] > 0 and learned[one] > 0]
    if not possible:
        raise InputError(f"the prior gives 0 to every expression that the head {head!r} can answer; give one more")
    # Both quotients are at most 1, so that no frequency, however large or small, leaves the range of numbers.
    most_wanted, least_learned = max(wanted[one] for one in possible), min(learned[one] for one in possible)
    weights = np.array(
        [wanted[one] / most_wanted * (least_learned / learned[one]) if one in possible else 0.0 for one in answers]
    )
    return np.asarray(weights / weights.max())


def with_weights(probabilities: NDArray[np.float64], weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Multiply probabilities by what `prior_weights` gave, and normalise.

    Args:
        probabilities: `float64 (n, classes)`, rows sum to 1.
        weights: `float64 (classes,)`, or None for no change.

    Returns:
        `float64 (n, classes)`; rows sum to 1.
    """
    if weights is None:
        return probabilities
    # float32 rounds a probability below its range to 0, and such a one may be all that the weights leave.
    weighted = np.maximum(probabilities, _SMALLEST) * weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def _frequency(name: str, value: object) -> float:
    try:
        frequency = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        frequency = math.nan
    if not (math.isfinite(frequency) and frequency >= 0):
        raise InputError(f"the prior's frequency of {name} must be a number of at least 0, not {value!r}")
    return frequency


def _balanced() -> dict[Expression, float]:
    return dict.fromkeys(Expression, 1.0)


def _checked(prior: object, answers: tuple[Expression, ...]) -> dict[Expression, float]:
    if not isinstance(prior, Mapping):
        raise InputError(f"unknown prior {prior!r}; give natural, balanced, or each expression's frequency")
    wanted: dict[Expression, float] = {}
    for name, frequency in prior.items():
        try:
            expression = Expression(name)
        except ValueError:
            raise InputError(
                f"the prior names {name!r}, which is no expression; there are {', '.join(Expression)}"
            ) from None
        wanted[expression] = _frequency(name, frequency)
    missing = [one for one in answers if one not in wanted]
    if missing:
        raise InputError(
            f"the prior says nothing of {', '.join(missing)}; name every expression among the answers, with 0 for "
            "those that do not occur"
        )
    return wanted
