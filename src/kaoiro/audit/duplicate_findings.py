"""Findings about copies and near-duplicates."""

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.clusters import members
from kaoiro.audit.duplicates import Duplicates
from kaoiro.audit.findings import Finding, clustered
from kaoiro.audit.material import Material
from kaoiro.audit.relations import relations
from kaoiro.corpus.closed_groups import connected
from kaoiro.corpus.schema import SPLITS

_LIKENESS: Final = "correlation of pixels or detail, the larger, with the nearest of its cluster, 0.85 to 1"


def duplicate_findings(material: Material, found: Duplicates) -> list[Finding]:
    """Turn copies and near-duplicates into findings: within and across splits, and under different labels."""
    splits = found.splits
    copies = members(found.copy_of)
    across = [rows for rows in copies if len(_split_places(splits[rows])) > 1]
    within = [
        rows[splits[rows] == split]
        for rows in copies
        for split in np.unique(splits[rows])
        if (splits[rows] == split).sum() > 1
    ]
    conflicting = [rows for rows in copies if _conflict(material.labels[rows])]
    first, second = splits[found.near.first], splits[found.near.second]
    is_across = (first != second) & (first >= 0) & (second >= 0)
    within_facts: tuple[str, ...] = ()
    if copies:
        facts = f"{len(copies):,} pictures occur more than once; {found.redundant():,} faces are redundant copies."
        within_facts = (facts,)
    return [
        clustered("copies-across-splits", _largest_first(material, across), facts=_leaks(material, found, near=False)),
        _near("near-duplicates-across-splits", material, found, is_across, _leaks(material, found, near=True)),
        clustered("copies", _largest_first(material, within), facts=within_facts if within else ()),
        clustered("conflicting-labels", _largest_first(material, conflicting)),
        _near("near-duplicates", material, found, first == second, ()),
        _near_conflicts(material, found),
    ]


def _near(
    code: str, material: Material, found: Duplicates, wanted: NDArray[np.bool_], facts: tuple[str, ...]
) -> Finding:
    """Make clusters of the pairs that are wanted, the most alike first."""
    pairs = found.near.select(wanted)
    if not len(pairs):
        return clustered(code, [])
    words = relations(material.faces, pairs)
    likeness = found.likeness[wanted]
    kinds = Counter(word for described in words for word in described.split(", "))
    counted = f"{len(pairs):,} pairs: " + ", ".join(f"{count:,} {word}" for word, count in kinds.most_common()) + "."
    # Each face's nearest, and how it differs from that one.
    best = np.full(len(material), -1, np.float32)
    note: dict[int, str] = {}
    for number, (one, other) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        for row, mate, described in ((one, other, ""), (other, one, f", {words[number]}")):
            if likeness[number] > best[row]:
                best[row] = likeness[number]
                note[row] = f"{min(likeness[number], 1):.2f} like row {mate}{described}"
    clusters = members(connected(len(material), pairs.first, pairs.second))
    clusters.sort(key=lambda rows: -float(best[rows].max()))
    notes = [[note[row] for row in rows.tolist()] for rows in clusters]
    return clustered(code, clusters, notes, best[np.concatenate(clusters)], _LIKENESS, (*facts, counted))


def _near_conflicts(material: Material, found: Duplicates) -> Finding:
    labels = material.labels
    one, other = labels[found.near.first], labels[found.near.second]
    return _near("conflicting-labels-near", material, found, (one != other) & (one >= 0) & (other >= 0), ())


def _leaks(material: Material, found: Duplicates, *, near: bool) -> tuple[str, ...]:
    """Say how much of a split is also, or nearly so, in another from which a model or a choice was learned."""
    also, surely = found.also_in("all" if near else "none"), found.also_in("sure" if near else "none")
    what = "copy or near-duplicate" if near else "copy"
    facts = []
    for split, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        inside = material.splits == SPLITS.index(split)
        leaked, beyond_doubt = (int(where[inside, SPLITS.index(other)].sum()) for where in (also, surely))
        if leaked:
            share = leaked / inside.sum()
            doubt = f"; {beyond_doubt:,} of them beyond doubt" if beyond_doubt < leaked else ""
            facts.append(f"{leaked:,} of {inside.sum():,} {split} faces ({share:.1%}) have a {what} in {other}{doubt}.")
    return tuple(facts)


def _split_places(splits: NDArray[np.int64]) -> set[int]:
    return set(splits.tolist()) - {-1}


def _conflict(labels: NDArray[np.int64]) -> bool:
    return len(set(labels.tolist()) - {-1}) > 1


def _largest_first(material: Material, clusters: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Put the largest clusters first, and those of blank pictures last: there is little to see in them."""

    def order(rows: NDArray[np.int64]) -> tuple[bool, int, int]:
        picture = material.faces[rows[0]]
        return bool(picture.min() == picture.max()), -len(rows), int(rows[0])

    return sorted(clusters, key=order)
