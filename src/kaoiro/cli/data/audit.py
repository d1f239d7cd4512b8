"""`kaoiro data audit`: find what is wrong with a corpus, show it, and leave it out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed
from kaoiro.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from kaoiro.audit.audit import Audit
    from kaoiro.audit.repairs import Plan


def audit(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote; it is not changed.")],
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures of what was found, to look through in a browser.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write everything that was found as JSON.")] = None,
    fix: Annotated[
        Path | None, typer.Option(help="Write a new corpus without what is wrong, and a record of what was left out.")
    ] = None,
    repairs: Annotated[
        str, typer.Option(help="What --fix does, by name with commas between; docs/audit.md lists the repairs.")
    ] = "default",
    from_: Annotated[
        str, typer.Option("--from", help="The splits that may lose faces, with commas between: train,validation,test.")
    ] = "train",
    checks: Annotated[
        str | None, typer.Option(help="Make only these checks, by name with commas between; by default all.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the search for label errors.")] = 0,
) -> None:
    """Find what is wrong with a corpus: copies, leaks between splits, pictures that show nothing, wrong labels.

    The exit code is 0 whatever is found.
    """
    with extra_needed("kaoiro data audit", "train"):
        from kaoiro.audit.audit import CHECKS, audit_corpus, parse_checks
        from kaoiro.audit.mending import record_path, write_mended
        from kaoiro.audit.outputs import parse_splits, written_together
        from kaoiro.audit.repairs import REPAIRS, parse_repairs, plan_repairs
    from rich.console import Console

    from kaoiro.files import check_outputs

    chosen_checks = None if checks is None else parse_checks(checks)
    chosen_repairs = parse_repairs(repairs, chosen_checks or CHECKS)
    if fix is not None and not chosen_repairs:
        raise InputError(f"--fix has nothing to do: --checks {checks} serves no default repair; name some by --repairs")
    needed = {REPAIRS[name].check for name in chosen_repairs}
    splits = parse_splits(from_)
    record = None if fix is None else record_path(fix)
    check_outputs(
        {"the corpus": corpus}, {"--report": report, "--json": json_, "--fix": fix, "the record of --fix": record}
    )

    messages = messages_console()
    with progress_bar(messages, f"auditing {corpus.name}") as on_progress:
        found = audit_corpus(corpus, chosen_checks, needed=needed, seed=seed, on_progress=on_progress)
    for run in found.checks.values():
        if run.why_not and chosen_checks is None:
            messages.print(f"left out a check: {run.why_not}")
    plan = plan_repairs(found, chosen_repairs, splits)

    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{corpus}: {len(found.material)} faces", markup=False)
    console.print(_findings_table(found) if found.found() else "nothing found")
    for one in found.findings:
        if one.caveats:
            console.print(f"{one.kind.title}: {'; '.join(one.caveats)}", markup=False)
    if plan.repairs:
        console.print(_repairs_table(found, plan))

    texts = {}
    if report is not None:
        with extra_needed("kaoiro data audit --report", "train"):
            from kaoiro.audit.page import audit_page
        texts[report] = audit_page(found, plan)
    if json_ is not None:
        from kaoiro.audit.record import audit_json

        texts[json_] = audit_json(found, plan)
    with written_together(texts):
        if fix is not None:
            with progress_bar(messages, f"writing {fix.name}") as on_progress:
                written = write_mended(found, plan, fix, on_progress)
    if report is not None:
        console.print(f"page: {report}", markup=False)
    if json_ is not None:
        console.print(f"json: {json_}", markup=False)
    if fix is not None:
        console.print(f"corpus: {fix}: {written} faces; left out: {len(found.material) - written}", markup=False)
        console.print(f"record: {record}", markup=False)


def _findings_table(found: "Audit") -> "Table":
    from rich.table import Table

    from kaoiro.audit.record import by_split

    splits = [split or "none" for split in found.counts.splits]
    table = Table("finding", "severity")
    for name in ("faces", *splits):
        table.add_column("no split" if name == "none" else name, justify="right")
    for one in found.found():
        faces = one.faces()
        counts = by_split(found, faces)
        numbers = [len(faces), *(counts.get(split, 0) for split in splits)] if len(faces) else []
        table.add_row(one.kind.title, one.kind.severity, *map(str, numbers))
    return table


def _repairs_table(found: "Audit", plan: "Plan") -> "Table":
    from rich.table import Table

    from kaoiro.audit.repairs import REPAIRS

    splits = [split or "none" for split in found.counts.splits]
    table = Table("--fix: repair", "leaves out", show_footer=True)
    counts = plan.counts(found.material.splits)
    table.columns[0].footer = "all together"
    for split in splits:
        total = sum(by_repair.get(split, 0) for by_repair in counts.values())
        table.add_column("no split" if split == "none" else split, justify="right", footer=str(total))
    for name, by_repair in counts.items():
        table.add_row(name, REPAIRS[name].what, *(str(by_repair.get(split, 0)) for split in splits))
    return table
