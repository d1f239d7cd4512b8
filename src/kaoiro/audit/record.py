"""An audit for machines: JSON with every face that a check has found."""

import json
from typing import Any, Final

import numpy as np

from kaoiro.audit.audit import Audit
from kaoiro.audit.findings import Finding
from kaoiro.audit.repairs import REPAIRS, Plan
from kaoiro.corpus.schema import SPLITS

FORMAT: Final = 1


def by_split(audit: Audit, rows: np.ndarray) -> dict[str, int]:
    """Count faces by split, those that occur; `none` stands for faces without one."""
    splits = audit.material.splits[rows]
    names = {**dict(enumerate(SPLITS)), -1: "none"}
    return {name: count for place, name in names.items() if (count := int((splits == place).sum()))}


def audit_json(audit: Audit, plan: Plan) -> str:
    """The audit as JSON text; docs/audit.md describes it.

    Args:
        audit: what was found.
        plan: what the repairs that were chosen leave out.
    """
    import kaoiro

    found = [one.faces() for one in audit.findings if len(one.rows)]
    concerned = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    whole = {
        "format": FORMAT,
        "kaoiro": kaoiro.__version__,
        "corpus": str(audit.path),
        "faces": len(audit.material),
        "counts": _counts(audit),
        "reading_seconds": audit.reading_seconds,
        "checks": {
            name: {"made": run.made, "seconds": run.seconds, "why_not": run.why_not or None}
            for name, run in audit.checks.items()
        },
        "duplicates": _duplicates(audit),
        "findings": [_finding(audit, one) for one in audit.findings],
        "repairs": {
            "splits": list(plan.splits),
            "leave_out": plan.counts(audit.material.splits),
            "kept": int(plan.keep.sum()),
            "known": {
                repair.name: {"what": repair.what, "check": repair.check, "default": repair.default}
                for repair in REPAIRS.values()
            },
        },
        "rows": _rows(audit, concerned),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n"


def _counts(audit: Audit) -> dict[str, dict[str, int]]:
    counts = audit.counts
    return {
        label or "none": {split or "none": counts.faces.get((label, split), 0) for split in counts.splits}
        for label in counts.labels
    }


def _duplicates(audit: Audit) -> dict[str, Any] | None:
    found = audit.duplicates
    if found is None:
        return None
    also = found.also_in()
    leaks = {
        split: {
            other: int(also[found.splits == place, SPLITS.index(other)].sum()) for other in SPLITS if other != split
        }
        for place, split in enumerate(SPLITS)
        if (found.splits == place).any()
    }
    return {
        "pictures_with_copies": found.pictures_with_copies(),
        "redundant_faces": found.redundant(),
        "near_pairs": len(found.near),
        "faces_also_in": leaks,
    }


def _finding(audit: Audit, one: Finding) -> dict[str, Any]:
    return {
        "code": one.kind.code,
        "title": one.kind.title,
        "meaning": one.kind.meaning,
        "severity": one.kind.severity,
        "repairs": list(one.kind.repairs),
        "facts": list(one.facts),
        "caveats": list(one.caveats),
        "faces": len(one.faces()),
        "by_split": by_split(audit, one.faces()),
        "score": one.score or None,
        "rows": one.rows.tolist(),
        "clusters": one.clusters.tolist(),
        "scores": None if one.scores is None else [float(str(score)) for score in one.scores],
        "notes": list(one.notes),
    }


def _rows(audit: Audit, rows: np.ndarray) -> dict[str, dict[str, str | None]]:
    columns = audit.material.corpus.table.select(["source", "split", "label", "sha256"]).take(rows).to_pylist()
    return {str(row): about for row, about in zip(rows.tolist(), columns, strict=True)}
