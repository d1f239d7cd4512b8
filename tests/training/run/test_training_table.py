"""Every line of the table in docs/training.md, run for two steps."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.training.run.command import train

DOCUMENT = Path(__file__).parents[3] / "docs" / "training.md"
NEEDS_GPU = ": 16-mixed"


def rows():
    """What the table promises, by its first column: the config lines of the second."""
    found = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| ") else []
        if len(cells) == 2 and cells[1].rstrip(" |") and not cells[1].startswith(("config lines", "`torchrun")):
            lines = re.findall(r"`([\w.]+: [^`]+)`", cells[1])
            if lines:
                found[cells[0]] = lines
    return found


@pytest.fixture(scope="module")
def corpus(drawn_corpus, tmp_path_factory):
    """The drawn corpus, with two columns of numbers more."""
    table = pq.read_table(drawn_corpus)
    numbers = [(row % 21) / 10 - 1 for row in range(len(table))]
    for name in ("valence", "arousal"):
        table = table.append_column(name, pa.array(numbers, pa.float32()))
    path = tmp_path_factory.mktemp("corpus") / "with-columns.parquet"
    pq.write_table(table, path)
    return path


def test_the_table_is_read():
    assert len(rows()) > 75


def _parameter(name, lines):
    # Compiling takes half a minute.
    marks = [pytest.mark.slow] if "model.compile_network: true" in lines else []
    return pytest.param(lines, id=name, marks=marks)


@pytest.mark.parametrize("lines", [_parameter(name, lines) for name, lines in rows().items()])
def test_a_line_of_the_table(lines, corpus, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Drawing takes as long as all the rest, and has its own tests.
    monkeypatch.setattr("kaoiro.training.run.history.save_curves", lambda *_: None)
    options = [f"--{key}={value}" for key, value in (line.split(": ", 1) for line in lines)]
    if not any(line.startswith("model.size:") for line in lines):
        options.insert(0, "--model.size=16")
    arguments = [
        f"--data.corpus={corpus}",
        "--data.batch_size=35",
        "--trainer.max_epochs=1",
        "--trainer.limit_train_batches=2",
        "--trainer.limit_val_batches=1",
        "--run=run",
        *options,
    ]
    if any(NEEDS_GPU in line for line in lines) and not torch.cuda.is_available():
        with pytest.raises(InputError, match="which CPUs cannot do"):
            train(arguments)
        return
    assert (train(arguments) / "last.ckpt").is_file()
