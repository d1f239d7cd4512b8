import json
import sys

import pytest
from typer.testing import CliRunner

from kaoiro.cli.app import app
from kaoiro.errors import InputError, MissingExtraError


def run(*options):
    return CliRunner().invoke(app, ["doctor", *options], catch_exceptions=False)


def test_table():
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("kaoiro ")
    assert result.stderr == ""


def test_json():
    plain = json.loads(run("--format", "json").stdout)
    assert plain["format"] == 1
    assert plain["packages"]["numpy"]


@pytest.mark.parametrize("options", [["--backend", "gloo"], ["--sizes", "1K"], ["--timeout", "5"]])
def test_options_of_the_collectives_alone(options):
    with pytest.raises(InputError, match=f"{options[0]} belongs to --collectives; add it"):
        run(*options)


@pytest.fixture
def launched(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)


def test_collectives_without_a_launcher(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="run: torchrun --nproc-per-node=2 -m kaoiro doctor --collectives"):
        run("--collectives")


def test_unusable_options_of_the_collectives(launched):
    with pytest.raises(InputError, match="'huge' is not a message size"):
        run("--collectives", "--sizes", "1K,huge")
    assert run("--collectives", "--timeout", "0").exit_code == 2
    assert run("--collectives", "--backend", "mpi").exit_code == 2


def test_only_rank_0_reports_what_all_ranks_got_wrong(launched, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("time.sleep", lambda _: None)
    result = run("--collectives", "--sizes", "huge")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "")


def test_collectives_without_torch(launched, monkeypatch):
    monkeypatch.delitem(sys.modules, "kaoiro.scale.collectives", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"kaoiro doctor --collectives needs torch; .*'kaoiro\[train\]'"):
        run("--collectives")
