import csv
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.training.run.command import train
from kaoiro.training.weights.checkpoint import load_checkpoint
from killing import train_and_kill

PLATEAU = "kaoiro.training.optimization.schedules.ReduceLROnPlateau"
KAOIRO = [sys.executable, "-m", "kaoiro"]


@pytest.fixture
def options(drawn_corpus):
    return [f"--data.corpus={drawn_corpus}", "--data.batch_size=35", "--model.size=16", "--trainer.max_epochs=2"]


def last_state(run):
    return torch.load(run / "last.ckpt", weights_only=True)


def assert_same(one, other):
    """Compare what two checkpoints hold, to the last bit."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def assert_same_training(one, other):
    one, other = last_state(one), last_state(other)
    for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers", "global_step"):
        assert_same(one[part], other[part])
    assert_same(*(callback_states(state) for state in (one, other)))


def callback_states(state):
    """What the callbacks of a run remember, but for names of folders and times."""
    states = {}
    for name, kept in state["callbacks"].items():
        kept = {key: value for key, value in kept.items() if not key.endswith("path") and key != "dirpath"}
        if "best_k_models" in kept:
            kept["best_k_models"] = {Path(path).name: score for path, score in kept["best_k_models"].items()}
        if "rows" in kept:
            kept["rows"] = [{**row, "seconds": None, "train/loss": None} for row in kept["rows"]]
        states[name] = kept
    return states


def test_the_run_folder(trained_run):
    assert {path.name for path in trained_run.iterdir()} == {
        "best.ckpt",
        "last.ckpt",
        "config.yaml",
        "environment.json",
        "history.csv",
        "curves.png",
        "logs",
    }
    assert any(path.name.startswith("events.") for path in (trained_run / "logs").iterdir())
    with Image.open(trained_run / "curves.png") as picture:
        assert picture.format == "PNG"


def test_the_history(trained_run):
    with (trained_run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    assert all(float(row["seconds"]) > 0 for row in rows)
    for name in ("train/loss", "validation/loss", "validation/accuracy", "validation/fer2013/balanced_accuracy"):
        assert all(float(row[name]) >= 0 for row in rows)
    for row in rows:
        heads = [float(row[f"validation/{head}/accuracy"]) for head in ("fer2013", "ferplus")]
        assert float(row["validation/accuracy"]) == pytest.approx(sum(heads) / 2)


def test_the_checkpoints_say_what_they_are(trained_run):
    trained = load_checkpoint(trained_run / "last.ckpt")
    assert trained.classes == {"fer2013": SEVEN, "ferplus": EIGHT}
    assert trained.targets == {"fer2013": "label", "ferplus": "votes"}
    assert (trained.network, trained.size, trained.channels, trained.seed) == ("kaoiro-s", 16, 1, 0)
    assert (trained.epochs, trained.planned_epochs) == (2, 2)


def test_the_averaged_weights_are_the_saved_ones(trained_run):
    state = last_state(trained_run)
    name = "classifier.backbone.layers.0.0.weight"
    assert not torch.equal(state["state_dict"][name], state["current_model_state"][name])
    found = load_checkpoint(trained_run / "last.ckpt").classifier.state_dict()
    assert torch.equal(found[name.removeprefix("classifier.")], state["state_dict"][name])


def test_a_run_is_not_written_over(trained_run, options):
    before = {path: path.stat().st_mtime_ns for path in trained_run.rglob("*")}
    with pytest.raises(InputError, match="already holds a run; go on with it by --resume"):
        train([*options, f"--run={trained_run}"])
    assert {path: path.stat().st_mtime_ns for path in trained_run.rglob("*")} == before


def test_the_saved_configuration_gives_the_same_run(trained_run, tmp_path):
    config = trained_run / "config.yaml"
    assert yaml.safe_load(config.read_text())["run"] == str(trained_run)
    again = train([f"--config={config}", f"--run={tmp_path / 'again'}"])
    assert_same_training(trained_run, again)


def test_another_seed_gives_another_run(trained_run, tmp_path):
    other = train([f"--config={trained_run / 'config.yaml'}", "--seed_everything=1", f"--run={tmp_path / 'other'}"])
    name = "classifier.backbone.layers.0.0.weight"
    assert not torch.equal(last_state(other)["state_dict"][name], last_state(trained_run)["state_dict"][name])


def test_what_is_printed(options, tmp_path, capfd):
    train([*options, "--ema_decay=0", f"--run={tmp_path / 'run'}"])
    printed, warned = capfd.readouterr()
    first, *epochs, last = printed.splitlines()
    assert first == "kaoiro-s, 1.8 M parameters; 140 training faces and 70 for validation, in memory (0 MB)"
    assert len(epochs) == 2
    pattern = (
        r"epoch 2/2  loss \d\.\d{4}  validation: loss \d\.\d{4}, accuracy expression \d+\.\d\d %  \(\d+ s, 0 to go\)"
    )
    assert re.fullmatch(pattern, epochs[1])
    best = tmp_path / "run" / "best.ckpt"
    assert last == f"the best epoch is in {best}; go on with: kaoiro export {best} -o model.onnx"
    assert warned == ""


@pytest.fixture
def stopped_run(options, tmp_path):
    """A run of five epochs that gets Ctrl-C after the first: its folder, exit code and what it printed."""
    run = tmp_path / "stopped"
    process = subprocess.Popen(
        [*KAOIRO, "train", *options, "--trainer.max_epochs=5", f"--run={run}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
    )
    while process.poll() is None and not (run / "last.ckpt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    printed, warned = process.communicate(timeout=60)
    return run, process.returncode, printed, warned


def test_stopping_and_going_on(stopped_run, options, tmp_path):
    run, code, printed, warned = stopped_run
    assert code == 130
    assert warned.strip() == (
        f"kaoiro: stopped; go on from the last checkpoint by giving the same command again with --resume (run {run})"
    )
    assert "epoch 1/5" in printed
    assert "epoch 5/5" not in printed
    done = last_state(run)["kaoiro"]["epochs"]
    assert 1 <= done < 5

    five = [*options, "--trainer.max_epochs=5"]
    train([*five, f"--run={run}", "--resume"])
    whole = train([*five, f"--run={tmp_path / 'whole'}"])
    assert_same_training(run, whole)
    histories = []
    for folder in (run, whole):
        with (folder / "history.csv").open() as file:
            histories.append([{**row, "seconds": None} for row in csv.DictReader(file)])
    assert histories[0] == histories[1]
    # Resuming is not something that the run's configuration asks for.
    assert yaml.safe_load((run / "config.yaml").read_text())["resume"] is False


@pytest.fixture(scope="module")
def whole_run(drawn_corpus, one_thread, tmp_path_factory):
    """Options of a run with a checkpoint every second step, and the folder of one that nothing stopped."""
    options = [
        f"--data.corpus={drawn_corpus}",
        "--data.batch_size=20",
        "--model.size=16",
        "--model.dropout=0.5",
        "--trainer.max_epochs=3",
        "--trainer.accumulate_grad_batches=2",
        "--checkpoint_every=2",
        f"--model.schedule={{class_path: {PLATEAU}, init_args: {{patience: 0}}}}",
        "--model.warmup_steps=5",
        "--early_stopping.patience=5",
        "--keep_best=2",
    ]
    return options, train([*options, f"--run={tmp_path_factory.mktemp('whole') / 'run'}"])


@pytest.mark.parametrize(
    ("epoch", "batch", "done"),
    [
        pytest.param(1, 0, (1, 0), id="at an epoch's start"),
        pytest.param(1, 6, (1, 4), id="in mid-epoch"),
        pytest.param(1, 5, (1, 4), id="between two batches of one step"),
        pytest.param(2, None, (2, 0), id="while a checkpoint is written"),
        pytest.param(0, 1, None, id="before there is a checkpoint"),
    ],
)
def test_killed_and_resumed(whole_run, tmp_path, epoch, batch, done):
    options, whole = whole_run
    run = tmp_path / "killed"
    train_and_kill([*options, f"--run={run}"], epoch, batch)
    if done is None:
        assert not (run / "last.ckpt").exists()
    else:
        state = last_state(run)
        progress = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        assert (state["kaoiro"]["epochs"], progress["ready"] if done[1] else 0) == done
    train([*options, f"--run={run}", *(["--resume"] if done else [])])
    assert_same_training(run, whole)
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
    best = [load_checkpoint(folder / "best.ckpt") for folder in (run, whole)]
    assert_same(*(trained.classifier.state_dict() for trained in best))
    assert not list(run.glob(".*partial*"))
    histories = []
    for folder in (run, whole):
        with (folder / "history.csv").open() as file:
            histories.append([{**row, "seconds": None} for row in csv.DictReader(file)])
    for row, expected in zip(*histories, strict=True):
        assert float(row.pop("train/loss")) == pytest.approx(float(expected.pop("train/loss")), rel=1e-6)
        assert row == expected


def test_resuming_what_is_complete_changes_nothing(trained_run, tmp_path):
    before = last_state(trained_run)
    config = trained_run / "config.yaml"
    assert train([f"--config={config}", "--resume"]) == trained_run
    assert_same(last_state(trained_run), before)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--trainer.max_epochs=3", "was begun with planned_epochs 2, and now it is 3"),
        ("--model.backbone_rate=0.1", "was begun with backbone_rate 1.0, and now it is 0.1"),
        (
            "--model.optimizer={class_path: torch.optim.SGD, init_args: {lr: 0.2}}",
            "was begun with optimizer .* and now it is .*lr=0.2",
        ),
        ("--ema_decay=0", "was begun with averaged weights"),
        ("--model.size=32", "was begun with size 16, and now it is 32"),
        ("--seed_everything=1", "was begun with seed 0, and now it is 1"),
    ],
)
def test_resuming_with_other_options(trained_run, option, message):
    with pytest.raises(InputError, match=message):
        train([f"--config={trained_run / 'config.yaml'}", "--resume", option])


def test_resuming_nothing(options, tmp_path):
    with pytest.raises(InputError, match=r"cannot resume: .*last\.ckpt does not exist"):
        train([*options, f"--run={tmp_path / 'run'}", "--resume"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--nosuch=1", "unrecognized arguments: --nosuch=1"),
        ("--trainer.max_epochs=many", "trainer.max_epochs.*many"),
        ("--model.network=resnet9000", "no network 'resnet9000'; the networks are: emotionnet"),
        ("--model.heads={}", "the model has no heads"),
        ("--model.heads={a: {target: guess}}", "model.heads"),
        ("--data.batch_size=0", "batch_size must be at least 1, not 0"),
        ("--ema_decay=1", "ema_decay must be at least 0 and below 1, not 1.0"),
        ("--trainer.enable_checkpointing=false", "enable_checkpointing=False"),
        ("--keep_best=0", "keep_best must be at least 1, not 0"),
        ("--checkpoint_every=-1", "checkpoint_every must be at least 0, not -1"),
        ("--timeout=0", "timeout must be above 0 seconds, not 0"),
        (
            "--monitor=validation/happiness",
            "monitor: nothing is logged as 'validation/happiness'; there are",
        ),
        ("--early_stopping.monitor=validation/nothing", "early_stopping.monitor: nothing is logged as"),
        ("--early_stopping.patience=0", "patience must be at least 1, not 0"),
        ("--init=nosuch.ckpt", "nosuch.ckpt"),
        ("--freeze=[nosuch]", "no parameter matches 'nosuch'"),
        ("--freeze=[backbone,heads]", "everything is frozen"),
        ("--config=nothing.yaml", "File does not exist: .*nothing.yaml"),
        ("word", "unrecognized arguments: word"),
    ],
)
def test_unusable_options(options, tmp_path, option, message):
    with pytest.raises(InputError, match=message) as caught:
        train([*options, f"--run={tmp_path / 'run'}", option])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_unusable_corpora(options, tmp_path):
    with pytest.raises(CorpusError, match=r"nothing\.parquet does not exist"):
        train([*options, "--data.corpus=nothing.parquet", f"--run={tmp_path / 'run'}"])
    with pytest.raises(InputError, match=r"required: data\.corpus"):
        train([f"--run={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


def test_early_stopping(options, tmp_path, capfd):
    run = train(
        [
            *options,
            "--trainer.max_epochs=9",
            # Nothing gets better by so much.
            "--early_stopping={monitor: validation/loss, patience: 2, min_delta: 100}",
            f"--run={tmp_path / 'run'}",
        ]
    )
    printed = capfd.readouterr().out
    assert re.search(r"stopped early: validation/loss has not got better than \d\.\d{4} for 2 epochs", printed)
    assert last_state(run)["kaoiro"]["epochs"] == 3
    # A run that has stopped does not go on when it is resumed.
    train([f"--config={run / 'config.yaml'}", "--resume"])
    assert last_state(run)["kaoiro"]["epochs"] == 3


def test_the_best_epochs_are_kept(options, tmp_path):
    run = train(
        [*options, "--trainer.max_epochs=4", "--keep_best=2", "--monitor=train/loss", f"--run={tmp_path / 'run'}"]
    )
    with (run / "history.csv").open() as file:
        losses = {int(row["epoch"]): float(row["train/loss"]) for row in csv.DictReader(file)}
    best = sorted(losses, key=losses.__getitem__)[:2]
    assert {path.name for path in run.glob("epoch-*.ckpt")} == {f"epoch-{epoch:03d}.ckpt" for epoch in best}
    assert load_checkpoint(run / "best.ckpt").epochs == best[0]


def test_beginning_with_other_weights(trained_run, options, tmp_path, capfd):
    run = train(
        [
            *options,
            f"--init={trained_run / 'best.ckpt'}",
            "--model.heads={fer2013: {target: label}, other: {target: votes}}",
            "--freeze=[backbone]",
            f"--run={tmp_path / 'run'}",
        ]
    )
    printed = capfd.readouterr().out
    assert "head fer2013: all 7 outputs loaded" in printed
    assert "head other: begins afresh" in printed
    assert "M parameters frozen" in printed
    before = load_checkpoint(trained_run / "best.ckpt").classifier.state_dict()
    after = load_checkpoint(run / "last.ckpt").classifier.state_dict()
    for name, value in before.items():
        if name.startswith("backbone."):
            assert torch.equal(after[name], value)
    assert not torch.equal(after["heads.fer2013.weight"], before["heads.fer2013.weight"])


def test_fp16_on_a_cpu(options, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"trainer\.precision 16-mixed .*take bf16-mixed"):
        train([*options, "--trainer.precision=16-mixed", f"--run={tmp_path / 'run'}"])


def test_gradients_are_accumulated(options, tmp_path):
    run = train([*options, "--trainer.accumulate_grad_batches=2", f"--run={tmp_path / 'run'}"])
    # Four batches of 35 in each of two epochs.
    assert last_state(run)["global_step"] == 4


def history_of(run):
    with (run / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_epochs_without_a_validation(options, tmp_path, capfd):
    plateau = f"{{class_path: {PLATEAU}, init_args: {{patience: 0}}}}"
    run = train(
        [
            *options,
            "--trainer.max_epochs=4",
            "--trainer.check_val_every_n_epoch=2",
            "--early_stopping={monitor: validation/loss, patience: 2, min_delta: 100}",
            f"--model.schedule={plateau}",
            f"--run={tmp_path / 'run'}",
        ]
    )
    # Two validations in four epochs: not yet two without improvement.
    assert [bool(row["validation/loss"]) for row in history_of(run)] == [False, True, False, True]
    assert capfd.readouterr().out.count("validation: none in this epoch") == 2


def test_a_run_without_any_validation(options, tmp_path, capfd):
    run = train([*options, "--trainer.limit_val_batches=0", f"--run={tmp_path / 'run'}"])
    assert not (run / "best.ckpt").exists()
    assert f"the last epoch is in {run / 'last.ckpt'}" in capfd.readouterr().out
    with pytest.raises(InputError, match="limit_val_batches is 0"):
        train(
            [
                *options,
                "--trainer.limit_val_batches=0",
                "--early_stopping.patience=1",
                f"--run={tmp_path / 'other'}",
            ]
        )


def test_a_run_of_so_many_steps(drawn_corpus, tmp_path):
    corpus = [f"--data.corpus={drawn_corpus}", "--data.batch_size=70", "--model.size=16"]
    run = train([*corpus, "--trainer.max_steps=5", f"--run={tmp_path / 'run'}"])
    # Two steps an epoch: the third epoch is cut short.
    assert last_state(run)["global_step"] == 5
    assert len(history_of(run)) == 3


def test_a_diverging_run_is_told(options, tmp_path, capfd):
    sgd = "{class_path: torch.optim.SGD, init_args: {lr: 1.0e+30}}"
    options = [*options, f"--model.optimizer={sgd}", "--ema_decay=0", "--trainer.max_epochs=5"]
    run = train([*options, "--early_stopping.patience=3", f"--run={tmp_path / 'run'}"])
    assert "stopped early: validation/loss is no finite number any more" in capfd.readouterr().out
    assert len(history_of(run)) < 5


def test_a_run_in_a_folder_that_was_moved(options, tmp_path):
    run, moved = tmp_path / "run", tmp_path / "moved"
    train([*options, "--model.schedule=constant", "--trainer.max_epochs=1", f"--run={run}"])
    # As if an epoch had been the best of all that come.
    state = last_state(run)
    name = next(name for name in state["callbacks"] if "BestCheckpoint" in name)
    kept = state["callbacks"][name]
    kept["best_k_models"] = {path: torch.tensor(1.0) for path in kept["best_k_models"]}
    kept["best_model_score"] = kept["kth_value"] = kept["current_score"] = torch.tensor(1.0)
    state["kaoiro"]["planned_epochs"] = 2
    torch.save(state, run / "last.ckpt")
    before = (run / "best.ckpt").read_bytes()
    run.rename(moved)
    train([*options, "--model.schedule=constant", "--trainer.max_epochs=2", f"--run={moved}", "--resume"])
    assert len(history_of(moved)) == 2
    assert (moved / "best.ckpt").read_bytes() == before


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_run_folder_that_cannot_be_made(options, tmp_path, kind):
    (tmp_path / "file").write_text("")
    run = tmp_path / "file" if kind == "file" else tmp_path / "file" / "run"
    with pytest.raises(InputError, match="file"):
        train([*options, f"--run={run}"])


def test_the_learning_rate_in_the_history(options, tmp_path):
    run = train([*options, "--model.schedule=cosine", "--model.warmup=0", f"--run={tmp_path / 'run'}"])
    # Four steps an epoch; a row has the rate of its epoch's last step, the default's peak being 0.1.
    expected = [0.05 * (1 + math.cos(math.pi * step / 8)) for step in (3, 7)]
    assert [float(row["learning_rate"]) for row in history_of(run)] == pytest.approx(expected)
