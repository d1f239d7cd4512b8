import pytest
from typer.testing import CliRunner

from kaoiro.cli.data import data_app
from kaoiro.errors import InputError


def test_says_how_to_go_on(tmp_path):
    (tmp_path / "fer2013.csv").write_text("")
    result = CliRunner().invoke(data_app, ["fetch", "fer2013", "-o", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == (
        f"{tmp_path}/fer2013.csv is there already\n"
        f"next: kaoiro data import {tmp_path}/fer2013.csv -o {tmp_path}/fer2013.parquet\n"
    )


def test_what_cannot_be_fetched():
    with pytest.raises(InputError, match="raf-db cannot be fetched by a program"):
        CliRunner().invoke(data_app, ["fetch", "raf-db"], catch_exceptions=False)
