"""Worlds of real processes, sound ones and ones with a spoiled rank."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaoiro.scale.operations import OPERATIONS
from kaoiro.scale.processes import process_state

SPOILED = Path(__file__).with_name("spoiled_doctor.py")


def torchrun(processes, *command, timeout=60):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [
            *launcher,
            *map(str, command),
            "doctor",
            "--collectives",
            "--sizes=1K,64K",
            f"--timeout={timeout}",
            "--format=json",
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def spoiled(rank, spoiler, processes=2, timeout=20):
    """What the check says of a world in which one rank is spoiled; no process may be left over."""
    ended = torchrun(processes, SPOILED, rank, spoiler, timeout=timeout)
    report = json.loads(ended.stdout)
    assert {process_state(person["pid"]) for person in report["participants"]} == {"gone"}
    assert bool(ended.returncode) == (not report["passed"])
    return report


def test_two_sound_processes():
    ended = torchrun(2, "-m", "kaoiro")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["passed"], report["backend"], report["processes"]) == (True, "gloo", 2)
    assert {(row["operation"], row["status"]) for row in report["rows"]} == {
        (name, "right") for name in [*OPERATIONS, "barrier"]
    }
    assert [row["size"] for row in report["rows"][:4]] == [2**10, 2**16] * 2
    for row in report["rows"][:-1]:
        assert row["algorithm_bandwidth"] == pytest.approx(row["size"] / row["seconds"])


def test_a_process_that_dies_is_named():
    report = spoiled(1, "die")
    assert report["blamed"] == [1]
    assert "died in all_reduce of 1 KiB" in report["failure"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_other_numbers_of_processes(processes):
    ended = torchrun(processes, "-m", "kaoiro")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["passed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "spoiler", "deed"),
    [
        (1, "hang", "hangs in all_reduce of 1020 B"),
        (0, "hang", "hangs in all_reduce of 1020 B"),
        (1, "stop", "is stopped in all_reduce of 1020 B"),
        (0, "stop", "is stopped in all_reduce of 1020 B"),
        (0, "die", "died in all_reduce of 1020 B"),
        (2, "late", "rank 2 never came"),
        (1, "break", "stopped by a fault in the check itself"),
    ],
)
def test_the_spoiled_one_of_three_is_named(rank, spoiler, deed):
    report = spoiled(rank, spoiler, processes=3)
    assert report["blamed"] == [rank]
    assert deed in report["failure"]


@pytest.mark.slow
def test_wrong_results_are_told():
    report = spoiled(1, "miscount")
    wrong = [row for row in report["rows"] if row["status"] == "wrong"]
    assert {row["operation"] for row in wrong} == {"all_reduce"}
    assert all(list(row["problems"]) == ["1"] for row in wrong)
    assert "1 of 256 values are wrong, number 5 is 12 instead of 11" in wrong[0]["problems"]["1"]


@pytest.mark.slow
def test_wrong_pieces_are_traced_to_their_giver():
    report = spoiled(1, "misgive", processes=3)
    wrong = [row for row in report["rows"] if row["status"] == "wrong"]
    assert {row["operation"] for row in wrong} == {"all_to_all"}
    assert all(row["givers"] == [1] for row in wrong)


@pytest.mark.slow
def test_an_unsupported_operation_is_no_failure():
    report = spoiled("all", "refuse")
    assert {row["operation"] for row in report["rows"] if row["status"] == "unsupported"} == {"all_reduce"}
    assert report["passed"]
