"""Findings that the columns of a corpus give away, without a look at its pictures."""

from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from kaoiro.audit.findings import Finding, clustered, finding
from kaoiro.audit.material import Material
from kaoiro.corpus.ferplus import majority, seen_as_faces
from kaoiro.corpus.schema import SPLITS
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression

IMBALANCE: Final = 5.0
"""Ratio of the largest class's faces to the smallest's from which it is reported."""
_LARGEST: Final = 3


def label_findings(material: Material) -> list[Finding]:
    """Find faces without label and votes, votes at odds with the label, and what raters took for no face."""
    votes, labels = material.votes, material.labels
    total = votes.sum(axis=1, dtype=np.int64)
    read = majority(votes)
    odds = np.flatnonzero((labels >= 0) & (read >= 0) & (read != labels))
    share = votes[odds, read[odds]] / total[odds]
    order = np.lexsort((odds, -share))
    odds = odds[order]
    both = int(((labels >= 0) & (total > 0)).sum())
    no_face = np.flatnonzero(~seen_as_faces(votes))
    no_face_votes = votes[:, VOTE_NAMES.index("not-a-face")]
    no_face = no_face[np.lexsort((no_face, -no_face_votes[no_face] / total[no_face]))]
    return [
        finding("unlabelled", np.flatnonzero((labels < 0) & (total == 0))),
        finding(
            "votes-against-label",
            odds,
            notes=tuple(f"raters: {EIGHT[read[row]]}, {votes[row, read[row]]} of {total[row]}" for row in odds),
            scores=share[order].astype(np.float32),
            score="share of the votes that the majority has, 0 to 1",
            facts=(f"{len(odds):,} of {both:,} faces with label and votes ({len(odds) / both:.1%}).",)
            if len(odds)
            else (),
        ),
        finding(
            "no-face-votes",
            no_face,
            notes=tuple(f"{no_face_votes[row]} of {total[row]} raters" for row in no_face),
            scores=(no_face_votes[no_face] / total[no_face]).astype(np.float32),
            score="share of the votes for “not a face”, 0 to 1",
        ),
    ]


def balance_findings(material: Material) -> list[Finding]:
    """Find classes much smaller than others, and splits that lack a class which another split has.

    Where no face has a label, the votes' majority takes its place.
    """
    labels = material.labels if (material.labels >= 0).any() else majority(material.votes)
    counts = np.bincount(labels[labels >= 0], minlength=len(EIGHT))
    there = np.flatnonzero(counts)
    facts: tuple[str, ...] = ()
    if len(there) > 1 and counts[there].max() >= IMBALANCE * counts[there].min():
        large, small = int(counts.argmax()), int(there[counts[there].argmin()])
        facts = (
            f"The largest class, {EIGHT[large]}, has {counts[large]:,} faces, "
            f"{counts[large] / counts[small]:.1f} times as many as the smallest, {EIGHT[small]} ({counts[small]:,}).",
        )
    absent = [
        f"{split} has no faces of {', '.join(EIGHT[place] for place in missing)}."
        for number, split in enumerate(SPLITS)
        if (material.splits == number).any() and len(missing := _missing(labels[material.splits == number], counts))
    ]
    basic = [e for e in SEVEN if counts[EIGHT.index(Expression(e))] == 0]
    if len(there) and basic:
        absent.insert(0, f"There is no face of {', '.join(basic)}.")
    return [finding("imbalance", facts=facts), finding("missing-classes", facts=tuple(absent))]


def _missing(labels: NDArray[np.int64], counts: NDArray[np.int64]) -> list[int]:
    here = np.bincount(labels[labels >= 0], minlength=len(EIGHT))
    return np.flatnonzero((here == 0) & (counts > 0)).tolist() if here.any() else []


def group_findings(material: Material) -> list[Finding]:
    """Find groups (subjects, sequences, films) of which faces are in more than one split."""
    encoded = pc.dictionary_encode(material.corpus.table["group"].combine_chunks())
    group = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), np.int64)
    splits = material.splits
    known = np.flatnonzero((group >= 0) & (splits >= 0))
    in_split = np.zeros((int(group.max(initial=-1)) + 1, len(SPLITS)), np.bool_)
    in_split[group[known], splits[known]] = True
    straddling = np.flatnonzero(in_split.sum(axis=1) > 1)
    rows = known[np.isin(group[known], straddling)]
    rows = rows[np.lexsort((rows, group[rows]))]
    clusters = np.split(rows, np.flatnonzero(np.diff(group[rows])) + 1) if len(rows) else []
    clusters.sort(key=len, reverse=True)
    names = encoded.dictionary.to_pylist()
    facts: tuple[str, ...] = ()
    if clusters:
        largest = ", ".join(f"{names[group[rows[0]]]} ({len(rows):,} faces)" for rows in clusters[:_LARGEST])
        facts = (f"{len(clusters):,} of {len(names):,} groups; the largest: {largest}.",)
    notes = [[f"group {names[group[row]]}" for row in rows] for rows in clusters]
    return [clustered("groups-across-splits", clusters, notes, facts=facts)]
