import csv
from types import SimpleNamespace

import pytest
import torch

from kaoiro.training.run.history import History


@pytest.fixture
def run_epoch():
    """Let a history live through an epoch that ends with some figures."""

    def run(history, epoch, validated=True, **figures):
        trainer = SimpleNamespace(
            callback_metrics={name.replace("_", "/"): torch.tensor(value) for name, value in figures.items()},
            current_epoch=epoch,
            max_epochs=4,
        )
        module = SimpleNamespace(learning_rate=0.25, validated=validated)
        history.on_train_epoch_start(trainer, module)
        history.on_train_epoch_end(trainer, module)

    return run


def rows_in(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows(run_epoch, tmp_path, capsys):
    history = History(tmp_path)
    run_epoch(history, 0, train_loss=2.0, validation_loss=1.5, validation_a_accuracy=0.25, validation_accuracy=0.25)
    run_epoch(history, 1, train_loss=1.0, validation_loss=1.25, validation_a_accuracy=0.5, validation_accuracy=0.5)
    first, second = rows_in(tmp_path)
    assert (first["epoch"], first["train/loss"], first["learning_rate"]) == ("1", "2.0", "0.25")
    assert (second["epoch"], second["validation/a/accuracy"]) == ("2", "0.5")
    assert (tmp_path / "curves.png").exists()
    printed = capsys.readouterr().out.splitlines()[1]
    assert printed == "epoch 2/4  loss 1.0000  validation: loss 1.2500, accuracy a 50.00 %  (0 s, 2 to go)"


def test_going_on_from_a_checkpoint(run_epoch, tmp_path):
    history = History(tmp_path)
    run_epoch(history, 0, train_loss=2.0)
    resumed = History(tmp_path)
    resumed.load_state_dict(history.state_dict())
    run_epoch(resumed, 1, train_loss=1.0, validation_loss=3.0)  # a column that earlier rows lack
    assert [(row["train/loss"], row["validation/loss"]) for row in rows_in(tmp_path)] == [("2.0", ""), ("1.0", "3.0")]


def test_what_was_logged_in_an_earlier_epoch_is_left_out(run_epoch, tmp_path, capsys):
    history = History(tmp_path)
    run_epoch(history, 0, train_loss=2.0, validation_loss=1.5)
    run_epoch(history, 1, validated=False, train_loss=1.0, validation_loss=1.5)
    first, second = rows_in(tmp_path)
    assert (first["validation/loss"], second["validation/loss"]) == ("1.5", "")
    assert "validation: none in this epoch" in capsys.readouterr().out.splitlines()[1]


def test_heads_of_other_kinds(run_epoch, tmp_path, capsys):
    history = History(tmp_path)
    run_epoch(history, 0, train_loss=2.0, validation_loss=1.5, validation_mood_concordance=0.5)
    assert "loss 1.5000, concordance mood 0.500" in capsys.readouterr().out
