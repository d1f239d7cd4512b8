import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.training.run.checkpoint_files import WholeCheckpoints, remove_partial_files


def test_what_is_written_is_read(tmp_path):
    files, path = WholeCheckpoints(), tmp_path / "run" / "last.ckpt"
    files.save_checkpoint({"numbers": torch.arange(5)}, path)
    assert torch.equal(files.load_checkpoint(path, weights_only=True)["numbers"], torch.arange(5))
    assert [entry.name for entry in path.parent.iterdir()] == ["last.ckpt"]


def test_a_failed_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    files, path = WholeCheckpoints(), tmp_path / "last.ckpt"
    files.save_checkpoint({"epoch": 1}, path)

    def broken(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(InputError, match=r"cannot write .*last\.ckpt.*No space left"):
        files.save_checkpoint({"epoch": 2}, path)
    monkeypatch.undo()
    assert files.load_checkpoint(path, weights_only=True) == {"epoch": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]


KILLED_WHILE_WRITING = """
    import os, signal, sys
    from pathlib import Path
    import torch
    from kaoiro.training.run.checkpoint_files import WholeCheckpoints

    def half(content, file):
        file.write(b"half of it")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    torch.save = half
    WholeCheckpoints().save_checkpoint({"epoch": 2}, Path(sys.argv[1]))
"""


def test_a_process_killed_while_it_writes(tmp_path):
    files, path = WholeCheckpoints(), tmp_path / "last.ckpt"
    files.save_checkpoint({"epoch": 1}, path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = textwrap.dedent(KILLED_WHILE_WRITING)
    killed = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert files.load_checkpoint(path, weights_only=True) == {"epoch": 1}
    remove_partial_files(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]
