import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_model
from kaoiro.cli.data import data_app
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import InputError


@pytest.fixture
def folder(tmp_path):
    write_synthetic_corpus(tmp_path / "c.parquet", 20, validation=4, test=4, seed=1)
    tiny_model.write_tiny_model(tmp_path / "tiny.onnx")
    return tmp_path


def run(folder, *arguments):
    command = ["soft-labels", str(folder / "c.parquet"), *map(str, arguments)]
    return CliRunner().invoke(data_app, command, catch_exceptions=False)


def test_a_taught_corpus(folder):
    result = run(folder, "-o", folder / "taught.parquet", "--teacher", folder / "tiny.onnx", "--prefix", "tiny")
    assert result.exit_code == 0
    assert result.stdout == (f"{folder / 'taught.parquet'}: 28 faces, with soft labels tiny.ferplus, tiny.fer2013\n")
    assert len(open_corpus(folder / "taught.parquet").extra_columns()) == 15


def test_answers_kept_apart_give_the_same_corpus(folder):
    run(folder, "-o", folder / "taught.parquet", "--teacher", folder / "tiny.onnx")
    assert run(folder, "-o", folder / "a.parquet", "--teacher", folder / "tiny.onnx", "--only-answers").exit_code == 0
    assert run(folder, "-o", folder / "again.parquet", "--answers", folder / "a.parquet").exit_code == 0
    taught, again = (open_corpus(folder / name) for name in ("taught.parquet", "again.parquet"))
    for name in taught.extra_columns():
        assert np.array_equal(taught.column(name), again.column(name), equal_nan=True)


@pytest.mark.parametrize("sources", [[], ["--teacher", "kaoiro-s", "--answers", "a.parquet"]])
def test_either_teachers_or_answers(folder, sources):
    with pytest.raises(InputError, match="give either --teacher, once or more often, or --answers"):
        run(folder, "-o", folder / "taught.parquet", *sources)
    assert not (folder / "taught.parquet").exists()


@pytest.mark.parametrize("only", [[], ["--only-answers"]])
@pytest.mark.parametrize(
    ("output", "what"),
    [("c.parquet", "the corpus"), ("tiny.onnx", "the teacher .*tiny.onnx"), ("a.parquet", "answers")],
)
def test_what_is_read_is_not_overwritten(folder, output, what, only):
    run(folder, "-o", folder / "a.parquet", "--teacher", folder / "tiny.onnx", "--only-answers")
    sources = ["--answers", folder / "a.parquet"] if output == "a.parquet" else ["--teacher", folder / "tiny.onnx"]
    kept = (folder / output).read_bytes()
    with pytest.raises(InputError, match=f"{what} itself, and would overwrite it"):
        run(folder, "-o", folder / output, *sources, *only)
    assert (folder / output).read_bytes() == kept


@pytest.mark.parametrize("option", [["--views", "2"], ["--split", "train"], ["--prefix", "x"]])
def test_options_that_answers_have_no_use_for(folder, option):
    with pytest.raises(InputError, match=f"{option[0]} is for teachers; a file of answers has its own"):
        run(folder, "-o", folder / "taught.parquet", "--answers", folder / "a.parquet", *option)


def test_an_empty_prefix(folder):
    with pytest.raises(InputError, match="need a prefix"):
        run(folder, "-o", folder / "taught.parquet", "--teacher", folder / "tiny.onnx", "--prefix", "")
