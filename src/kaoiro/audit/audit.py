"""The audit of a corpus: every check, one after the other."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaoiro.audit.corpus_findings import balance_findings, group_findings, label_findings
from kaoiro.audit.duplicate_findings import duplicate_findings
from kaoiro.audit.duplicates import Duplicates, faces_tied_together, find_duplicates
from kaoiro.audit.findings import KINDS, Finding
from kaoiro.audit.material import Material, read_material
from kaoiro.audit.picture_findings import (
    label_error_findings,
    no_face_findings,
    picture_findings,
    size_findings,
)
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.summary import Counts, summarise
from kaoiro.errors import InputError, MissingExtraError
from kaoiro.files import kind_of

CHECKS: Final = {
    "labels": "labels and votes: missing, at odds, “not a face”",
    "balance": "sizes of the classes",
    "groups": "groups across splits",
    "sizes": "sizes and shapes of the pictures",
    "pictures": "blank, low-contrast and blurred pictures",
    "duplicates": "copies and near-duplicates",
    "no-face": "pictures in which no face can be made out",
    "label-errors": "labels that are probably wrong",
}
"""Every check and what it looks for, in the order in which they are made."""
_NEED_PICTURES: Final = frozenset({"pictures", "duplicates", "no-face", "label-errors"})
_COST: Final = {"decoding": 4.0, "duplicates": 75.0, "no-face": 20.0, "label-errors": 55.0}
"""About how many seconds the longer steps take on 36,000 faces: for the progress bar alone."""


@dataclass(frozen=True)
class CheckRun:
    """How a check went.

    Attributes:
        made: was it made to its end.
        seconds: what it took.
        why_not: why it was not made; empty where it was.
    """

    made: bool
    seconds: float = 0.0
    why_not: str = ""


@dataclass(frozen=True)
class Audit:
    """What an audit has found; faces are rows of the corpus, from 0.

    Attributes:
        path: the corpus.
        material: its columns and small pictures.
        counts: its faces by label and split.
        findings: what the checks that were made looked for, in the order of `KINDS`; some have found nothing.
        checks: how each check went, by its name.
        duplicates: copies and near-duplicates; None where the check was not made.
        reading_seconds: what reading and decoding took.
        file_state: the corpus file's size and time of change when the audit began.
    """

    path: Path
    material: Material
    counts: Counts
    findings: tuple[Finding, ...]
    checks: dict[str, CheckRun]
    duplicates: Duplicates | None
    reading_seconds: float
    file_state: tuple[int, int]

    def unchanged(self) -> bool:
        """Is the corpus's file still the one that was audited?"""
        return kind_of(self.path) == "file" and _file_state(self.path) == self.file_state

    def found(self) -> list[Finding]:
        """The findings that have found something."""
        return [one for one in self.findings if one.found]


def parse_checks(text: str) -> tuple[str, ...]:
    """Read a list of checks, `duplicates,pictures` for example.

    Raises:
        InputError: a name is unknown, or none is given.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in CHECKS]
    if unknown or not names:
        what = f"{unknown[0]!r} is unknown" if unknown else f"{text!r} names no check"
        raise InputError(f"--checks: {what}; known are {', '.join(CHECKS)}")
    return tuple(name for name in CHECKS if name in names)


def audit_corpus(
    path: Path,
    checks: Collection[str] | None = None,
    *,
    needed: Collection[str] = (),
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Audit:
    """Look for what is wrong with a corpus; nothing is changed.

    Args:
        path: a stored corpus.
        checks: the names of the checks to make; all by default, and then a check whose packages are not installed is
            passed over.
        needed: checks that may not be passed over.
        seed: of what is random in the search for label errors.
        on_progress: is told now and then which part is done, from 0 to 1.

    Raises:
        CorpusError: the corpus cannot be read, or a picture cannot be decoded.
        MissingExtraError: a check that was asked for by name, or is needed, lacks packages.
    """
    wanted = [name for name in CHECKS if checks is None or name in checks]
    steps = _Steps(wanted, on_progress)
    if kind_of(path) != "file":
        open_row_groups(path)  # says what it is in place of a corpus
    file_state = _file_state(path)
    began = time.perf_counter()
    material = read_material(path, faces=bool(_NEED_PICTURES.intersection(wanted)), on_progress=steps.of("decoding"))
    reading_seconds = time.perf_counter() - began
    duplicates: Duplicates | None = None
    findings: list[Finding] = []
    runs = {name: CheckRun(made=False, why_not="not asked for") for name in CHECKS}

    def make(name: str) -> list[Finding]:
        nonlocal duplicates
        progress = steps.of(name)
        if name == "duplicates":
            duplicates = find_duplicates(material, progress)
            return duplicate_findings(material, duplicates)
        if name == "no-face":
            return no_face_findings(material, progress)
        if name == "label-errors":
            return label_error_findings(material, faces_tied_together(material, duplicates), seed, progress)
        return _QUICK_CHECKS[name](material)

    for name in wanted:
        began = time.perf_counter()
        try:
            findings += make(name)
        except MissingExtraError as error:
            if checks is not None or name in needed:
                raise
            runs[name] = CheckRun(made=False, why_not=str(error))
        else:
            runs[name] = CheckRun(made=True, seconds=time.perf_counter() - began)
    on_progress(1.0)
    order = list(KINDS)
    return Audit(
        path=path,
        material=material,
        counts=summarise(material.stored).counts(),
        findings=tuple(sorted(findings, key=lambda one: order.index(one.kind.code))),
        checks=runs,
        duplicates=duplicates,
        reading_seconds=reading_seconds,
        file_state=file_state,
    )


def _file_state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


_QUICK_CHECKS: Final[dict[str, Callable[[Material], list[Finding]]]] = {
    "labels": label_findings,
    "balance": balance_findings,
    "groups": group_findings,
    "sizes": size_findings,
    "pictures": picture_findings,
}


class _Steps:
    """Shares a progress bar out among the steps that take time."""

    def __init__(self, checks: list[str], on_progress: Callable[[float], None]) -> None:
        names = [name for name in checks if name in _COST]
        names = ["decoding", *names] if _NEED_PICTURES.intersection(checks) else names
        self._total = sum(_COST[name] for name in names)
        self._starts = {name: sum(_COST[before] for before in names[:place]) for place, name in enumerate(names)}
        self._on_progress = on_progress

    def of(self, name: str) -> Callable[[float], None]:
        """Give what a step tells its own progress to."""
        if name not in self._starts:
            return lambda _: None
        return lambda done: self._on_progress((self._starts[name] + done * _COST[name]) / self._total)
