import json
import sys

import pytest
from typer.testing import CliRunner

from kaoiro.cli.app import app
from kaoiro.errors import CorpusError, InputError, MissingExtraError, ModelFileError
from kaoiro.evaluation.evaluate import evaluate
from kaoiro.evaluation.robustness import robustness


@pytest.fixture
def run(tiny_model_path, drawn_corpus):
    def run(*options, model=tiny_model_path, data=drawn_corpus):
        arguments = ["evaluate", str(model), "--data", str(data), *map(str, options)]
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return run


def plain(report):
    return json.loads(json.dumps(report.to_dict()))


def test_tables(run):
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("tiny on drawn.parquet, split validation: 70 faces, each face once\n")
    assert "are near-duplicates of training faces" in result.stdout
    assert result.stderr == ""


def test_json(run, tiny_model_path, drawn_corpus):
    result = run("--format", "json", "--split", "test", "--flip-averaging")
    expected = evaluate(tiny_model_path, drawn_corpus, "test", flip_averaging=True)
    assert json.loads(result.stdout) == plain(expected)


def test_robustness(run, tiny_model_path, drawn_corpus):
    plain_report = json.loads(run("--format", "json").stdout)
    assert plain_report["robustness"] is None
    found = robustness(tiny_model_path, drawn_corpus, "validation", flip_averaging=True)
    result = run("--robustness", "--flip-averaging")
    assert result.exit_code == 0
    for change, scores in found.heads["fer2013"].changed.items():
        (line, *_) = (line for line in result.stdout.splitlines() if f" {change} " in line)
        assert f"{100 * found.heads['ferplus'].changed[change].accuracy.value:.2f}" in line
        assert f"{100 * scores.accuracy.value:.2f}" in result.stdout
    report = json.loads(run("--robustness", "--flip-averaging", "--format", "json").stdout)
    assert report["robustness"] == json.loads(json.dumps(found.to_dict()))


def test_a_file(run, tmp_path, tiny_model_path, drawn_corpus):
    target = tmp_path / "new" / "report.json"
    result = run("--output", target, "--no-leak-check")
    assert result.stdout.startswith("tiny on drawn.parquet")
    assert json.loads(target.read_text()) == plain(
        evaluate(tiny_model_path, drawn_corpus, "validation", leak_check=False)
    )
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]


def test_a_failing_evaluation_leaves_an_earlier_file(run, tmp_path):
    target = tmp_path / "report.json"
    target.write_text("earlier")
    with pytest.raises(CorpusError, match="no split 'tset'"):
        run("--output", target, "--split", "tset")
    assert target.read_text() == "earlier"


def test_a_file_that_cannot_be_written(run, tmp_path, monkeypatch):
    target = tmp_path / "report.json"
    target.write_text("earlier")
    monkeypatch.setattr("kaoiro.evaluation.report.report_json", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("--output", target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.json", "earlier")]


def test_unusable_inputs(run, tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file '.*nothing\.onnx'"):
        run(model=tmp_path / "nothing.onnx")
    with pytest.raises(CorpusError, match=r"nothing\.parquet does not exist"):
        run(data=tmp_path / "nothing.parquet")
    assert run("--format", "yaml").exit_code == 2


def test_without_torchmetrics(run, monkeypatch):
    for name in ("kaoiro.evaluation.evaluate", "kaoiro.evaluation.page", "kaoiro.evaluation.scores"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"kaoiro evaluate needs torch; .*pip install 'kaoiro\[train\]'"):
        run()


def test_a_page(run, tmp_path):
    page, scores = tmp_path / "new" / "report.html", tmp_path / "report.json"
    result = run("--html", page, "-o", scores)
    assert result.stdout.startswith("tiny on drawn.parquet")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert json.loads(scores.read_text())["split"] == "validation"


def test_outputs_that_would_overwrite_something(run, tmp_path, drawn_corpus, tiny_model_path):
    corpus = drawn_corpus.read_bytes()
    with pytest.raises(InputError, match=r"--html .* is the corpus itself"):
        run("--html", drawn_corpus)
    with pytest.raises(InputError, match=r"--output .* is the model itself"):
        run("--output", tiny_model_path)
    with pytest.raises(InputError, match="--output and --html would both be written to"):
        run("--output", tmp_path / "a", "--html", tmp_path / "a")
    assert drawn_corpus.read_bytes() == corpus


def test_priors(run):
    with pytest.raises(InputError, match="of the model 'tiny' does not say how frequent"):
        run("--prior", "balanced")
    with pytest.raises(InputError, match="the prior 'often' cannot be read"):
        run("--prior", "often")
    weighted = run("--prior", "balanced", "--no-leak-check", model="kaoiro-s")
    assert "weighted to the prior balanced\n" in weighted.stdout
    assert weighted.stdout != run("--no-leak-check", model="kaoiro-s").stdout
