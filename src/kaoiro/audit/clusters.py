"""The clusters that numbers make."""

import numpy as np
from numpy.typing import NDArray


def members(cluster: NDArray[np.int64], among: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
    """List the members of each cluster that has at least two.

    Args:
        cluster: `int64 (n,)`, equal numbers for things that belong together.
        among: the only things to look at; all by default.

    Returns:
        Things in ascending order, the cluster with the smallest number first.
    """
    things = np.arange(len(cluster)) if among is None else np.sort(among)
    order = np.argsort(cluster[things], kind="stable")
    values = cluster[things][order]
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1 if len(values) else 0))
    return [part for part in np.split(things[order], starts[1:]) if len(part) > 1]
