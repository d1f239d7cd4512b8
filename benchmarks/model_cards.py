"""Write the model cards, `docs/models/*.md` with their plots, from what `measure_model.py` measured.

    python benchmarks/model_cards.py [--check] [--results docs/results] [--output docs/models] [--page README.md]

Every JSON file in the folder of results that `measure_model.py` wrote becomes a card; `README.md` among them compares
them all. The tables of the networks in the package also stand in the project's own `README.md`, between two comments.
`--check` writes nothing, and fails where a page on disk, or the figures in a plot, differ from what would be written.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

import model_card_plots as plots
from kaoiro.evaluation.selection import usable_threshold
from kaoiro.files import atomic_path

ROOT: Final = Path(__file__).parents[1]
DOCUMENTED: Final = ROOT / "docs/models"
TEMPLATE: Final = Path(__file__).with_name("model_card.md.jinja")
OVERVIEW: Final = Path(__file__).with_name("model_overview.md.jinja")
TABLES: Final = Path(__file__).with_name("model_tables.md.jinja")
BEGIN: Final = "<!-- Tables by benchmarks/model_cards.py; change the measurements, not these. -->\n"
END: Final = "<!-- End of the tables. -->\n"
KIND: Final = "model measurements"
COSTLY: Final = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "docs/results", help="folder of measured JSON")
    parser.add_argument("--output", type=Path, default=DOCUMENTED, help="folder of the cards")
    parser.add_argument("--page", type=Path, help="page that has the tables too; by default README.md")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a card would change")
    arguments = parser.parse_args()

    measured = {
        path: data
        for path in sorted(arguments.results.glob("*.json"))
        if (data := json.loads(path.read_text(encoding="utf-8"))).get("kind") == KIND
    }
    if not measured and not arguments.check:
        sys.exit(f"model_cards: {arguments.results} has no file that measure_model.py wrote")
    stale = []
    for source, data in measured.items():
        name = data["model"]["name"]
        page = arguments.output / f"{name}.md"
        figures = {figure: draw for figure, draw in FIGURES.items() if figure != "robustness" or "robustness" in data}
        text = card(data, source)
        if arguments.check:
            if not page.is_file() or page.read_text(encoding="utf-8") != text:
                stale.append(page)
            for figure in figures:
                path = figure_path(arguments.output, name, figure)
                if not path.is_file() or plots.digest(figure_heads(data, figure)) not in path.read_text("utf-8"):
                    stale.append(path)
            continue
        for figure, draw in figures.items():
            with atomic_path(figure_path(arguments.output, name, figure)) as path:
                draw(figure_heads(data, figure), path)
        with atomic_path(page) as path:
            path.write_text(text, encoding="utf-8")
        print(page)
    if measured:
        models = list(measured.values())
        pages = {arguments.output / "README.md": overview(models)}
        # The project's own page is about the project's own models.
        if shown := arguments.page or (ROOT / "README.md" if arguments.output == DOCUMENTED else None):
            pages[shown] = with_tables(shown, models)
        for page, text in pages.items():
            if not arguments.check:
                with atomic_path(page) as path:
                    path.write_text(text, encoding="utf-8")
                print(page)
            elif not page.is_file() or page.read_text(encoding="utf-8") != text:
                stale.append(page)
    if stale:
        sys.exit("not what the measurements give; run benchmarks/model_cards.py: " + ", ".join(map(str, stale)))


FIGURES: Final[dict[str, Callable[[plots.Heads, Path], None]]] = {
    "reliability": plots.reliability,
    "risk_coverage": plots.risk_coverage,
    "robustness": plots.robustness,
}


def figure_path(folder: Path, model: str, figure: str) -> Path:
    """Where a plot of a model's card lies."""
    return folder / f"{model}-{figure.replace('_', '-')}.svg"


def figure_heads(data: dict[str, Any], figure: str) -> plots.Heads:
    """What a plot shows."""
    heads: plots.Heads = (data["robustness"] if figure == "robustness" else data["scores"]["once"])["heads"]
    return heads


def overview(models: list[dict[str, Any]]) -> str:
    """The text of the page that compares the models, the smallest first."""
    models = sorted(models, key=lambda data: data["graph"]["mmac"])
    return tidied(_environment().from_string(OVERVIEW.read_text(encoding="utf-8")).render(models=models))


def with_tables(page: Path, models: list[dict[str, Any]]) -> str:
    """A page's text with the tables of the networks in the package, the largest first, between its two comments."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"model_cards: {page} has no place for the tables, which begins with {BEGIN.strip()!r}")
    shown = [data for data in models if not {"members", "precision"} & data["model"]["provenance"].keys()]
    shown.sort(key=lambda data: data["graph"]["mmac"], reverse=True)
    tables = _environment().from_string(TABLES.read_text(encoding="utf-8")).render(models=shown)
    return f"{before}{begin}{tidied(tables)}{end}{after}"


def _environment() -> Environment:
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "usable_threshold": usable_threshold,
        "thousands": "{:,}".format,
        "percent": lambda share, digits=2: f"{100 * share:.{digits}f}",
        "points": lambda share: f"{100 * share:+.2f}".replace("-", "−"),
        "figure": lambda number: f"{number:.3g}",
        "mean_recall": mean_recall,
        "costly": costly,
        "machine": machine,
        "zip": lambda one, other: zip(one, other, strict=True),
    }
    return environment


def card(data: dict[str, Any], source: Path) -> str:
    """The text of a card."""
    name, output = data["model"]["name"], Path()
    try:
        shown = source.resolve().relative_to(ROOT)
    except ValueError:
        shown = Path(source.name)
    template = _environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(
        data=data,
        source=shown.as_posix(),
        figures={figure: figure_path(output, name, figure).as_posix() for figure in FIGURES},
        provenance=list(flattened(data["model"]["provenance"])),
        recipes=recipes(data),
        rare=rare(data),
    )
    return tidied(text)


def recipes(data: dict[str, Any]) -> list[str]:
    """The model's recipes below `recipes`, one a stage, where there are any of its name.

    A file in 8 bits is that of 32 bits, quantised.
    """
    name = data["model"]["name"].removesuffix("-int8")
    folders = ("", "second-stage/", "with-teachers/", "clear-teachers/")
    stages = (f"{name}.sh", *(f"{folder}{name}.yaml" for folder in folders))
    return [recipe for recipe in stages if (ROOT / "recipes" / recipe).is_file()]


def flattened(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Key and value of a nested mapping's leaves, the keys joined by points; empty parts are left out.

    Each mapping in a list becomes one row.
    """
    rows = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += flattened(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for place, one in enumerate(value, 1):
                rows.append((f"{prefix}{key}.{place}", "; ".join(" ".join(row) for row in flattened(one))))
        elif value not in (None, [], ""):
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows


def mean_recall(scores: dict[str, Any]) -> float:
    """Mean recall of the classes that occur."""
    recalls = [one["recall"] for one in scores["classes"].values() if one["n"]]
    return sum(recalls) / len(recalls)


def costly(changed: dict[str, Any]) -> list[str]:
    """The changes that cost more than 5 points, the dearest first."""
    losses = {change: -one["difference"]["value"] for change, one in changed.items()}
    return sorted((change for change in losses if losses[change] > COSTLY), key=losses.__getitem__, reverse=True)


def machine(measured: dict[str, Any]) -> str:
    """One line on where something was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    cores = f"{measured['cores']} core{'s' if measured['cores'] != 1 else ''}"
    where = f"{measured['processor']}, {cores}, {measured['system']}"
    return f"Measured on {measured['date']}: {where}; Python {measured['python']}, {versions}."


def rare(data: dict[str, Any]) -> str:
    """Say how few faces the rarest expression of each head has."""
    said = []
    for name, head in data["scores"]["once"]["heads"].items():
        counts = {expression: one["n"] for expression, one in head["scores"]["classes"].items() if one["n"]}
        least = min(counts, key=counts.__getitem__)
        said.append(f"{counts[least]} of {least} for `{name}`")
    return f": here they are measured on {' and '.join(said)}"


def tidied(text: str) -> str:
    """Without blanks at the ends of lines, and without more than one empty line at a time."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
