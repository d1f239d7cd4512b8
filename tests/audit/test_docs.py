"""docs/audit.md names what there is."""

import re
from pathlib import Path

from kaoiro.audit.audit import CHECKS
from kaoiro.audit.findings import KINDS
from kaoiro.audit.repairs import REPAIRS

TEXT = (Path(__file__).parents[2] / "docs/audit.md").read_text()
CODE = re.compile(r"`([^`]+)`")


def rows(heading):
    """The cells of the first table below a heading."""
    below = TEXT.split(f"## {heading}\n")[1]
    table = below.split("|---|---|---|\n")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_checks_and_their_findings():
    check, checks, severities = "", [], {}
    for first, second, severity in rows("What is looked for"):
        if first:
            (check,) = CODE.findall(first)
            checks.append(check)
        severities |= {code: severity for code in CODE.findall(second) if code in KINDS}
    assert checks == list(CHECKS)
    assert severities == {code: kind.severity for code, kind in KINDS.items()}


def test_the_repairs_in_their_order():
    named = [(name, default == "yes") for names, _, default in rows("Repairs") for name in CODE.findall(names)]
    assert named == [(repair.name, repair.default) for repair in REPAIRS.values()]
