"""Writing the corpus that repairs leave, and the record of what they left out."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from kaoiro.audit.audit import Audit
from kaoiro.audit.repairs import Plan
from kaoiro.corpus.rewriting import rewrite_corpus
from kaoiro.errors import CorpusError
from kaoiro.files import atomic_path, reported_writing

RECORD_COLUMNS: Final = ("row", "source", "sha256", "split", "label", "reason", "because_of_row", "because_of_source")


def record_path(target: Path) -> Path:
    """Say where the record of what a corpus lost is written: `clean_dropped.csv` beside `clean.parquet`."""
    return target.with_name(f"{target.stem}_dropped.csv")


def write_mended(audit: Audit, plan: Plan, target: Path, on_progress: Callable[[float], None] = lambda _: None) -> int:
    """Write the corpus without what a plan leaves out, and the record beside it; give the number of faces left.

    The corpus takes its place just before the record does, and neither appears if anything goes wrong before.

    Args:
        audit: of the corpus; it is not touched.
        plan: what is left out and why.
        target: the corpus to write.
        on_progress: is told now and then which part is written, from 0 to 1.

    Raises:
        CorpusError: the corpus cannot be read any more or has changed since the audit, nothing would be left, or the
            target cannot be written.
        InputError: the record, or anything beside the target, cannot be written.
    """
    if not plan.keep.any():
        raise CorpusError(f"the repairs {', '.join(plan.repairs)} leave no face of {audit.path}; choose fewer")
    if not audit.unchanged():
        raise CorpusError(f"{audit.path} has changed since it was audited; audit it again")
    record = record_path(target)
    with reported_writing(target), atomic_path(record) as partial:
        _write_record(audit, plan, partial)
        return rewrite_corpus(audit.path, target, keep=plan.keep, on_progress=on_progress)


def _write_record(audit: Audit, plan: Plan, path: Path) -> None:
    rows = np.flatnonzero(~plan.keep)
    table = audit.material.corpus.table
    columns = table.select(["source", "sha256", "split", "label"]).take(rows).to_pylist()
    sources = table["source"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(RECORD_COLUMNS)
        for row, about in zip(rows.tolist(), columns, strict=True):
            twin = int(plan.twin[row])
            because = (twin, sources[twin].as_py()) if twin >= 0 else ("", "")
            reason = plan.repairs[int(plan.reason[row])]
            writer.writerow([row, *(about[name] for name in ("source", "sha256", "split", "label")), reason, *because])
