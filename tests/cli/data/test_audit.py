import csv
import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from kaoiro.audit.audit import audit_corpus
from kaoiro.cli.data import data_app
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError, MissingExtraError
from planted import face, picture

QUICK = "labels,balance,groups,sizes,pictures,duplicates"


@pytest.fixture
def run():
    def run(*arguments):
        arguments = [str(argument) for argument in ("audit", *arguments)]
        return CliRunner().invoke(data_app, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def corpus(tmp_path):
    one = picture(1)
    blank = np.full((48, 48), 5, np.uint8)
    faces = [face(one, "train"), face(one, "test"), face(picture(2), "train"), face(blank, "train")]
    write_corpus(tmp_path / "c.parquet", faces)
    return tmp_path / "c.parquet"


def test_report_json_and_fix_in_one_go(run, corpus, tmp_path):
    outputs = {name: tmp_path / name for name in ("a.html", "a.json", "clean.parquet", "clean_dropped.csv")}
    options = ["--report", outputs["a.html"], "--json", outputs["a.json"], "--fix", outputs["clean.parquet"]]
    result = run(corpus, "--checks", QUICK, *options)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{corpus}: 4 faces\n")
    assert result.stdout.splitlines()[-4:] == [
        f"page: {outputs['a.html']}",
        f"json: {outputs['a.json']}",
        f"corpus: {outputs['clean.parquet']}: 2 faces; left out: 2",
        f"record: {outputs['clean_dropped.csv']}",
    ]
    assert json.loads(outputs["a.json"].read_text())["repairs"]["kept"] == 2
    assert outputs["a.html"].read_text().startswith("<!DOCTYPE html>")
    assert open_corpus(outputs["clean.parquet"]).splits() == {"train": 1, "test": 1}
    with outputs["clean_dropped.csv"].open(newline="") as file:
        assert [(row["row"], row["reason"]) for row in csv.DictReader(file)] == [("0", "leaks"), ("3", "blank")]


def test_without_outputs_it_prints_and_writes_nothing(run, corpus, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = run(corpus, "--checks", "duplicates")
    assert result.exit_code == 0
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in result.stdout.splitlines()]
    assert ["leaks", "1", "0"] in [[cells[0], *cells[-2:]] for cells in cells]
    assert sorted(tmp_path.iterdir()) == before


def test_repairs_and_splits_by_name(run, corpus, tmp_path):
    target = tmp_path / "clean.parquet"
    run(corpus, "--checks", "duplicates,pictures", "--fix", target, "--repairs", "blank", "--from", "test")
    assert len(open_corpus(target)) == 4
    run(corpus, "--checks", "duplicates,pictures", "--fix", target, "--repairs", "blank", "--from", "test,train")
    assert len(open_corpus(target)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checks", "duplicats"], "--checks: 'duplicats' is unknown; known are labels, balance"),
        (["--checks", ","], "names no check"),
        (["--repairs", "all"], "--repairs: 'all' is unknown"),
        (["--checks", "labels", "--repairs", "leaks"], "the repair 'leaks' needs the check 'duplicates'"),
        (["--checks", "balance", "--fix", "{folder}/x"], "--fix has nothing to do: .*--checks balance"),
        (["--from", "training"], "--from: 'training' is not a split; give one or more of train, validation, test"),
        (["--report", "{folder}/c.parquet"], "--report .*c.parquet is the corpus itself"),
        (["--fix", "{folder}/../{name}/c.parquet"], "--fix .*c.parquet is the corpus itself"),
        (["--report", "{folder}/x", "--json", "{folder}/x"], "--report and --json would both be written to"),
        (["--fix", "{folder}/x.parquet", "--json", "{folder}/x_dropped.csv"], "--json and the record of --fix would"),
        (["--json", "{folder}"], "cannot write .*: it is a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(run, corpus, tmp_path, options, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        run(corpus, *(option.format(folder=tmp_path, name=tmp_path.name) for option in options))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("unwritable", "message"),
    [
        ({"--fix": "/proc/kaoiro.parquet"}, "cannot write '/proc/kaoiro.parquet': "),
        ({"--json": "/proc/kaoiro.json"}, "cannot write '/proc/kaoiro.json': "),
    ],
)
def test_either_all_outputs_or_none(run, corpus, tmp_path, unwritable, message):
    outputs = {"--report": tmp_path / "a.html", "--json": tmp_path / "a.json", "--fix": tmp_path / "new.parquet"}
    options = [word for option in (outputs | unwritable).items() for word in option]
    with pytest.raises(InputError, match=message):
        run(corpus, "--checks", "duplicates", *options)
    assert list(tmp_path.iterdir()) == [corpus]


def test_nothing_found(run, tmp_path):
    write_corpus(tmp_path / "c.parquet", [face(picture(1), "train")])
    result = run(tmp_path / "c.parquet", "--checks", "duplicates")
    assert result.stdout.splitlines()[:2] == [f"{tmp_path}/c.parquet: 1 faces", "nothing found"]
    assert "finding" not in result.stdout


def test_what_could_not_be_judged_is_told(run, corpus):
    result = run(corpus, "--checks", "label-errors")
    assert "nothing found\nLabels that are probably wrong: " in result.stdout
    assert "and at least 100 are needed\n" in result.stdout


def test_what_is_no_corpus(run, tmp_path):
    (tmp_path / "x.parquet").write_text("no Parquet")
    for name, message in (("x.parquet", "not a readable Parquet file"), ("y.parquet", "does not exist")):
        with pytest.raises(CorpusError, match=message):
            run(tmp_path / name)


def test_without_cleanlab(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    audit = audit_corpus(corpus)
    assert "pip install 'kaoiro[audit]'" in audit.checks["label-errors"].why_not
    assert [name for name, run in audit.checks.items() if not run.made] == ["label-errors"]
    for asked in ({"checks": ["label-errors"]}, {"needed": ["label-errors"]}):
        with pytest.raises(MissingExtraError):
            audit_corpus(corpus, **asked)
