"""Which faces to leave out of a corpus, and for which reason.

A repair takes faces from the splits that may lose some: by default `train`, so that figures on validation and test stay
comparable with what others measured on them. Faces without a split count as training faces.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.audit import Audit
from kaoiro.audit.clusters import members
from kaoiro.audit.duplicates import Duplicates
from kaoiro.corpus.closed_groups import connected
from kaoiro.corpus.ferplus import majority
from kaoiro.corpus.schema import SPLITS
from kaoiro.errors import InputError

DEFAULT_WORD: Final = "default"


@dataclass(frozen=True)
class Repair:
    """Something that can be done about a finding.

    Attributes:
        name: how the command line calls it.
        what: what is left out.
        check: the check without whose findings it does not know what to do.
        default: is it done where no repairs are named.
    """

    name: str
    what: str
    check: str
    default: bool = False


_REPAIRS: Final = (
    Repair("blank", "blank pictures", "pictures", default=True),
    Repair("no-face-votes", "pictures that most raters took for no face", "labels", default=True),
    Repair("no-face", "pictures in which no face can be made out", "no-face", default=True),
    Repair("leaks", "faces whose copy or near-duplicate is in test, or validation", "duplicates", default=True),
    Repair("conflicts", "all copies of a picture whose copies have different labels", "duplicates", default=True),
    Repair(
        "conflicts-by-votes",
        "of such copies those whose label is not the majority of the votes on all of them; all, where it has none",
        "duplicates",
    ),
    Repair("copies", "all copies of a picture but one", "duplicates", default=True),
    Repair("near-duplicates", "all near-duplicates of a picture but one, where it is sure that they are", "duplicates"),
    Repair("groups", "faces whose group is also in test, or validation", "groups"),
    Repair("unlabelled", "faces without label and votes", "labels"),
    Repair("label-errors", "faces whose label is probably wrong", "label-errors"),
    Repair("low-contrast", "pictures with little contrast", "pictures"),
    Repair("blurred", "blurred pictures", "pictures"),
    Repair("tiny", "tiny pictures", "sizes"),
    Repair("odd-sizes", "pictures of sizes and shapes unlike the rest", "sizes"),
)
REPAIRS: Final[dict[str, Repair]] = {repair.name: repair for repair in _REPAIRS}
"""Every repair by its name, in the order in which they are made."""


@dataclass(frozen=True)
class Plan:
    """What a set of repairs leaves out; each face goes for the first reason that it has.

    Attributes:
        repairs: the repairs' names, in the order in which they are made.
        splits: the splits that may lose faces.
        reason: for each face the place in `repairs` of what it is left out for, -1 where it stays: `int64 (n,)`.
        twin: the row of the copy, near-duplicate or face of the same group because of which it goes, -1 where there is
            none: `int64 (n,)`.
    """

    repairs: tuple[str, ...]
    splits: tuple[str, ...]
    reason: NDArray[np.int64]
    twin: NDArray[np.int64]

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which faces stay: `bool (n,)`."""
        return self.reason < 0

    def counts(self, splits: NDArray[np.int64]) -> dict[str, dict[str, int]]:
        """Count what each repair leaves out, by split; `none` stands for faces without one.

        Args:
            splits: each face's place in `SPLITS`, -1 where it has none: `int64 (n,)`.
        """
        names = {**dict(enumerate(SPLITS)), -1: "none"}
        return {
            repair: {
                name: count
                for place, name in names.items()
                if (count := int(((self.reason == number) & (splits == place)).sum()))
            }
            for number, repair in enumerate(self.repairs)
        }


def parse_repairs(text: str, checks: Collection[str]) -> tuple[str, ...]:
    """Read a list of repairs, `default,near-duplicates` for example.

    Args:
        text: names with commas between them; `default` stands for the default ones.
        checks: the checks that will be made. Default repairs of other checks are left out.

    Returns:
        The repairs' names, in the order in which they are made.

    Raises:
        InputError: a name is unknown, none is given, or a repair that is named needs a check that is not made.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"--repairs {text!r} names no repair; known are {DEFAULT_WORD}, {', '.join(REPAIRS)}")
    wanted: set[str] = set()
    for name in names:
        if name == DEFAULT_WORD:
            wanted |= {repair.name for repair in REPAIRS.values() if repair.default and repair.check in checks}
        elif name not in REPAIRS:
            raise InputError(f"--repairs: {name!r} is unknown; known are {DEFAULT_WORD}, {', '.join(REPAIRS)}")
        elif REPAIRS[name].check not in checks:
            raise InputError(f"the repair {name!r} needs the check {REPAIRS[name].check!r}; add it to --checks")
        else:
            wanted.add(name)
    if "conflicts-by-votes" in wanted and "conflicts" in names:
        raise InputError("--repairs has both conflicts and conflicts-by-votes; choose one of them")
    if "conflicts-by-votes" in wanted:
        wanted.discard("conflicts")
    return tuple(name for name in REPAIRS if name in wanted)


def plan_repairs(audit: Audit, repairs: Iterable[str], splits: Iterable[str] = ("train",)) -> Plan:
    """Work out what repairs leave out; nothing is written.

    Args:
        audit: what is wrong with the corpus.
        repairs: their names, in any order.
        splits: the splits that may lose faces; with `train`, faces without a split may go too.

    Raises:
        InputError: a repair needs a check that was not made.
    """
    named = set(repairs)
    ordered = tuple(name for name in REPAIRS if name in named)
    allowed_splits = tuple(name for name in SPLITS if name in set(splits))
    places = [SPLITS.index(name) for name in allowed_splits] + ([-1] if "train" in allowed_splits else [])
    planning = _Planning(audit, np.isin(audit.material.splits, places))
    for number, name in enumerate(ordered):
        if not audit.checks[REPAIRS[name].check].made:
            raise InputError(f"the repair {name!r} needs the check {REPAIRS[name].check!r}, which was not made")
        planning.number = number
        _METHODS.get(name, _drop_found(name))(planning)
    return Plan(ordered, allowed_splits, planning.reason, planning.twin)


class _Planning:
    """A plan in the making."""

    def __init__(self, audit: Audit, allowed: NDArray[np.bool_]) -> None:
        self.audit = audit
        self.allowed = allowed
        self.splits = audit.material.splits
        self.number = 0
        self.reason = np.full(len(allowed), -1, np.int64)
        self.twin = np.full(len(allowed), -1, np.int64)

    @property
    def duplicates(self) -> Duplicates:
        assert self.audit.duplicates is not None
        return self.audit.duplicates

    def drop(self, rows: NDArray[np.int64], twins: NDArray[np.int64] | None = None) -> None:
        goes = self.allowed[rows] & (self.reason[rows] < 0)
        self.reason[rows[goes]] = self.number
        if twins is not None:
            self.twin[rows[goes]] = twins[goes]

    def leave_one(self, rows: NDArray[np.int64]) -> None:
        """Keep one of the faces that are still there, of test first, then validation, then train."""
        there = rows[self.reason[rows] < 0]
        if len(there) < 2:
            return
        kept = there[np.lexsort((there, -self.splits[there]))[0]]
        others = there[there != kept]
        self.drop(others, np.full(len(others), kept))


def _leaks(planning: _Planning) -> None:
    duplicates, splits = planning.duplicates, planning.splits
    copy_of = duplicates.copy_of
    highest = np.full(len(splits), -1, np.int64)
    np.maximum.at(highest, copy_of, splits)
    # The face of the highest split that has each picture, and then that has it or nearly so.
    holder = np.full(len(splits), -1, np.int64)
    at_top = np.flatnonzero(splits == highest[copy_of])[::-1]
    holder[copy_of[at_top]] = at_top
    reach, partner = highest.copy(), holder.copy()
    order = np.argsort(duplicates.likeness, kind="stable")[::-1]
    first, second = copy_of[duplicates.near.first[order]], copy_of[duplicates.near.second[order]]
    for one, other in ((first, second), (second, first)):
        for here, there in zip(one.tolist(), other.tolist(), strict=True):
            if highest[there] > reach[here]:
                reach[here], partner[here] = highest[there], holder[there]
    rows = np.flatnonzero((splits >= 0) & (reach[copy_of] > splits))
    planning.drop(rows, partner[copy_of[rows]])


def _copies(planning: _Planning) -> None:
    for rows in members(planning.duplicates.copy_of):
        planning.leave_one(rows)


def _near_duplicates(planning: _Planning) -> None:
    near, splits = planning.duplicates.near, planning.splits
    same = (splits[near.first] == splits[near.second]) & near.sure
    for rows in members(connected(len(splits), near.first[same], near.second[same])):
        planning.leave_one(rows)


def _conflicting(planning: _Planning) -> list[NDArray[np.int64]]:
    found = next(one for one in planning.audit.findings if one.kind.code == "conflicting-labels")
    return [found.rows[part] for part in found.slices()]


def _conflicts(planning: _Planning) -> None:
    for rows in _conflicting(planning):
        planning.drop(rows, _other_copy(rows, planning.audit.material.labels))


def _conflicts_by_votes(planning: _Planning) -> None:
    material = planning.audit.material
    for rows in _conflicting(planning):
        # More than 255 votes on one picture would overflow a count of its own; their majority stays the same.
        votes = material.votes[rows].sum(axis=0, dtype=np.int64)
        votes = votes * 255 // max(int(votes.max()), 255)
        right = int(majority(votes.astype(np.uint8)[None])[0])
        wrong = material.labels[rows] != right
        planning.drop(rows[wrong], _other_copy(rows, material.labels)[wrong])


def _other_copy(rows: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each of some copies the first that has another label."""
    return np.array([rows[labels[rows] != labels[row]][0] for row in rows], np.int64)


def _groups(planning: _Planning) -> None:
    found = next(one for one in planning.audit.findings if one.kind.code == "groups-across-splits")
    for part in found.slices():
        rows = found.rows[part]
        splits = planning.splits[rows]
        goes = splits < splits.max()
        planning.drop(rows[goes], np.full(int(goes.sum()), rows[splits.argmax()]))


def _drop_found(code: str) -> Callable[[_Planning], None]:
    def drop(planning: _Planning) -> None:
        for found in planning.audit.findings:
            if found.kind.code == code:
                planning.drop(found.faces())

    return drop


_METHODS: Final[dict[str, Callable[[_Planning], None]]] = {
    "leaks": _leaks,
    "conflicts": _conflicts,
    "conflicts-by-votes": _conflicts_by_votes,
    "copies": _copies,
    "near-duplicates": _near_duplicates,
    "groups": _groups,
}
