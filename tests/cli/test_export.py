import sys

import pytest
from typer.testing import CliRunner

from kaoiro import export as export_module
from kaoiro.cli.app import app
from kaoiro.errors import InputError, MissingExtraError, ModelFileError
from kaoiro.recognition.metadata import Crop
from kaoiro.recognition.model_file import open_model


def run(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], catch_exceptions=False)


def test_export(trained_run, drawn_corpus, tmp_path):
    target = tmp_path / "model.onnx"
    options = ["--corpus", drawn_corpus, "--name", "mine", "--default-head", "fer2013", "--licence", "CC0-1.0"]
    result = run(trained_run / "best.ckpt", "-o", target, *options, "--crop", "1.2", "0.1", "-0.05")
    assert result.exit_code == 0
    assert result.stderr == ""
    first, fer2013, ferplus, check = result.stdout.splitlines()
    size = target.stat().st_size / 2**20
    assert first == f"wrote {target} ({size:.1f} MiB): mine"
    metadata = open_model(target).metadata
    head, scores = metadata.heads["fer2013"], metadata.scores["validation"]["fer2013"]
    assert fer2013 == (
        f"  fer2013: 7 classes, temperature {head.temperature:.3f}, "
        f"validation accuracy {scores['accuracy']:.2%} (n = 70)"
    )
    assert ferplus.startswith("  ferplus: 8 classes, temperature ")
    assert check.startswith("  ONNX Runtime and torch differ by at most ")
    assert (metadata.name, metadata.default_head, metadata.licence) == ("mine", "fer2013", "CC0-1.0")
    assert metadata.crop == Crop(1.2, 0.1, -0.05)


def test_unusable_inputs(trained_run, tmp_path):
    with pytest.raises(ModelFileError, match=r"no checkpoint '.*nothing\.ckpt'"):
        run(tmp_path / "nothing.ckpt", "-o", tmp_path / "a.onnx")
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        run(trained_run / "best.ckpt", "-o", tmp_path / "a.pt")
    assert run(trained_run / "best.ckpt").exit_code == 2
    assert not list(tmp_path.iterdir())


def test_without_torch(monkeypatch, tmp_path):
    assert export_module  # what the test takes away is there otherwise
    monkeypatch.delitem(sys.modules, "kaoiro.export")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"kaoiro export needs onnx; .*pip install 'kaoiro\[train\]'"):
        run(tmp_path / "a.ckpt", "-o", tmp_path / "a.onnx")
