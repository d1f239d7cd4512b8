"""Processor, memory and disk, as far as this process may use them. Figures that a system does not tell are None."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaoiro.parallel import available_cores

_INSTRUCTIONS: Final = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "bf16")
_UNLIMITED: Final = 2**60
"""Version 1 of cgroups writes a number of about 2⁶³ where there is no limit."""


@dataclass(frozen=True)
class Processor:
    """The processor.

    Attributes:
        name: its name.
        logical_cores: of the machine.
        physical_cores: of the machine.
        allowed_cores: those that this process may run on.
        quota: cores' worth of time that its control group may use.
        load: processes that ran or wanted to, of the whole machine, averaged over the last minute.
        instructions: the sets that matter here, as Linux names them.
    """

    name: str
    logical_cores: int | None
    physical_cores: int | None
    allowed_cores: int
    quota: float | None
    load: float | None
    instructions: list[str]

    @property
    def usable_cores(self) -> float:
        """What can be used at once."""
        return self.allowed_cores if self.quota is None else min(self.allowed_cores, self.quota)


@dataclass(frozen=True)
class Memory:
    """Memory, in bytes: of the machine, free to take, the control group's limit, and free in /dev/shm."""

    total: int | None
    available: int | None
    limit: int | None
    shared: int | None


@dataclass(frozen=True)
class Disk:
    """The disk of a folder, in bytes."""

    folder: str
    total: int
    free: int


def processor(cpuinfo: Path = Path("/proc/cpuinfo"), cgroups: Path = Path("/sys/fs/cgroup")) -> Processor:
    """Look at the processor."""
    lines = _lines(cpuinfo)
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]
    names = [value for key, value in pairs if key == "model name"]
    flags = {flag for key, value in pairs if key in ("flags", "Features") for flag in value.split()}
    sockets = [value for key, value in pairs if key == "physical id"]
    cores = [value for key, value in pairs if key == "core id"]
    return Processor(
        name=names[0] if names else platform.processor() or platform.machine(),
        logical_cores=os.cpu_count(),
        physical_cores=len(set(zip(sockets, cores, strict=False))) or None,
        allowed_cores=available_cores(),
        quota=_quota(cgroups),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        instructions=[name for name in _INSTRUCTIONS if name in flags],
    )


def memory(
    meminfo: Path = Path("/proc/meminfo"), cgroups: Path = Path("/sys/fs/cgroup"), shared: Path = Path("/dev/shm")
) -> Memory:
    """Look at the memory; what is available is also bounded by what the control group has left."""
    kilobytes = {key: value.split()[0] for key, _, value in (line.partition(":") for line in _lines(meminfo))}
    total = int(kilobytes["MemTotal"]) * 1024 if "MemTotal" in kilobytes else None
    available = int(kilobytes["MemAvailable"]) * 1024 if "MemAvailable" in kilobytes else None
    limit = _lowest(cgroups, "memory", ("memory.max", "memory.limit_in_bytes"), _bytes)
    used = _lowest(cgroups, "memory", ("memory.current", "memory.usage_in_bytes"), _bytes)
    if limit is not None and (total is None or limit < total) and used is not None and available is not None:
        available = min(available, max(int(limit - used), 0))
    return Memory(
        total=total,
        available=available,
        limit=int(limit) if limit is not None and (total is None or limit < total) else None,
        shared=shutil.disk_usage(shared).free if shared.is_dir() else None,
    )


def disk(folder: Path) -> Disk:
    """Look at the disk of a folder."""
    usage = shutil.disk_usage(folder)
    return Disk(str(folder.resolve()), usage.total, usage.free)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _quota(cgroups: Path) -> float | None:
    """Cores' worth of time: version 2 writes `quota period` into one file, version 1 into two."""

    def one_file(text: str) -> float | None:
        quota, period = text.split()
        return None if quota == "max" else int(quota) / int(period)

    quota = _lowest(cgroups, "cpu", ("cpu.max",), one_file)
    if quota is not None:
        return quota
    microseconds = _lowest(cgroups, "cpu", ("cpu.cfs_quota_us",), lambda text: int(text) if int(text) > 0 else None)
    period = _lowest(cgroups, "cpu", ("cpu.cfs_period_us",), float)
    return None if microseconds is None or period is None else microseconds / period


def _bytes(text: str) -> float | None:
    return None if text.strip() == "max" or int(text) > _UNLIMITED else int(text)


def _lowest(
    cgroups: Path, controller: str, names: tuple[str, ...], read: Callable[[str], float | None]
) -> float | None:
    """The lowest value that applies: of the file by one of these names in this process's control group or above it."""
    values = []
    for line in _lines(Path("/proc/self/cgroup")) or ["0::/"]:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = cgroups / controller if controllers else cgroups
        place = top / group.lstrip("/")
        for folder in (place, *place.parents):
            for name in names:
                text = "".join(_lines(folder / name))
                value = read(text) if text else None
                if value is not None:
                    values.append(value)
            if folder == top:
                break
    return min(values, default=None)
