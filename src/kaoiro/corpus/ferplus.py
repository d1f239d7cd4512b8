"""What FERPlus votes say: a distribution over eight expressions, or their majority.

FERPlus (Barsoum et al. 2016, https://arxiv.org/abs/1608.01041) has ten raters' votes for every face of FER2013.
"""

import numpy as np
from numpy.typing import NDArray

from kaoiro.expressions import EIGHT


def without_outliers(votes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set single votes to zero, as FERPlus's authors do before they read the votes.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.
    """
    return np.where(votes > 1, votes, 0).astype(np.uint8)


def vote_distribution(votes: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn votes into targets for training.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        The distribution over the eight expressions, `float32 (n, 8)`, rows summing to 1 (or all zero), and the weight
        of each face, `float32 (n,)`: the share of its votes that name an expression, 0 to 1. Single votes are outliers
        and left out where anything else remains.
    """
    expressions = len(EIGHT)
    kept = without_outliers(votes)
    nothing_left = kept[:, :expressions].sum(axis=1) == 0
    kept[nothing_left] = votes[nothing_left]
    named = kept[:, :expressions].astype(np.float32)
    total = named.sum(axis=1, keepdims=True)
    distribution = np.divide(named, total, out=np.zeros_like(named), where=total > 0)
    all_votes = kept.sum(axis=1, dtype=np.float32)
    weight = np.divide(total[:, 0], all_votes, out=np.zeros_like(all_votes), where=all_votes > 0)
    return distribution, weight


def majority(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the majority as FERPlus's authors do: drop single votes, then ask for more than half of those left.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`.

    Returns:
        `int64 (n,)`: the index of the expression in `EIGHT`, or -1 where no choice has more than half, or where that
        choice is "unknown" or "not a face".
    """
    kept = without_outliers(votes)
    winner = kept.argmax(axis=1)
    clear = 2 * kept.max(axis=1).astype(np.int64) > kept.sum(axis=1, dtype=np.int64)
    return np.where(clear & (winner < len(EIGHT)), winner, -1).astype(np.int64)
