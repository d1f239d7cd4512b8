import sys

import pytest
from typer.testing import CliRunner

from kaoiro import export as export_module
from kaoiro import quantization
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


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(quantization, "_TIMED_SECONDS", 0.002)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", ["checkpoint", "model file"])
def test_int8(kind, trained_run, trained_model, drawn_corpus, tmp_path):
    target = tmp_path / "model.onnx"
    source, options = (
        (trained_run / "last.ckpt", ["--licence", "CC0-1.0"]) if kind == "checkpoint" else (trained_model, [])
    )
    result = run(source, "-o", target, "--int8", "--corpus", drawn_corpus, *options)
    assert result.exit_code == 0
    assert result.stderr == ""
    metadata = open_model(target).metadata
    assert metadata.provenance["precision"] == "int8"
    assert (metadata.name, metadata.licence) == ("kaoiro-s-int8", "CC0-1.0" if kind == "checkpoint" else "")
    lines = result.stdout.splitlines()
    size = target.stat().st_size / 2**20
    assert lines[0] == (
        f"wrote {target} ({size:.1f} MiB): kaoiro-s-int8, convolutions in 8 bits, ranges from 140 training faces"
    )
    accuracy = metadata.scores["validation"]["fer2013"]["accuracy"]
    assert lines[1].startswith(f"  fer2013: validation accuracy {accuracy:.2%}, before ")
    assert any(line.startswith("  speed on one thread here, against before: ") for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    ("after", "speedup", "warnings"),
    [
        (0.6971, 1.5, []),
        (0.6969, 1.5, ["  fer2013 lost more than 0.3 points: better use the model in 32 bits"]),
        (0.71, 1.49, ["  less than 1.5 times as fast at batch 1: hardly worth it on this machine"]),
    ],
)
def test_int8_says_when_it_is_not_worth_it(after, speedup, warnings, trained_model, monkeypatch):
    written = quantization.Quantized(
        trained_model,
        open_model(trained_model).metadata,
        {"fer2013": quantization.Comparison(0.7, after, 3589)},
        {1: speedup, 64: 3.0},
        256,
    )
    monkeypatch.setattr(quantization, "quantize", lambda *_, **__: written)
    _, accuracy, *rest = run(trained_model, "-o", "a.onnx", "--int8", "--corpus", "c.parquet").stdout.splitlines()
    points = 100 * (after - 0.7)
    assert accuracy == f"  fer2013: validation accuracy {after:.2%}, before 70.00% ({points:+.2f} points, n = 3589)"
    speed = f"  speed on one thread here, against before: {speedup:.1f} times at batch 1, 3.0 times at batch 64"
    assert sorted(rest) == sorted([speed, *warnings])


def test_unusable_inputs_for_int8(trained_run, trained_model, drawn_corpus, tmp_path):
    target = tmp_path / "a.onnx"
    with pytest.raises(InputError, match="--int8 needs --corpus"):
        run(trained_model, "-o", target, "--int8")
    with pytest.raises(InputError, match="a model file keeps its own"):
        run("kaoiro-s", "-o", target, "--int8", "--corpus", drawn_corpus, "--licence", "CC0-1.0")
    with pytest.raises(ModelFileError, match=r"there is no model file '.*nothing\.onnx'"):
        run(tmp_path / "nothing.onnx", "-o", target, "--int8", "--corpus", drawn_corpus)
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        run(trained_run / "last.ckpt", "-o", tmp_path / "a.pt", "--int8", "--corpus", drawn_corpus)
    assert not list(tmp_path.iterdir())


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


def test_several_checkpoints_become_one_file(trained_run, tmp_path):
    result = run(trained_run / "best.ckpt", trained_run / "last.ckpt", "-o", tmp_path / "both.onnx")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"wrote {tmp_path / 'both.onnx'}")
    assert len(open_model(tmp_path / "both.onnx").metadata.provenance["members"]) == 2


def test_int8_of_several_model_files(drawn_corpus, tmp_path):
    with pytest.raises(InputError, match="--int8 takes one model file, or checkpoints"):
        run("kaoiro-s", "kaoiro-s", "-o", tmp_path / "a.onnx", "--int8", "--corpus", drawn_corpus)
