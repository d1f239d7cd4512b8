"""Dividing groups of faces into parts by given ratios, class by class, in whole numbers alone.

The large groups come first, those of one size in an order drawn from the seed and their pictures. Each goes to the part
for which the sum of `(faces there - faces wanted)² / faces wanted` over the classes then grows least. For groups of one
face that is Sainte-Laguë's method of apportioning seats to parties.

No floating-point number is involved and the rows' order plays no role, so that the same faces and seed give the same
parts on every machine.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def apportion(
    groups: NDArray[np.int64],
    classes: NDArray[np.int64],
    names: Sequence[str],
    ratios: Sequence[Fraction],
    *,
    seed: int = 0,
    there: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Give each face's part, faces of one group in the same.

    Where every group is of one class and nothing is there yet, each class is within `m/2 · (1 + r · (parts - 2))`
    faces of its ratio `r` in every part, where `m` is the size of its largest group; for up to three parts, and for any
    number of equal ones, that is at most `m`.

    Args:
        groups: each face's group, any numbers, `int64 (n,)`.
        classes: each face's class, from 0, `int64 (n,)`.
        names: each face's name, the same for the same picture; they make the order of the groups.
        ratios: the share of each part; they sum to 1. A part with the ratio 0 gets nothing.
        seed: another seed draws another order.
        there: how many faces of each class the parts have already, `int64 (parts, classes)`; they count for the ratios.

    Returns:
        `int64 (n,)`, from 0 to below the number of ratios.
    """
    number = int(classes.max(initial=-1)) + 1 if there is None else there.shape[1]
    have = np.zeros((len(ratios), number), np.int64) if there is None else there
    sizes = np.bincount(classes, minlength=number) + have.sum(axis=0)
    # Costs are compared after multiplication with what makes all of them whole numbers.
    multiple = math.lcm(*sizes[sizes > 0].tolist())
    per_class = [multiple // size if size else 0 for size in sizes.tolist()]
    shared = math.lcm(*(ratio.numerator for ratio in ratios if ratio))
    per_part = [(part, int(shared / ratio)) for part, ratio in enumerate(ratios) if ratio]
    counts = have.tolist()
    totals = [sum(row) for row in counts]

    ordered = _in_order(groups, names, seed)
    chosen = np.empty(len(groups), np.int64)
    for rows in ordered:
        content = Counter(classes[rows].tolist()).items()
        _, _, best = min(
            (
                factor * sum(n * (n + 2 * counts[part][kind]) * per_class[kind] for kind, n in content),
                factor * totals[part],
                part,
            )
            for part, factor in per_part
        )
        for kind, n in content:
            counts[best][kind] += n
        totals[best] += len(rows)
        chosen[rows] = best
    return chosen


def _in_order(groups: NDArray[np.int64], names: Sequence[str], seed: int) -> list[NDArray[np.int64]]:
    """Give the rows of each group, the groups in their order."""
    if len(groups) == 0:
        return []
    by_group = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[by_group])) + 1
    members = np.split(by_group, starts)

    def place(rows: NDArray[np.int64]) -> tuple[int, bytes]:
        smallest = min(names[row] for row in rows.tolist())
        return -len(rows), hashlib.sha256(f"{seed}:{smallest}".encode()).digest()

    return sorted(members, key=place)
