"""The audit for people: one HTML page that needs nothing beside itself."""

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from kaoiro.audit.audit import CHECKS, Audit
from kaoiro.audit.findings import SEVERITIES, Finding
from kaoiro.audit.record import by_split
from kaoiro.audit.repairs import REPAIRS, Plan
from kaoiro.audit.thumbnails import thumbnails

FACES_A_SECTION: Final = 96
CLUSTERS_A_SECTION: Final = 48
FACES_A_CLUSTER: Final = 4
_SOURCE_LENGTH: Final = 17
_COUNTED: Final = ("conflicting-labels", "label-errors", "no-face-votes")


@dataclass(frozen=True)
class Tile:
    """A face on the page."""

    row: int
    picture: str
    source: str
    short_source: str
    split: str
    label: str
    note: str


@dataclass(frozen=True)
class Cluster:
    """Faces that belong together, and how many more there are than are shown."""

    tiles: tuple[Tile, ...]
    more: int
    splits: tuple[str, ...]
    labels_differ: bool


@dataclass(frozen=True)
class Section:
    """A finding on the page."""

    finding: Finding
    faces: int
    by_split: dict[str, int]
    clusters: tuple[Cluster, ...]
    repairs: tuple[str, ...]
    shown: str


def audit_page(audit: Audit, plan: Plan) -> str:
    """Write the page.

    Args:
        audit: what was found.
        plan: what the repairs that were chosen leave out.

    Raises:
        CorpusError: the corpus cannot be read any more, or a picture cannot be decoded.
    """
    import kaoiro

    found = audit.found()
    chosen = [_chosen(audit, one) for one in found]
    rows = [
        int(one.rows[place])
        for one, clusters in zip(found, chosen, strict=True)
        for shown, _ in clusters
        for place in shown
    ]
    pictures = thumbnails(audit.material.stored, np.array(rows, np.int64))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["thousands"] = "{:,}".format
    template = environment.from_string(files("kaoiro.audit").joinpath("page.html.jinja").read_text("utf-8"))
    return template.render(
        audit=audit,
        version=kaoiro.__version__,
        sections=[_section(audit, one, clusters, pictures) for one, clusters in zip(found, chosen, strict=True)],
        headlines=_headlines(found),
        nothing=[one.kind.title for one in audit.findings if not one.found],
        caveats={one.kind.title: one.caveats for one in audit.findings if one.caveats},
        not_made={CHECKS[name]: run.why_not for name, run in audit.checks.items() if not run.made},
        seconds={CHECKS[name]: run.seconds for name, run in audit.checks.items() if run.made},
        severities=SEVERITIES,
        splits=_splits(audit),
        classes=_classes(audit),
        plan=plan,
        command=f"kaoiro data audit {shlex.quote(str(audit.path))} --fix clean.parquet"
        f" --repairs {','.join(plan.repairs)} --from {','.join(plan.splits)}",
        leaves_out={REPAIRS[name]: counts for name, counts in plan.counts(audit.material.splits).items()},
        left_out=by_split(audit, np.flatnonzero(~plan.keep)),
        kept=int(plan.keep.sum()),
    )


def _headlines(found: list[Finding]) -> list[str]:
    """Pick the sentences that somebody with half a minute should read."""
    facts = {one.kind.code: one.facts for one in found}
    leaks = facts.get("near-duplicates-across-splits") or facts.get("copies-across-splits") or ()
    headlines = [fact for fact in leaks if "pairs:" not in fact]
    for code in ("groups-across-splits", "copies", "missing-classes", "imbalance"):
        headlines += facts.get(code, ())
    for one in found:
        if one.kind.code in _COUNTED:
            headlines.append(f"{one.kind.title}: {len(one.faces()):,} faces.")
    return headlines


def _splits(audit: Audit) -> list[str]:
    return [split or "none" for split in audit.counts.splits]


def _classes(audit: Audit) -> list[dict[str, Any]]:
    counts = audit.counts
    largest = max(counts.of_label(label) for label in counts.labels)
    return [
        {
            "name": label or "no label",
            "by_split": [counts.faces.get((label, split), 0) for split in counts.splits],
            "all": counts.of_label(label),
            "share": counts.of_label(label) / largest,
        }
        for label in counts.labels
    ]


def _chosen(audit: Audit, one: Finding) -> list[tuple[list[int], slice]]:
    """Choose what is shown of a finding: for each cluster the places in `rows` of the faces shown, and of all."""
    if not len(one.rows):
        return []
    parts = one.slices()
    most = CLUSTERS_A_SECTION if len(one.clusters) else FACES_A_SECTION
    if len(parts) > most:
        places = np.linspace(0, len(parts) - 1, most).round().astype(int) if _is_spread(one) else range(most)
        parts = [parts[place] for place in places]
    return [(_unlike(audit, one.rows, part)[:FACES_A_CLUSTER], part) for part in parts]


def _is_spread(one: Finding) -> bool:
    """Is a choice taken evenly? The surest duplicates all look alike; a person should see the doubtful ones too."""
    return bool(len(one.clusters)) or one.kind.code == "votes-against-label"


def _unlike(audit: Audit, rows: NDArray[np.int64], part: slice) -> list[int]:
    """Order a cluster's places so that faces of other splits and labels come before more of the same."""
    material = audit.material
    seen: Counter[tuple[int, int]] = Counter()
    keys = []
    for place in range(part.start, part.stop):
        split, label = int(material.splits[rows[place]]), int(material.labels[rows[place]])
        keys.append((seen[split, label], -split, label, place))
        seen[split, label] += 1
    return [key[-1] for key in sorted(keys)]


def _section(
    audit: Audit, one: Finding, chosen: Iterable[tuple[list[int], slice]], pictures: dict[int, str]
) -> Section:
    clusters = []
    for shown, part in chosen:
        tiles = _tiles(audit, one, shown, pictures)
        whole = one.rows[part]
        clusters.append(
            Cluster(
                tiles=tuple(tiles),
                more=len(whole) - len(shown),
                splits=tuple(name for name in by_split(audit, whole) if name != "none"),
                labels_differ=_differ(audit.material.labels[whole]),
            )
        )
    total = len(one.slices())
    what = "clusters" if len(one.clusters) else "faces"
    order = "the surest to the least sure" if one.scores is not None else "the largest to the smallest"
    how = f"evenly from {order}" if _is_spread(one) else "the first of them"
    return Section(
        finding=one,
        faces=len(one.faces()),
        by_split=by_split(audit, one.faces()),
        clusters=tuple(clusters),
        repairs=one.kind.repairs,
        shown=f"{len(clusters):,} of {total:,} {what} shown, {how}; the JSON has all." if len(clusters) < total else "",
    )


def _tiles(audit: Audit, one: Finding, shown: list[int], pictures: dict[int, str]) -> list[Tile]:
    rows = one.rows[shown].tolist()
    columns = audit.material.corpus.table.select(["source", "split", "label"]).take(rows).to_pylist()
    return [
        Tile(
            row=row,
            picture=pictures[row],
            source=about["source"] or "",
            short_source=_short(about["source"] or ""),
            split=about["split"] or "none",
            label=about["label"] or "no label",
            note=one.notes[place] if one.notes else "",
        )
        for place, row, about in zip(shown, rows, columns, strict=True)
    ]


def _short(source: str) -> str:
    return source if len(source) <= _SOURCE_LENGTH else "…" + source[1 - _SOURCE_LENGTH :]


def _differ(labels: NDArray[np.int64]) -> bool:
    return len(set(labels.tolist()) - {-1}) > 1
