import os
from pathlib import Path

import pytest

from kaoiro.doctor.machine import disk, memory, processor

CPUINFO = """processor\t: 0
model name\t: A Chip 3000
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx2 avx512_bf16

processor\t: 1
model name\t: A Chip 3000
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx2 avx512_bf16
"""
MEMINFO = "MemTotal:       8388608 kB\nMemFree:  100 kB\nMemAvailable:   4194304 kB\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "cgroups").mkdir()
    return tmp_path


@pytest.fixture
def group(monkeypatch):
    """Put this process into a control group, as /proc/self/cgroup tells it."""
    read = Path.read_text

    def group(line):
        def read_text(path, *arguments, **options):
            return f"{line}\n" if str(path) == "/proc/self/cgroup" else read(path, *arguments, **options)

        monkeypatch.setattr(Path, "read_text", read_text)

    return group


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_two_threads_of_one_core(files):
    seen = processor(files / "cpuinfo", files / "cgroups")
    assert (seen.name, seen.physical_cores, seen.quota) == ("A Chip 3000", 1, None)
    assert seen.instructions == ["avx2", "avx512_bf16"]
    assert seen.allowed_cores == len(os.sched_getaffinity(0)) == seen.usable_cores


def test_a_system_that_tells_nothing(tmp_path):
    seen = processor(tmp_path / "cpuinfo", tmp_path)
    assert (seen.physical_cores, seen.instructions) == (None, [])
    room = memory(tmp_path / "meminfo", tmp_path, tmp_path / "shm")
    assert (room.total, room.available, room.limit, room.shared) == (None, None, None, None)


def test_no_limits(files):
    room = memory(files / "meminfo", files / "cgroups", files)
    assert (room.total, room.available, room.limit) == (2**33, 2**32, None)
    assert room.shared > 0


def test_the_second_version_of_control_groups(files, group):
    group("0::/a/b")
    write(files / "cgroups/a/b/cpu.max", "max 100000\n")
    write(files / "cgroups/a/cpu.max", "50000 100000\n")
    write(files / "cgroups/a/memory.max", f"{2**31}\n")
    write(files / "cgroups/a/b/memory.max", "max\n")
    write(files / "cgroups/a/memory.current", f"{2**30}\n")
    assert processor(files / "cpuinfo", files / "cgroups").usable_cores == 0.5
    room = memory(files / "meminfo", files / "cgroups", files)
    assert (room.limit, room.available) == (2**31, 2**30)


def test_the_first_version_of_control_groups(files, group):
    group("4:cpu,cpuacct:/a\n5:memory:/m")
    write(files / "cgroups/cpu/a/cpu.cfs_quota_us", "150000\n")
    write(files / "cgroups/cpu/a/cpu.cfs_period_us", "100000\n")
    write(files / "cgroups/memory/m/memory.limit_in_bytes", "9223372036854771712\n")
    assert processor(files / "cpuinfo", files / "cgroups").quota == 1.5
    assert memory(files / "meminfo", files / "cgroups", files).limit is None


def test_disk(tmp_path):
    seen = disk(tmp_path)
    assert 0 <= seen.free <= seen.total
    assert seen.folder == str(tmp_path)
