"""What `torchrun` tells the processes that it starts, and what the Trainer has to know of it."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from kaoiro.errors import InputError


@dataclass(frozen=True)
class Launch:
    """One process's place among those that `torchrun` started.

    Args:
        job: identifies the job, the same in all processes and after each restart.
        rank: number of this process among all, from 0.
        local_rank: its number on this machine, from 0.
        processes: how many there are in all.
        local_processes: how many there are on this machine.
        restarts: how often `torchrun` has started the job again.
        max_restarts: how often it may.
    """

    job: str
    rank: int
    local_rank: int
    processes: int
    local_processes: int
    restarts: int
    max_restarts: int


def current_launch() -> Launch | None:
    """This process's place, or None where `torchrun` did not start it.

    >>> current_launch() is None
    True
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return Launch(
        job=os.environ["TORCHELASTIC_RUN_ID"],
        rank=int(os.environ["RANK"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
        processes=int(os.environ["WORLD_SIZE"]),
        local_processes=int(os.environ["LOCAL_WORLD_SIZE"]),
        restarts=int(os.environ["TORCHELASTIC_RESTART_COUNT"]),
        max_restarts=int(os.environ["TORCHELASTIC_MAX_RESTARTS"]),
    )


def trainer_settings_from_launcher(given: Mapping[str, Any], timeout: timedelta) -> dict[str, Any]:
    """Settings of Lightning's Trainer that follow from the launch; one device where `torchrun` started nothing.

    Gradients are averaged by DistributedDataParallel, over gloo on CPUs and over NCCL on GPUs.

    Args:
        given: the Trainer's settings so far; `auto`, None and `num_nodes: 1` leave the choice open.
        timeout: how long a process waits for the others before the run counts as lost.

    Returns:
        `accelerator`, `devices`, `num_nodes` and `strategy`, to be put over `given`.

    Raises:
        InputError: a setting contradicts the launch, or the machine has too few GPUs.
    """
    launch = current_launch()
    if launch is None:
        return _single_process(given)
    nodes, uneven = divmod(launch.processes, launch.local_processes)
    if uneven or given.get("num_nodes") not in (None, 1, nodes):
        raise InputError(
            f"torchrun started {launch.processes} processes, {launch.local_processes} of them on this machine, which "
            f"does not fit trainer.num_nodes={given.get('num_nodes')}; leave that out, and start equally many on each"
        )
    return {
        "accelerator": _accelerator(given, launch),
        "devices": _devices(given, launch),
        "num_nodes": nodes,
        "strategy": _strategy(given, launch, timeout),
    }


def _single_process(given: Mapping[str, Any]) -> dict[str, Any]:
    devices = given.get("devices")
    if devices in (None, "auto", -1, "-1", 1, "1") or (isinstance(devices, list) and len(devices) == 1):
        return {} if isinstance(devices, list) else {"devices": 1}
    if isinstance(devices, str) and "," in devices and len([d for d in devices.split(",") if d]) == 1:
        return {}
    raise InputError(
        f"trainer.devices is {devices!r}, but this is one process; start one for each device: "
        "torchrun --nproc-per-node=2 -m kaoiro train …"
    )


def _accelerator(given: Mapping[str, Any], launch: Launch) -> Any:
    accelerator = given.get("accelerator") or "auto"
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator in ("cuda", "gpu") and 0 < torch.cuda.device_count() < launch.local_processes:
        raise InputError(
            f"torchrun started {launch.local_processes} processes on this machine, which has "
            f"{torch.cuda.device_count()} GPU(s); give --nproc-per-node={torch.cuda.device_count()}, or train on the "
            "CPU with --trainer.accelerator=cpu"
        )
    if accelerator == "cpu" and given.get("sync_batchnorm") and launch.processes > 1:
        raise InputError(
            "trainer.sync_batchnorm is true, but torch's SyncBatchNorm works on GPUs only; leave it out, or keep the "
            "statistics of BatchNorm frozen"
        )
    return accelerator


def _devices(given: Mapping[str, Any], launch: Launch) -> Any:
    devices = given.get("devices")
    if devices in (None, "auto", -1, "-1"):
        return launch.local_processes
    chosen = devices.split(",") if isinstance(devices, str) and "," in devices else devices
    count = len(chosen) if isinstance(chosen, list) else int(chosen)
    if count != launch.local_processes:
        raise InputError(
            f"trainer.devices is {devices!r}, but torchrun started {launch.local_processes} processes on this "
            "machine, one for each device; leave trainer.devices out"
        )
    return devices


def _strategy(given: Mapping[str, Any], launch: Launch, timeout: timedelta) -> Any:
    strategy = given.get("strategy") or "auto"
    if strategy not in ("auto", "ddp"):
        name = strategy if isinstance(strategy, str) else type(strategy).__name__
        if any(part in name.lower() for part in ("spawn", "fork", "notebook", "single", "dataparallelstrategy")):
            raise InputError(
                f"trainer.strategy is {name!r}, which does not fit the {launch.processes} processes that torchrun "
                "started; leave it out, or give ddp"
            )
        return strategy
    if launch.processes == 1:
        return "auto"
    from kaoiro.training.processes.restartable_ddp import RestartableDDPStrategy

    return RestartableDDPStrategy(timeout=timeout)


def tell_launcher(line: str) -> None:
    """Leave a line where `torchrun` looks for the reason when this process ends with an error."""
    target = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if target:
        reason = {"message": line, "extraInfo": {"py_callstack": line, "timestamp": str(int(time.time()))}}
        Path(target).write_text(json.dumps({"message": reason}))
