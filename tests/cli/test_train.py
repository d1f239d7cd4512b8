import sys

import pytest
from typer.testing import CliRunner

from kaoiro.cli import main
from kaoiro.cli.app import app
from kaoiro.errors import MissingExtraError


@pytest.fixture
def kaoiro(monkeypatch, capfd):
    """Run the whole command; gives the exit code and what was printed."""

    def kaoiro(*arguments):
        monkeypatch.setattr(sys, "argv", ["kaoiro", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, *capfd.readouterr()

    return kaoiro


def test_help(kaoiro):
    code, printed, warned = kaoiro("train", "--help")
    assert not code
    assert warned == ""
    assert printed.startswith("usage: kaoiro train")
    for option in ("--data.corpus", "--model.network", "--trainer.max_epochs", "--run", "--resume", "--ema_decay"):
        assert option in printed


def test_what_a_user_gets_wrong_is_one_line(kaoiro, tmp_path):
    code, printed, warned = kaoiro("train", "--data.corpus=nothing.parquet", f"--run={tmp_path / 'run'}")
    assert code == 2
    assert printed == ""
    (line,) = warned.splitlines()
    assert line.startswith("kaoiro: nothing.parquet does not exist; ")


def test_arguments_are_handed_over_as_they_are(monkeypatch):
    handed = []
    monkeypatch.setattr("kaoiro.training.run.command.train", handed.extend)
    arguments = ["--data.corpus", "c.parquet", "--model.heads={a: {target: label}}", "--resume"]
    assert CliRunner().invoke(app, ["train", *arguments]).exit_code == 0
    assert handed == arguments


def test_stopping(monkeypatch):
    def stop(_):
        raise KeyboardInterrupt("stopped; go on with --resume")

    monkeypatch.setattr("kaoiro.training.run.command.train", stop)
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 130
    assert result.stderr == "kaoiro: stopped; go on with --resume\n"


def test_without_lightning(monkeypatch):
    monkeypatch.delitem(sys.modules, "kaoiro.training.run.command", raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(MissingExtraError, match=r"kaoiro train needs lightning; .*pip install 'kaoiro\[train\]'"):
        CliRunner().invoke(app, ["train"], catch_exceptions=False)
