"""What a run ran on: versions, machine, command, the state of the code; kept in the run's folder."""

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, reported_writing
from kaoiro.parallel import available_cores

FILE_NAME: Final = "environment.json"

_PACKAGES: Final = (
    "kaoiro",
    "lightning",
    "torchvision",
    "torchmetrics",
    "timm",
    "numpy",
    "pyarrow",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "jsonargparse",
)
_VARIABLES: Final = frozenset(
    {
        "CUDA_VISIBLE_DEVICES",
        "GROUP_RANK",
        "GROUP_WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
        "RANK",
        "ROLE_NAME",
        "ROLE_RANK",
        "ROLE_WORLD_SIZE",
        "WORLD_SIZE",
    }
)
_PREFIXES: Final = ("OMP_", "MKL_", "TORCHELASTIC_")
_GIT_SECONDS: Final = 10


def run_record() -> dict[str, Any]:
    """Everything about this process that may matter when its results are compared with another's.

    Of the environment's variables only those of threads, devices and torchrun are kept, so that no secret gets in.

    Returns:
        What `json.dumps` takes: `started` (UTC), `command`, `folder`, `host`, `versions`, `platform`, `cpu`, `gpus`,
        `threads`, `environment` and `git` (None outside a repository, or without git).
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "folder": str(Path.cwd()),
        "host": platform.node(),
        "versions": _versions(),
        "platform": platform.platform(),
        "cpu": {"name": _cpu_name(), "cores": os.cpu_count(), "usable": available_cores()},
        "gpus": _gpus(),
        "threads": {
            "within_an_operation": torch.get_num_threads(),
            "between_operations": torch.get_num_interop_threads(),
        },
        "environment": kept_variables(os.environ),
        "git": git_state(Path.cwd()),
    }


def kept_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of the environment's variables that a record keeps, in the order of their names."""
    kept = (name for name in environment if name in _VARIABLES or name.startswith(_PREFIXES))
    return {name: environment[name] for name in sorted(kept)}


def git_state(folder: Path) -> dict[str, Any] | None:
    """The state of the repository that a folder lies in; None where there is none, or no git.

    Returns:
        `commit` (None before the first one), `branch` (None where no branch is checked out) and `changed`, the
        number of files that differ from the commit, new ones included.
    """
    status = _git(folder, "status", "--porcelain")
    if status is None:
        return None
    return {
        "commit": _git(folder, "rev-parse", "--verify", "--quiet", "HEAD"),
        "branch": _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD"),
        "changed": len(status.splitlines()),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            # Without the lock: a record must not disturb a git that is at work in the same folder.
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _gpus() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        {"name": gpu.name, "memory_gib": round(gpu.total_memory / 2**30, 1), "cuda": torch.version.cuda}
        for gpu in found
    ]


class RunRecord(Callback):
    """Write `environment.json` into the run's folder: a list with a record for each time the run was begun or resumed.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    @rank_zero_only
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        record = run_record() | {
            "epoch": trainer.current_epoch,
            "processes": trainer.world_size,
            "device": str(pl_module.device),
            "precision": str(trainer.precision),
        }
        records = [*self._earlier(), record]
        with reported_writing(self.path), atomic_path(self.path) as path:
            path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _earlier(self) -> list[Any]:
        if not self.path.exists():
            return []
        try:
            records = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read {str(self.path)!r}, to which this run is added; move it away") from error
        if not isinstance(records, list):
            raise InputError(f"{str(self.path)!r}, to which this run is added, holds no list of runs; move it away")
        return records
