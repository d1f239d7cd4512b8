"""`kaoiro models`: the networks, their cost, and the weights that come with the package."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaoiro.cli.extras import extra_needed
from kaoiro.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.table import Table

    from kaoiro.models.figures import NetworkFigures
    from kaoiro.recognition.metadata import ModelMetadata


class ListFormat(StrEnum):
    """How the list is printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class _Shipped:
    metadata: "ModelMetadata"
    bytes: int

    @property
    def network(self) -> str:
        return str(self.metadata.provenance.get("network", self.metadata.name))

    @property
    def accuracies(self) -> list[str]:
        return [
            f"{measured['accuracy']:.1%} {head}, {split} (n = {measured['n']:,})"
            for split, heads in self.metadata.scores.items()
            for head, measured in heads.items()
            if "accuracy" in measured
        ]

    def to_dict(self) -> dict[str, Any]:
        metadata = self.metadata
        return {
            "name": metadata.name,
            "bytes": self.bytes,
            "size": metadata.size,
            "channels": metadata.channels,
            "heads": {name: list(head.classes) for name, head in metadata.heads.items()},
            "licence": metadata.licence,
            "provenance": metadata.provenance,
            "scores": metadata.scores,
        }


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="One network only: a name, timm:<name>, or package.module.Class for one of your own."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Side of the input in pixels; by default what the network is meant for.")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="1 for grey, 3 for RGB.")] = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="How the list is printed.")] = ListFormat.TABLE,
) -> None:
    """List the networks: parameters, multiply-accumulates, input, shipped weights and their measured accuracy."""
    shipped = [one for one in _shipped() if name in (None, one.network)]
    figures: list[NetworkFigures] = []
    try:
        with extra_needed("counting parameters and MMAC", "train"):
            from kaoiro.models import network_names
            from kaoiro.models.figures import network_figures
    except MissingExtraError as missing:
        if name is not None and not shipped:
            raise
        typer.echo(f"kaoiro: {missing}", err=True)
    else:
        figures = [network_figures(one, channels, size) for one in ([name] if name else network_names())]

    networks = {one.name: one for one in figures}
    rows = [
        (network, networks.get(network), [s for s in shipped if s.network == network])
        for network in dict.fromkeys([*networks, *(s.network for s in shipped)])
    ]
    if format_ is ListFormat.JSON:
        typer.echo(json.dumps([_as_dict(*row) for row in rows], indent=2, ensure_ascii=False))
    else:
        _print(rows)


def _shipped() -> list[_Shipped]:
    from importlib import resources

    from kaoiro.recognition.model_file import open_model, shipped_models

    folder = resources.files("kaoiro") / "weights"
    return [
        _Shipped(open_model(model, device="cpu", threads=1).metadata, len((folder / f"{model}.onnx").read_bytes()))
        for model in shipped_models()
    ]


_Row = tuple[str, "NetworkFigures | None", list[_Shipped]]


def _as_dict(name: str, figures: "NetworkFigures | None", shipped: list[_Shipped]) -> dict[str, Any]:
    counted = {} if figures is None else asdict(figures)
    return {"name": name, **counted, "weights": [one.to_dict() for one in shipped]}


def _print(rows: list[_Row]) -> None:
    from importlib.util import find_spec

    from rich.console import Console

    table = _table(rows)
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # a file or a pipe has no width to fit into
        console.width = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    console.print(table)
    timm = "" if find_spec("timm") else ", after pip install 'kaoiro[timm]'"
    for note in (
        "MMAC: million multiply-accumulates a picture in convolutions and linear layers, + those within attention;",
        "one head of 7 classes is included.",
        f"Also: any backbone of timm (timm:<name>{timm}), and a network of your own (package.module.Class);",
        "for one network's figures: kaoiro models timm:resnet18 --size 224 --channels 3",
    ):
        console.print(note, soft_wrap=True)


def _table(rows: list[_Row]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("network", style="bold", overflow="fold")
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("MMAC", justify="right", no_wrap=True)
    table.add_column("input", no_wrap=True)
    table.add_column("shipped weights")
    table.add_column("measured accuracy")
    for name, figures, shipped in rows:
        table.add_row(
            name,
            "" if figures is None else f"{figures.parameters:,}",
            "" if figures is None else _mmac(figures),
            _input(figures or shipped[0].metadata),
            # Each file's name stands beside the first of its own figures.
            "\n".join(_weights(one, figures) + "\n" * (len(one.accuracies) - 1) for one in shipped) or "none",
            "\n".join("\n".join(one.accuracies) for one in shipped),
        )
    return table


def _mmac(figures: "NetworkFigures") -> str:
    attention = f" + {figures.attention_mmac:.1f}" if figures.attention_mmac else ""
    return f"{figures.mmac:,.1f}{attention}"


def _input(of: "NetworkFigures | ModelMetadata") -> str:
    return f"{of.channels}×{of.size}×{of.size}"


def _weights(shipped: _Shipped, figures: "NetworkFigures | None") -> str:
    input_ = _input(shipped.metadata)
    other_input = "" if figures is None or _input(figures) == input_ else f" for {input_}"
    return f"{shipped.metadata.name}, {shipped.bytes / 2**20:.1f} MiB{other_input}"
