import json
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.training.run.environment import RunRecord, git_state, kept_variables, run_record


def git(folder, *arguments):
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--initial-branch=trunk")
    return folder


def test_this_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    record = run_record()
    assert json.loads(json.dumps(record)) == record
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["threads"]["within_an_operation"] == torch.get_num_threads()
    assert record["folder"] == str(tmp_path)
    assert record["git"] is None
    assert Path(sys.orig_argv[0]).name in record["command"]


def test_no_secrets(monkeypatch):
    given = {"OMP_NUM_THREADS": "1", "MKL_VERBOSE": "0", "RANK": "1", "TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2"}
    secret = {"API_TOKEN": "s3cret", "AWS_SECRET": "s3cret", "MLFLOW_PASSWORD": "s3cret", "HOME": "/home/somebody"}
    assert kept_variables(secret | given) == dict(sorted(given.items()))
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    assert "s3cret" not in json.dumps(run_record())


def test_a_repository(repository):
    assert git_state(repository) == {"commit": None, "branch": "trunk", "changed": 0}
    (repository / "a.py").write_text("one")
    assert git_state(repository)["changed"] == 1
    git(repository, "add", "a.py")
    git(repository, "commit", "--message=First")
    state = git_state(repository)
    head = (repository / ".git" / "refs" / "heads" / "trunk").read_text().strip()
    assert state == {"commit": head, "branch": "trunk", "changed": 0}
    (repository / "a.py").write_text("two")
    assert git_state(repository) == {**state, "changed": 1}
    git(repository, "checkout", "--detach")
    assert git_state(repository)["branch"] is None


def test_without_git(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(repository) is None


class Begun:
    """What a callback sees of a training that begins."""

    current_epoch, world_size, precision = 3, 1, "bf16-mixed"


def begin(folder):
    RunRecord(folder).on_train_start(Begun(), L.LightningModule())
    return json.loads((folder / "environment.json").read_text())


def test_every_start_is_kept(tmp_path):
    first = begin(tmp_path / "run")
    assert len(first) == 1
    assert first[0]["epoch"] == 3
    assert (first[0]["processes"], first[0]["device"], first[0]["precision"]) == (1, "cpu", "bf16-mixed")
    second = begin(tmp_path / "run")
    assert len(second) == 2
    assert second[0] == first[0]


@pytest.mark.parametrize("content", ["{", '{"a": 1}'])
def test_a_damaged_record_is_not_written_over(tmp_path, content):
    (tmp_path / "environment.json").write_text(content)
    with pytest.raises(InputError, match="move it away"):
        begin(tmp_path)
    assert (tmp_path / "environment.json").read_text() == content
