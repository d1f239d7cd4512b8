"""`kaoiro data`: everything about labelled faces. Each file here is one command."""

import typer

from kaoiro.cli.data.audit import audit
from kaoiro.cli.data.export import export
from kaoiro.cli.data.fetch import fetch
from kaoiro.cli.data.import_ import import_
from kaoiro.cli.data.show import show
from kaoiro.cli.data.soft_labels import soft_labels
from kaoiro.cli.data.split import SplitCommand, split
from kaoiro.cli.data.synthetic import synthetic

data_app = typer.Typer(help="Prepare labelled faces for training.", no_args_is_help=True)

data_app.command()(fetch)
data_app.command("import")(import_)
data_app.command()(audit)
data_app.command()(export)
data_app.command()(show)
data_app.command(cls=SplitCommand)(split)
data_app.command("soft-labels")(soft_labels)
data_app.command()(synthetic)
