"""How two near-duplicates differ, in words."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.near_duplicates import CORRELATION, DuplicatePairs

SAME_PHOTOGRAPH: Final = 0.99
"""Correlation from which a near-duplicate is taken for the same picture, encoded or scaled anew."""
BRIGHTER: Final = 8.0
"""Difference of the mean grey values, of 255, from which it is worth saying."""
STRONGER: Final = 1.15
"""Ratio of the grey values' standard deviations from which it is worth saying."""


def relations(faces: NDArray[np.uint8], pairs: DuplicatePairs) -> list[str]:
    """Say how the second picture of each pair differs from the first.

    Args:
        faces: `uint8 (n, 48, 48)` grey.
        pairs: near-duplicates among them.

    Returns:
        For each pair words such as `mirrored, brighter`, or `encoded or scaled anew` or `similar` where neither
        mirroring nor light nor place tells them apart; `perhaps another photo` where it is not sure that they are one.
    """
    rows, place = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    mean = np.array([faces[row].mean() for row in rows])
    deviation = np.array([faces[row].std() for row in rows])
    first, second = place[: len(pairs)], place[len(pairs) :]
    lighter = mean[second] - mean[first]
    stronger = deviation[second] / deviation[first]
    sure = pairs.sure
    described = []
    for number in range(len(pairs)):
        words = ["mirrored"] if pairs.mirrored[number] else []
        if abs(lighter[number]) >= BRIGHTER:
            words.append("brighter" if lighter[number] > 0 else "darker")
        if not 1 / STRONGER < stronger[number] < STRONGER:
            words.append("stronger contrast" if stronger[number] > 1 else "weaker contrast")
        if pairs.correlation[number] < CORRELATION:
            words.append("moved or lit otherwise")
        if not words:
            words.append("encoded or scaled anew" if pairs.correlation[number] >= SAME_PHOTOGRAPH else "similar")
        if not sure[number]:
            words.append("perhaps another photo")
        described.append(", ".join(words))
    return described
