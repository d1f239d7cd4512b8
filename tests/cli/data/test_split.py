import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from kaoiro.cli.data import data_app
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import InputError
from kaoiro.expressions import Expression


@pytest.fixture
def run(tmp_path):
    """Split a corpus of 40 faces, of which one in `test` is a copy of one in train."""
    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    pictures[39] = pictures[0]
    faces = [
        LabelledFace(encode_png(picture), "a.png", f"x:{row}", Expression.FEAR, None, "train" if row < 30 else "test")
        for row, picture in enumerate(pictures)
    ]
    write_corpus(tmp_path / "c.parquet", faces)

    def run(*arguments):
        command = ["split", tmp_path / "c.parquet", "-o", tmp_path / "new.parquet", "--no-near-duplicates", *arguments]
        return CliRunner().invoke(data_app, [str(argument) for argument in command], catch_exceptions=False)

    return run


def splits_of(path):
    return Counter(open_corpus(path).table["split"].to_pylist())


def cells(result):
    return [line.replace("│", " ").split() for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "ratios", [["--ratios", "0.6", "0.2", "0.2"], ["--ratios=0.6,0.2,0.2"], ["--ratios", "3/5", "1/5", ".2"]]
)
def test_three_ratios(run, tmp_path, ratios):
    result = run(*ratios, "--anew", "--seed", "3")
    assert result.exit_code == 0
    assert splits_of(tmp_path / "new.parquet") == {"train": 24, "validation": 8, "test": 8}
    assert ["fear", "24", "60.00", "+0.00", "8", "20.00", "+0.00", "8", "20.00", "+0.00"] in cells(result)
    assert "kept together: 1 groups of several faces; the largest has 2\n" in result.stdout
    assert result.stdout.endswith(f"{tmp_path}/new.parquet: 40 faces (train 24, validation 8, test 8)\n")


def test_two_ratios_make_no_test_split(run, tmp_path):
    run("--ratios", "0.75", "0.25", "--anew")
    assert splits_of(tmp_path / "new.parquet") == {"train": 30, "validation": 10}


def test_its_own_test_split_is_kept_and_leaks_are_told(run, tmp_path):
    result = run()
    assert splits_of(tmp_path / "new.parquet") == {"train": 27, "validation": 3, "test": 10}
    assert "kept as they are: the corpus's own test; --anew divides all faces" in result.stdout
    assert "leaks: 1 face of train tied to test\n" in result.stdout
    assert "--drop-leaks leaves them out" in result.stdout
    result = run("--drop-leaks")
    assert "leaks: 1 face of train tied to test, left out\n" in result.stdout
    assert result.stdout.endswith(f"{tmp_path}/new.parquet: 39 faces (train 26, validation 3, test 10)\n")


def test_folds_and_json(run, tmp_path):
    result = run("--folds", "3", "--json", tmp_path / "counts.json")
    assert ["fear", "10", "10", "0.00"] in cells(result)
    table = open_corpus(tmp_path / "new.parquet").table
    assert Counter(table["fold"].to_pylist()) == {0: 10, 1: 10, 2: 10, None: 10}
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert (counts["faces"], counts["dropped"], counts["seed"]) == (40, 0, 0)
    assert counts["leaks"] == [{"split": "train", "tied_to": "test", "faces": 1}]
    assert counts["splits"]["test"]["classes"]["fear"] == {"faces": 10, "share": None, "points_off": None}
    assert counts["folds"]["fold 2"]["classes"]["fear"] == {"faces": 10, "share": 1 / 3, "points_off": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "{}/c.parquet"], "--json .*c.parquet is the corpus itself"),
        (["-o", "{}/c.parquet"], "--output .*c.parquet is the corpus itself"),
        (["--json", "{}/new.parquet"], "--output and --json would both be written to"),
        (["--ratios", "0.8", "0.1", "x"], "--ratios 0.8 0.1 x: these are not all numbers"),
        (["--ratios", "x", "0.8", "0.2", "--anew"], "--ratios x 0.8 0.2: these are not all numbers"),
    ],
)
def test_what_cannot_be_is_refused(run, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(*(option.format(tmp_path) for option in options))
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
    assert len(open_corpus(tmp_path / "c.parquet")) == 40


def test_the_corpus_may_follow_the_ratios(run, tmp_path):
    options = ["--anew", "-o", tmp_path / "new.parquet", "--no-near-duplicates", "--ratios", "0.5", "0.5"]
    arguments = [str(argument) for argument in ("split", *options, tmp_path / "c.parquet")]
    assert CliRunner().invoke(data_app, arguments, catch_exceptions=False).exit_code == 0
    assert splits_of(tmp_path / "new.parquet") == {"train": 20, "validation": 20}


def test_splits_that_got_nothing_are_named(run, tmp_path):
    assert (
        "no splits were made: the ratios give all that was to be divided to train" in run("--ratios", "1", "0").stdout
    )
    faces = [
        LabelledFace(encode_png(np.full((8, 8), n, np.uint8)), "a", f"x:{n}", None, group="film") for n in range(4)
    ]
    write_corpus(tmp_path / "c.parquet", faces)
    line = "validation and test got no faces: there were 4 to divide, and the largest group has 4\n"
    assert line in run().stdout
    write_corpus(tmp_path / "c.parquet", [LabelledFace(encode_png(np.eye(8, dtype=np.uint8)), "a", "x:0", None)])
    assert "validation and test got no faces: there were 1 to divide\n" in run().stdout


@pytest.mark.parametrize("ratios", [["--ratios", "0.8"], ["--ratios", "0.8", "0.1"], ["--ratios", "--anew"]])
def test_bad_ratios(run, tmp_path, ratios):
    with pytest.raises(InputError, match="ratios"):
        run(*ratios)
    assert not (tmp_path / "new.parquet").exists()


def test_bad_usage(run):
    assert run("--folds", "1").exit_code == 2
