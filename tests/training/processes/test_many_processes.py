"""`torchrun … -m kaoiro train`, with real processes."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from kaoiro.corpus.store import open_corpus
from kaoiro.training.run.command import train
from kaoiro.training.weights.checkpoint import load_checkpoint

_TESTS = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path])}
_TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")

_HEADS = "--model.heads={fer2013: {target: label}, ferplus: {target: votes}}"
_NOTHING_RANDOM = (
    "--model.dropout=0",
    "--model.augmentation={rotation: 0, scale: 0, shift: 0, shear: 0, flip: 0, brightness: 0, contrast: 0, erasing: 0, "
    "mixup: 0}",
    "--freeze_statistics=true",
    "--ema_decay=0",
    "--model.optimizer={class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}}",
)


def _options(corpus, run, epochs, batch_size, *more):
    size = ("--model.size=16", f"--data.batch_size={batch_size}", f"--trainer.max_epochs={epochs}")
    return [f"--data.corpus={corpus}", f"--run_folder={run}", *size, *more]


def _torchrun(arguments, launcher=_TWO):
    done = subprocess.run(
        [*launcher, "-m", "kaoiro", "train", *arguments], env=_ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


def _said(text):
    return [line for line in text.splitlines() if line.startswith("kaoiro: ")]


def _weights(run):
    return torch.load(run / "last.ckpt", weights_only=True)["state_dict"]


def _same_bits(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _files(run):
    """The files of a run; the log's name has the time and the process in it."""
    return sorted(re.sub(r"tfevents.*", "tfevents", str(path.relative_to(run))) for path in run.rglob("*"))


class _Pair:
    """The same training in one process and in two, with the same faces in each step."""

    EPOCHS = 3

    def __init__(self, corpus, folder):
        self.one, self.two = folder / "one", folder / "two"
        recorded = ("--trainer.callbacks=recorded_steps.RecordedSteps", "--data.drop_last=false")
        common = (_HEADS, *_NOTHING_RANDOM, *recorded)
        train(
            _options(corpus, self.one, self.EPOCHS, 16, *common, f"--trainer.callbacks.folder={folder / 'steps-one'}")
        )
        self.code, self.printed, self.warned = _torchrun(
            _options(corpus, self.two, self.EPOCHS, 8, *common, f"--trainer.callbacks.folder={folder / 'steps-two'}")
        )
        self.steps_of_one = json.loads((folder / "steps-one/0.json").read_text())
        self.steps_of_two = [json.loads((folder / f"steps-two/{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def pair(one_thread, drawn_corpus, tmp_path_factory):
    return _Pair(drawn_corpus, tmp_path_factory.mktemp("pair"))


def test_two_processes_follow_the_curve_of_one(pair):
    assert pair.code == 0, pair.warned
    one = np.array([step["loss"] for step in pair.steps_of_one])
    two = np.array([[step["loss"] for step in steps] for steps in pair.steps_of_two])
    assert len(one) >= 20
    # Each process sees other faces, so that its own loss is another.
    assert np.abs(two[0] - two[1]).mean() > 1e-3
    np.testing.assert_allclose(two.mean(axis=0), one, atol=1e-4)
    # The loss went down: equal curves of a network that learns nothing would be worth little.
    assert one[-5:].mean() < one[:5].mean() - 0.05
    one, two = _weights(pair.one), _weights(pair.two)
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-4, rtol=0)


def test_every_face_is_seen_once_an_epoch(pair, drawn_corpus):
    for epoch in range(pair.EPOCHS):
        by_rank = [
            [face for step in steps if step["epoch"] == epoch for face in step["faces"]] for steps in pair.steps_of_two
        ]
        in_one = [face for step in pair.steps_of_one if step["epoch"] == epoch for face in step["faces"]]
        assert len(in_one) == len(open_corpus(drawn_corpus).select("train").label_indices())
        assert Counter(by_rank[0] + by_rank[1]) == Counter(in_one)
    # Step by step they are the same faces, too.
    for together, *apart in zip(pair.steps_of_one, *pair.steps_of_two, strict=True):
        assert sorted(together["faces"]) == sorted(apart[0]["faces"] + apart[1]["faces"])


def test_metrics_count_each_validation_face_once(pair, drawn_corpus):
    corpus = open_corpus(drawn_corpus).select("validation")
    trained = load_checkpoint(pair.two / "last.ckpt")
    faces = torch.from_numpy(corpus.decode_faces(trained.size, trained.channels)).float()
    with torch.no_grad():
        answers = trained.classifier(faces)["fer2013"].argmax(1).numpy()
    with (pair.two / "history.csv").open() as file:
        *_, last = csv.DictReader(file)
    labels = corpus.label_indices()
    right = (answers == labels).sum()
    assert float(last["validation/fer2013/accuracy"]) == pytest.approx(right / len(labels), abs=1e-7)


def test_only_rank_0_writes_and_speaks(pair):
    assert _files(pair.two) == _files(pair.one)
    for epoch in range(1, pair.EPOCHS + 1):
        assert pair.printed.count(f"epoch {epoch}/{pair.EPOCHS} ") == 1
    assert pair.printed.count("the best epoch is in") == 1
    assert pair.warned == ""


def test_a_wrong_option_is_said_once(drawn_corpus, tmp_path):
    code, printed, warned = _torchrun(_options(drawn_corpus, tmp_path / "run", 1, 8, "--trainer.devices=3"))
    assert code == 1
    assert printed == ""
    (line,) = _said(warned)
    assert line.startswith("kaoiro: trainer.devices is '3', but torchrun started 2 processes on this machine")
    assert "exitcode  : 2 " in warned
    # torchrun's own report gives the reason, too.
    assert f"traceback : {line}" in warned
    assert not (tmp_path / "run").exists()


# From here on: what happens when something happens.


def _worker(agent, rank):
    """The process of a rank under torchrun; None as long as it has not begun."""
    for number in Path(f"/proc/{agent}/task/{agent}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{number}/environ").read_bytes().split(b"\0"):
            return int(number)
    return None


class _Running:
    """A training under torchrun that something can be done to."""

    def __init__(self, arguments, *launcher_options):
        self.run = next(Path(a.removeprefix("--run_folder=")) for a in arguments if a.startswith("--run_folder="))
        self.process = subprocess.Popen(
            [*_TWO, *launcher_options, "-m", "kaoiro", "train", *arguments],
            env=_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, reached):
        deadline = time.monotonic() + 200
        while not reached():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait_for_checkpoint(self):
        self.wait_until((self.run / "last.ckpt").is_file)

    def signal_worker(self, rank, number):
        self.wait_until(lambda: _worker(self.process.pid, rank) is not None)
        worker = _worker(self.process.pid, rank)
        os.kill(worker, number)
        return worker

    def end(self):
        printed, warned = self.process.communicate(timeout=200)
        return self.process.returncode, printed, warned


_linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers through /proc")
_LONG = 100_000


@pytest.fixture(scope="module")
def uninterrupted(drawn_corpus, tmp_path_factory):
    """A short run of two processes with everything random that there is."""
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    code, _, warned = _torchrun(_options(drawn_corpus, run, 6, 16))
    assert code == 0, warned
    return run


@_linux
@pytest.mark.slow
def test_a_killed_worker_ends_the_run_with_one_line(drawn_corpus, tmp_path):
    running = _Running(_options(drawn_corpus, tmp_path / "run", _LONG, 16))
    running.wait_for_checkpoint()
    killed = running.signal_worker(1, signal.SIGKILL)
    code, _, warned = running.end()
    assert code == 1
    (line,) = _said(warned)
    assert line.startswith(f"kaoiro: rank 1 (process {killed} on ")
    assert line.endswith("go on from its last checkpoint by giving the same command again with --resume")
    assert "[rank0]" not in warned


@_linux
@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_is_started_again_from_the_last_checkpoint(drawn_corpus, tmp_path, uninterrupted, rank):
    running = _Running(_options(drawn_corpus, tmp_path / "run", 6, 16), "--max-restarts=1")
    running.wait_for_checkpoint()
    running.signal_worker(rank, signal.SIGKILL)
    code, printed, warned = running.end()
    assert code == 0, warned
    (line,) = _said(warned)
    assert line.endswith("torchrun starts the run again from its last checkpoint (1 of 1)")
    # The first epoch was not done again.
    assert printed.count("epoch 1/6 ") == 1
    assert _same_bits(_weights(tmp_path / "run"), _weights(uninterrupted))


@_linux
@pytest.mark.slow
def test_a_worker_killed_before_the_first_checkpoint(drawn_corpus, tmp_path, uninterrupted):
    running = _Running(_options(drawn_corpus, tmp_path / "run", 6, 16), "--max-restarts=1")
    running.signal_worker(1, signal.SIGKILL)
    code, _, warned = running.end()
    assert code == 0, warned
    assert _same_bits(_weights(tmp_path / "run"), _weights(uninterrupted))


@_linux
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_and_going_on(drawn_corpus, tmp_path, uninterrupted, number):
    arguments = _options(drawn_corpus, tmp_path / "run", 6, 16)
    running = _Running(arguments)
    running.wait_for_checkpoint()
    # What Ctrl-C does: torchrun hands it on to its workers.
    running.process.send_signal(number)
    _, _, warned = running.end()
    (line,) = _said(warned)
    assert re.match(r"kaoiro: stopped; go on from the last .* with --resume", line)
    # None had to be killed for not stopping.
    assert "Unable to shutdown" not in warned
    code, _, warned = _torchrun([*arguments, "--resume"])
    assert code == 0, warned
    assert _same_bits(_weights(tmp_path / "run"), _weights(uninterrupted))


@_linux
@pytest.mark.slow
def test_all_processes_stop_when_one_is_told_to(drawn_corpus, tmp_path):
    running = _Running(_options(drawn_corpus, tmp_path / "run", _LONG, 16))
    running.wait_for_checkpoint()
    running.signal_worker(1, signal.SIGINT)
    code, _, warned = running.end()
    assert code == 1
    (line,) = _said(warned)
    assert line.startswith("kaoiro: stopped; ")
    assert "exitcode  : 130 " in warned


@_linux
@pytest.mark.slow
def test_a_worker_that_hangs_is_named(drawn_corpus, tmp_path):
    running = _Running(_options(drawn_corpus, tmp_path / "run", _LONG, 16, "--timeout=5"), "--shutdown-timeout=2")
    running.wait_for_checkpoint()
    hanging = running.signal_worker(1, signal.SIGSTOP)
    code, _, warned = running.end()
    assert code == 1
    (line,) = _said(warned)
    assert line.startswith(f"kaoiro: rank 1 (process {hanging} on ")
    assert "did not answer in time; the run ends here" in line


@pytest.mark.slow
def test_two_machines_compute_what_one_does(pair, drawn_corpus, tmp_path):
    options = _options(drawn_corpus, tmp_path / "run", pair.EPOCHS, 8, _HEADS, *_NOTHING_RANDOM)
    done = subprocess.run(
        ["bash", _TESTS / "training/processes/two_nodes.sh", *options, "--data.drop_last=false"],
        env={**_ENVIRONMENT, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    # Two processes on one machine did the same sums in the same order.
    assert _same_bits(_weights(tmp_path / "run"), _weights(pair.two))
    # It was gloo's, not the loopback's: each step sends the gradients over the wire.
    sent = int(re.search(r"bytes over the wire to the first machine: (\d+)", done.stdout)[1])
    assert sent > 20 * sum(4 * weight.numel() for weight in _weights(pair.two).values()) / 2
