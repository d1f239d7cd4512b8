import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import kaoiro
import kaoiro.corpus
from kaoiro.cli.data import data_app
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError, MissingExtraError

ROW = "3," + " ".join(["128"] * 48 * 48) + ",Training"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{ROW}\n{ROW}\n")
    return path


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(data_app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run


def test_import(run, source, tmp_path):
    result = run("import", source, "-o", tmp_path / "c.parquet")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path}/c.parquet: 2 faces (train 2)\n"
    assert result.stderr == ""


def test_import_with_a_bad_row(run, source, tmp_path):
    source.write_text(source.read_text() + "9,1,Training\n")
    result = run("import", source, "-o", tmp_path / "c.parquet")
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path}/c.parquet: 2 faces (train 2)\n"
    assert result.stderr.splitlines() == [
        f"{source}:4: the emotion '9' is not one of 0 to 6",
        "left out, as reported above: 1",
    ]


def test_skip_unknown(run, tmp_path):
    for folder in ("happy", "[red]holiday"):  # what looks like markup is printed as it is
        (tmp_path / "in" / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "in" / folder / "a.png")
    with pytest.raises(CorpusError, match="holiday"):
        run("import", tmp_path / "in", "-o", tmp_path / "c.parquet")
    result = run("import", tmp_path / "in", "-o", tmp_path / "c.parquet", "--skip-unknown")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path}/c.parquet: 1 faces (no split 1)\n"
    assert f"left out the folder '{tmp_path}/in/[red]holiday'" in result.stderr


def test_an_unusable_source_is_an_input_error(run, tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        run("import", tmp_path / "nothing", "-o", tmp_path / "c.parquet")


def test_bad_usage(run, source):
    assert run("import", source).exit_code == 2


def test_without_pyarrow(run, source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    # The import that fails makes a new `kaoiro.corpus`; the one that other tests use comes back afterwards.
    monkeypatch.setattr(kaoiro, "corpus", sys.modules["kaoiro.corpus"])
    for module in [name for name in sys.modules if name.startswith("kaoiro.corpus")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MissingExtraError, match=r"kaoiro data needs pyarrow; .*pip install 'kaoiro\[train\]'"):
        run("import", source, "-o", tmp_path / "c.parquet")


def test_synthetic_draws_a_corpus_that_opens(run, tmp_path):
    target = tmp_path / "drawn.parquet"
    result = run("synthetic", "-o", target, "--train", 14, "--validation", 7, "--test", 0)
    assert result.exit_code == 0
    assert result.stdout == f"{target}: 21 faces (train 14, validation 7, test 0)\n"
    assert open_corpus(target).splits() == {"train": 14, "validation": 7}
