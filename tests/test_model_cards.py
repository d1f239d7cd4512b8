"""Model cards come from measurements alone: those in docs/models, and the scripts that measure and write them."""

import contextlib
import hashlib
import importlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kaoiro.recognition.model_file import shipped_models

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- Tables by benchmarks/model_cards.py; change the measurements, not these. -->\n"
END = "<!-- End of the tables. -->\n"


@dataclass(frozen=True)
class Done:
    returncode: int
    stderr: str


def run(script, *arguments):
    """Run a script of benchmarks/ as from the command line, in this process."""
    stderr = io.StringIO()
    code = None
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(stderr):
        patch.syspath_prepend(ROOT / "benchmarks")
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        try:
            importlib.import_module(script).main()
        except SystemExit as stop:
            code = stop.code
    if isinstance(code, str):
        return Done(1, stderr.getvalue() + code)
    return Done(code or 0, stderr.getvalue())


@pytest.fixture(scope="module")
def measured(trained_model, drawn_corpus, tmp_path_factory):
    """A folder of results that holds one measured model, without its speed."""
    results = tmp_path_factory.mktemp("results")
    for part in ("scores", "robustness"):
        done = run("measure_model", trained_model, drawn_corpus, "--only", part, "-o", results / "two-heads.json")
        assert done.returncode == 0, done.stderr
    (results / "other.json").write_text("{}")  # of another kind, and passed over
    return results


@pytest.fixture(scope="module")
def cards(measured, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards")
    done = run("model_cards", "--results", measured, "--output", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_cards_in_the_documentation_are_what_the_measurements_give():
    done = run("model_cards", "--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", shipped_models())
def test_every_shipped_model_has_the_card_of_its_own_file(model):
    shipped = hashlib.sha256((ROOT / "src/kaoiro/weights" / f"{model}.onnx").read_bytes()).hexdigest()
    assert json.loads((ROOT / "docs/results" / f"{model}.json").read_text())["file"]["sha256"] == shipped
    assert shipped[:16] in (ROOT / "docs/models" / f"{model}.md").read_text(encoding="utf-8")


def test_what_is_measured(measured, trained_model):
    data = json.loads((measured / "two-heads.json").read_text())
    assert data["file"]["bytes"] == trained_model.stat().st_size
    assert data["corpus"]["splits"] == {"train": 140, "validation": 70, "test": 70}
    reports = data["scores"]
    assert [reports[one]["flip_averaging"] for one in ("once", "flip-averaged")] == [False, True]
    for name, head in data["robustness"]["heads"].items():
        assert head["clean"] == reports["once"]["heads"][name]["scores"]["accuracy"]["value"]
    assert data["robustness"]["measured"]["cores"] >= 1


def test_parameters_and_operations_are_those_of_the_network(measured, trained_run):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from kaoiro.training.weights.checkpoint import load_checkpoint

    network = load_checkpoint(trained_run / "last.ckpt").classifier.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 16, 16, dtype=torch.uint8))
    graph = json.loads((measured / "two-heads.json").read_text())["graph"]
    assert graph["parameters"] == sum(one.numel() for one in network.parameters())
    assert graph["mmac"] == pytest.approx(counter.get_total_flops() / 2e6)


def test_a_card_says_what_was_measured(cards, measured):
    data = json.loads((measured / "two-heads.json").read_text())
    name = data["model"]["name"]
    text = (cards / f"{name}.md").read_text()
    scores = data["scores"]["flip-averaged"]["heads"]["ferplus"]["scores"]
    value, low, high = (f"{100 * scores['accuracy'][key]:.2f}" for key in ("value", "low", "high"))
    assert f"| `ferplus` | all | flip-averaged | {scores['n']} | {value} ({low} to {high})" in text
    for part in ("Calibration", "Abstention", "Robustness", "Known biases", "Licence"):
        assert f"\n## {part}\n" in text
    assert "\n## Speed\n" not in text  # was not measured
    assert "Article 5(1)(f)" in text
    for line in text.splitlines():
        if "](" in line and line.startswith("!["):
            assert (cards / line.split("](")[1].rstrip(")")).is_file()
    for target in re.findall(r"\]\((\.\./[^)#]+)", text):  # the page lies in docs/models
        assert (ROOT / "docs/models" / target).resolve().exists(), target
    assert not any(line != line.rstrip() for line in text.splitlines())
    tables = [line for line in text.splitlines() if line.startswith("|---")]
    rows = text.splitlines()
    for place, line in enumerate(rows):
        if line in tables:  # a row of each table has as many cells as its heading
            assert rows[place - 1].count("|") == line.count("|") == rows[place + 1].count("|")


def test_the_overview_compares_the_models(cards, measured, tmp_path):
    data = json.loads((measured / "two-heads.json").read_text())
    larger = data["model"]["name"]
    other = tmp_path / "results"
    other.mkdir()
    (other / "a.json").write_text(json.dumps(data))
    data["model"]["name"] = "smaller"
    data["graph"]["mmac"] /= 2
    (other / "b.json").write_text(json.dumps(data))
    assert run("model_cards", "--results", other, "--output", tmp_path / "cards").returncode == 0
    text = (tmp_path / "cards" / "README.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| `smaller`", "| [`smaller`"))]
    assert [len(row) for row in rows] == [5, 9, 9]
    assert text.index("[`smaller`](smaller.md)") < text.index(f"[`{larger}`]({larger}.md)")
    scores = data["scores"]["once"]["heads"]["fer2013"]["scores"]
    assert rows[1][2:4] == [
        str(scores["n"]),
        "{value:.1%} ({low:.1%} to {high:.1%})".format(**scores["accuracy"]).replace("%", ""),
    ]


def test_the_tables_of_a_page(measured, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n\n{BEGIN}stale\n{END}\nAfter.\n", encoding="utf-8")
    arguments = ("--results", measured, "--output", tmp_path / "cards", "--page", page)
    assert "page.md" in run("model_cards", "--check", *arguments).stderr
    (tmp_path / "cards").mkdir()
    assert run("model_cards", *arguments).returncode == 0
    assert run("model_cards", "--check", *arguments).returncode == 0
    before, *tables, after = page.read_text(encoding="utf-8").replace(BEGIN, "").replace(END, "").splitlines()
    assert (before, after) == ("Before.", "After.")
    scores = json.loads((measured / "two-heads.json").read_text())["scores"]
    accuracy = scores["flip-averaged"]["heads"]["ferplus"]["scores"]["accuracy"]["value"]
    (row,) = [line for line in tables if "| `ferplus` |" in line]
    assert f"**{100 * accuracy:.1f}**" in row
    page.write_text("Before.\n", encoding="utf-8")
    assert "has no place for the tables" in run("model_cards", *arguments).stderr
    assert page.read_text(encoding="utf-8") == "Before.\n"


def test_drift_is_found(cards, measured, tmp_path):
    arguments = ("--check", "--results", measured, "--output")
    assert run("model_cards", *arguments, cards).returncode == 0
    data = json.loads((measured / "two-heads.json").read_text())
    page = f"{data['model']['name']}.md"
    copy = tmp_path / "cards"
    copy.mkdir()
    for path in cards.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / page).write_text((copy / page).read_text().replace("Licence", "License"))
    done = run("model_cards", *arguments, copy)
    assert (done.returncode, str(copy / page) in done.stderr) == (1, True)

    changed = tmp_path / "results"
    changed.mkdir()
    data["robustness"]["heads"]["ferplus"]["changed"]["noise"]["difference"]["value"] -= 0.01
    (changed / "two-heads.json").write_text(json.dumps(data))
    done = run("model_cards", "--check", "--results", changed, "--output", cards)
    assert (done.returncode, "-robustness.svg" in done.stderr, "-reliability.svg" in done.stderr) == (1, True, False)


def test_parts_of_other_models_are_not_mixed(measured, tiny_model_path, drawn_corpus):
    done = run("measure_model", tiny_model_path, drawn_corpus, "--only", "speed", "-o", measured / "two-heads.json")
    assert done.returncode == 2
    assert done.stderr.startswith("measure_model: ")
    assert "another model file, corpus or split" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_measured(tiny_model_path, drawn_corpus, tmp_path):
    output = tmp_path / "out.json"
    done = run("measure_model", tiny_model_path, drawn_corpus, "--split", "tset", "--only", "speed", "-o", output)
    assert done.returncode == 2
    assert "no split 'tset'" in done.stderr
    output.write_text("not JSON")
    done = run("measure_model", tiny_model_path, drawn_corpus, "--only", "speed", "-o", output)
    assert done.returncode == 2
    assert f"{output} is no JSON that this script wrote" in done.stderr
    assert output.read_text() == "not JSON"


@pytest.mark.slow
def test_speed(tiny_model_path, drawn_corpus, tmp_path):
    done = run("measure_model", tiny_model_path, drawn_corpus, "--only", "speed", "-o", tmp_path / "speed.json")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "speed.json").read_text())
    speed = data["speed"]
    cores = speed["measured"]["cores"]
    assert [one["threads"] for one in speed["by_threads"]] == [1, 2][:cores]
    assert all(one["one_face_ms"] > 0 and one["faces_per_second"] > 0 for one in speed["by_threads"])
    assert "scores" not in data
