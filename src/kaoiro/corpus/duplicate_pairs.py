"""Pairs of faces that show the same photograph."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURE_CORRELATION: Final = 0.95
SURE_DETAIL: Final = 0.75
"""A pair is sure from this correlation, or this correlation of its detail, on."""


@dataclass(frozen=True)
class DuplicatePairs:
    """Pairs of faces that show the same photograph, in ascending order of (first, second), first < second.

    Attributes:
        faces: the number of faces that were compared, n.
        first: rows, `int64 (p,)`.
        second: rows, `int64 (p,)`.
        correlation: of the two pictures, the second one mirrored where `mirrored` says so; `float32 (p,)`.
        detail: correlation of their fine detail, one of them moved to where it is largest; `float32 (p,)`.
        mirrored: is the second picture mirrored, `bool (p,)`.
    """

    faces: int
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float32]
    detail: NDArray[np.float32]
    mirrored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Which pairs are the same photograph beyond doubt, `bool (p,)`; the rest may be two that look alike."""
        return np.asarray((self.correlation >= SURE_CORRELATION) | (self.detail >= SURE_DETAIL))

    def select(self, pairs: NDArray[np.bool_] | NDArray[np.int64]) -> "DuplicatePairs":
        """Keep some of the pairs, by `bool (p,)`, or bring them into another order, by `int64 (p,)`."""
        return DuplicatePairs(
            self.faces,
            self.first[pairs],
            self.second[pairs],
            self.correlation[pairs],
            self.detail[pairs],
            self.mirrored[pairs],
        )

    def of_against(self, of: NDArray[np.bool_], against: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which faces of a part have a near-duplicate in another part, for example of `train` in `test`.

        Args:
            of: the part asked about, `bool (n,)`.
            against: the part in which their duplicates may lie, `bool (n,)`.

        Returns:
            `bool (n,)`, true only within `of`.
        """
        found = np.zeros(self.faces, np.bool_)
        found[self.first[against[self.second]]] = True
        found[self.second[against[self.first]]] = True
        return found & of
