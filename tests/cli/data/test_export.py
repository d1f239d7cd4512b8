import numpy as np
import pytest
from typer.testing import CliRunner

from kaoiro.cli.data import data_app
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(data_app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run


@pytest.fixture
def save_picture(tmp_path):
    def save(name):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encode_png(np.zeros((4, 4), np.uint8)))

    return save


def test_export_and_import_again(run, drawn_corpus, tmp_path):
    result = run("export", drawn_corpus, tmp_path / "out")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path}/out: 280 faces, listed in faces.csv\n"
    assert result.stderr == ""
    assert run("import", tmp_path / "out", "-o", tmp_path / "c.parquet").exit_code == 0
    assert open_corpus(tmp_path / "c.parquet").table.equals(open_corpus(drawn_corpus).table)
    with pytest.raises(CorpusError, match="out is not empty; give a new folder"):
        run("export", drawn_corpus, tmp_path / "out")
    with pytest.raises(CorpusError, match="does not exist"):
        run("export", tmp_path / "nothing.parquet", tmp_path / "new")


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("majority", ["happiness", "fear"]),
        ("clear-majority", ["happiness", None]),
        ("plurality", ["happiness", "fear"]),
    ],
)
def test_labels_from_votes(run, tmp_path, save_picture, rule, labels):
    save_picture("a.png")
    votes = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    # the second face has five of eight votes once the single ones are dropped
    rows = ["a.png,sad,0,9,1,0,0,0,0,0,0,0", "a.png,sad,3,0,0,1,1,0,5,0,0,0", "a.png,sad,,,,,,,,,,"]
    (tmp_path / "list.csv").write_text("\n".join([f"path,label,{votes}", *rows]))
    result = run("import", tmp_path / "list.csv", "-o", tmp_path / "c.parquet", "--votes-as-label", rule)
    assert result.exit_code == 0
    corpus = open_corpus(tmp_path / "c.parquet")
    assert corpus.labels() == [*labels, None]
    without = 1 + labels.count(None)
    assert result.stderr == f"--votes-as-label {rule} gives no label to {without} of 3 faces\n"
    assert corpus.votes().sum(axis=1).tolist() == [10, 10, 0]


def test_labels_from_votes_that_are_not_there(run, tmp_path, save_picture):
    save_picture("in/happy/a.png")
    for rule, message in (
        ("majority", "in has no votes, and --votes-as-label majority"),
        ("most", "'most' is not one of"),
    ):
        with pytest.raises(CorpusError, match=message):
            run("import", tmp_path / "in", "-o", tmp_path / "c.parquet", "--votes-as-label", rule)
    assert not (tmp_path / "c.parquet").exists()


def test_votes_without_labels_are_pointed_out(run, tmp_path, save_picture):
    save_picture("a.png")
    votes = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    (tmp_path / "list.csv").write_text(f"path,{votes}\na.png,0,9,1,0,0,0,0,0,0,0\n")
    result = run("import", tmp_path / "list.csv", "-o", tmp_path / "c.parquet")
    assert "no labels; --votes-as-label majority takes labels from the votes" in result.stderr
