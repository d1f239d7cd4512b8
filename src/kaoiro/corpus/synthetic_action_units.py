"""Action units of the Facial Action Coding System (FACS), and the expressions that they make up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaoiro.expressions import Expression

ACTION_UNITS: Final[Mapping[int, str]] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
}
"""The action units that the drawn face knows, by FACS number."""

_Strengths = Mapping[int, float]

# What EMFACS and its relatives list, with one or more variants an expression; strengths in [0, 1].
_PROTOTYPES: Final[Mapping[Expression, tuple[_Strengths, ...]]] = {
    Expression.ANGER: (
        {4: 1.0, 5: 0.5, 7: 0.5, 17: 0.4, 23: 1.0},
        {4: 1.0, 5: 0.3, 7: 0.7, 15: 0.3, 23: 0.8},
    ),
    Expression.DISGUST: (
        {4: 0.5, 7: 0.7, 9: 1.0, 10: 1.0, 15: 0.4, 17: 0.6},
        {4: 0.4, 7: 0.8, 9: 1.0, 10: 1.0, 25: 0.6},
    ),
    Expression.FEAR: (
        {1: 1.0, 2: 0.5, 4: 0.6, 5: 1.0, 20: 1.0, 25: 1.0, 26: 0.25},
        {1: 1.0, 2: 0.4, 4: 0.7, 5: 1.0, 20: 0.9, 25: 0.7},
    ),
    Expression.HAPPINESS: (
        {6: 0.9, 12: 1.0, 25: 1.0, 26: 0.3},
        {6: 0.8, 12: 1.0, 25: 0.6},
        {6: 0.7, 12: 0.9},
    ),
    Expression.SADNESS: (
        {1: 1.0, 4: 0.5, 15: 1.0, 17: 0.4},
        {1: 1.0, 4: 0.4, 7: 0.4, 15: 0.9},
    ),
    Expression.SURPRISE: (
        {1: 1.0, 2: 1.0, 5: 0.8, 25: 1.0, 26: 1.0},
        {1: 0.9, 2: 1.0, 5: 0.9, 25: 1.0, 26: 0.7},
    ),
    Expression.NEUTRAL: ({},),
    Expression.CONTEMPT: ({2: 0.6, 7: 0.5, 12: 1.0, 14: 1.0}, {7: 0.7, 12: 0.9, 14: 1.0}),
}
_ONE_SIDED: Final = {Expression.CONTEMPT: frozenset({2, 12, 14})}


@dataclass(frozen=True, slots=True)
class Muscles:
    """How strongly each action unit pulls, 0 to about 1, on the picture's left and right side."""

    left: Mapping[int, float]
    right: Mapping[int, float]

    @classmethod
    def draw(cls, expression: Expression, rng: np.random.Generator) -> "Muscles":
        """Pull the muscles of one of the expression's variants, as strongly as chance will have it."""
        variants = _PROTOTYPES[expression]
        # Every expression draws the same number of numbers: what is drawn next does not depend on it.
        prototype = variants[int(rng.random() * len(variants))]
        intensity = rng.uniform(0.6, 1.05)
        one_sided = _ONE_SIDED.get(expression, frozenset())
        stronger = int(rng.random() < 0.5)
        # No face is at perfect rest, and none is quite symmetrical.
        stir = rng.random((len(ACTION_UNITS), 3)).tolist()
        sides: tuple[dict[int, float], dict[int, float]] = ({}, {})
        for unit, (common, *own) in zip(ACTION_UNITS, stir, strict=True):
            strength = prototype.get(unit, 0.0) * intensity * (0.85 + 0.3 * common) + 0.08 * common
            for side in (0, 1):
                factor = 0.9 + 0.2 * own[side]
                sides[side][unit] = strength * (factor if unit not in one_sided or side == stronger else 0.05)
        return cls(*sides)

    def both(self, unit: int) -> float:
        """Give the mean strength of the two sides."""
        return (self.left[unit] + self.right[unit]) / 2
