import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

import kaoiro.training.processes.lost_process
from kaoiro.errors import InputError
from kaoiro.training.processes.distributed import first_to_say, meet, process_group_store, resume_agreed
from kaoiro.training.processes.launcher import current_launch
from kaoiro.training.processes.lost_process import ProcessLostError, naming_lost_processes


@pytest.fixture
def agent():
    """The key-value store that torchrun's agent keeps."""
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


@pytest.fixture
def become(agent, monkeypatch, tmp_path):
    """Be one of the processes of a job, one after the other; `start` lets them all begin together."""

    def become(rank, processes=2, restarts=0, max_restarts=1):
        told = {
            "TORCHELASTIC_RUN_ID": tmp_path.name,
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_ERROR_FILE": tmp_path / f"{rank}.json",
            "TORCHELASTIC_RESTART_COUNT": restarts,
            "TORCHELASTIC_MAX_RESTARTS": max_restarts,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": agent.port,
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": processes,
            "LOCAL_WORLD_SIZE": processes,
        }
        for name, value in told.items():
            monkeypatch.setenv(name, str(value))
        return current_launch()

    return become


@pytest.fixture
def start(become):
    """Let all processes of a job meet, as they do at each start of it."""

    def start(**told):
        launches = [become(rank, **told) for rank in range(told.get("processes", 2))]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(meet, launches))

    return start


@pytest.fixture(autouse=True)
def _termination():
    """A process that has lost another ignores SIGTERM until its end; the tests go on."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def dead_process():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_alone_one_always_speaks(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert first_to_say("no such file")
    assert first_to_say("no such file")


def test_the_first_speaks_for_all(become, tmp_path):
    become(rank=1)
    assert first_to_say("no such file")
    become(rank=0)
    assert not first_to_say("no such file")
    assert first_to_say("another fault")
    become(rank=0, restarts=1)
    assert not first_to_say("no such file")
    # torchrun's report has the reason of each process that failed.
    assert {path.name for path in tmp_path.glob("*.json")} == {"0.json", "1.json"}


def test_each_start_of_a_run_ends_with_one_line(become, start):
    start(processes=3)
    become(rank=1, processes=3)
    assert first_to_say("rank 0 was lost", ends_run=True)
    become(rank=2, processes=3)
    assert not first_to_say("rank 1 was lost", ends_run=True)
    start(processes=3, restarts=1)
    become(rank=1, processes=3, restarts=1)
    assert first_to_say("rank 0 was lost", ends_run=True)


def test_a_run_may_end_before_its_processes_have_met(become):
    become(rank=1)
    assert first_to_say("stopped", ends_run=True)
    become(rank=0)
    assert not first_to_say("stopped", ends_run=True)


def test_each_start_has_keys_of_its_own(become, start):
    one, other = start()
    assert (one.attempt, other.attempt) == (1, 1)
    one.store.set("address", "here")
    process_group_store(become(rank=0), timedelta(seconds=5)).set("address", "there")
    assert other.store.get("address") == b"here"
    assert process_group_store(become(rank=1), timedelta(seconds=5)).get("address") == b"there"
    # A machine that only took part in the restart has not counted it.
    launches = [become(0, restarts=0, max_restarts=2), become(1, restarts=1, max_restarts=2)]
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(meet, launches)
    assert (one.attempt, other.attempt) == (2, 2)
    assert not other.store.check(["address"])


def test_without_the_agents_store_rank_0_of_each_machine_speaks(become, monkeypatch):
    become(rank=0)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert first_to_say("no such file")
    become(rank=1)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert not first_to_say("no such file")


def test_with_a_lost_agent_it_is_better_said_twice(become, monkeypatch):
    become(rank=1)
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setattr("kaoiro.training.processes.distributed._CONNECTING", timedelta(seconds=0.2))
    assert first_to_say("no such file")


@pytest.mark.parametrize(
    ("wanted", "restarts", "there_at_first", "there_now", "resumes"),
    [
        (False, 0, False, False, False),
        (True, 0, True, True, True),
        # The run's folder is in use; what to say about it is not decided here.
        (False, 0, True, True, False),
        # torchrun has started the run again: before its first checkpoint, and after it.
        (False, 1, False, False, False),
        (False, 1, False, True, True),
        (False, 2, False, True, True),
        # It was refused at its first start, because the folder holds another run.
        (False, 1, True, True, False),
    ],
)
def test_where_to_begin(become, start, tmp_path, wanted, restarts, there_at_first, there_now, resumes):
    last = tmp_path / "last.ckpt"
    for count in range(restarts + 1):
        if there_now if count == restarts else there_at_first:
            last.touch()
        start(restarts=count)
        found = []
        for rank in range(2):
            become(rank, restarts=count)
            found.append(resume_agreed(wanted, last))
    assert found == [resumes, resumes]


def test_without_torchrun_the_user_decides(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert resume_agreed(True, tmp_path / "last.ckpt")
    assert not resume_agreed(False, tmp_path / "last.ckpt")


@pytest.mark.parametrize("place", [0, 1])
def test_machines_that_do_not_share_the_runs_folder(become, start, tmp_path, place):
    start()
    become(0)
    resume_agreed(False, tmp_path / "nowhere" / "last.ckpt")
    start(restarts=1)
    folders = [tmp_path / "a", tmp_path / "b"]
    folders[place].mkdir()
    (folders[place] / "last.ckpt").touch()
    become(0, restarts=1)
    resume_agreed(False, folders[0] / "last.ckpt")
    become(1, restarts=1)
    with pytest.raises(InputError, match=rf"rank {place} sees .*last\.ckpt and rank {1 - place} does not; "):
        resume_agreed(False, folders[1] / "last.ckpt")


_BROKEN = "[third_party/gloo/gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:1431: Connection reset by peer."


@pytest.mark.parametrize(
    ("max_restarts", "next_step"),
    [
        (0, "the run ends here; go on from its last checkpoint by giving the same command again with --resume"),
        (2, "torchrun starts the run again from its last checkpoint (1 of 2)"),
    ],
)
def test_a_dead_process_is_named(become, start, monkeypatch, dead_process, max_restarts, next_step):
    start(processes=3, max_restarts=max_restarts)
    become(rank=1, processes=3, max_restarts=max_restarts)
    with naming_lost_processes():
        pass
    with monkeypatch.context() as patch:
        become(rank=2, processes=3, max_restarts=max_restarts)
        patch.setattr(os, "getpid", lambda: dead_process)
        with naming_lost_processes():
            pass
    become(rank=0, processes=3, max_restarts=max_restarts)
    with pytest.raises(ProcessLostError) as lost, naming_lost_processes():
        raise RuntimeError(_BROKEN)
    assert str(lost.value) == f"rank 2 (process {dead_process} on {socket.gethostname()}) was lost; {next_step}"


def test_a_process_on_another_machine(become, start, monkeypatch):
    monkeypatch.setattr(kaoiro.training.processes.lost_process, "_GATHERING_SECONDS", 0.1)
    start()
    with monkeypatch.context() as patch:
        become(rank=1)
        patch.setattr(socket, "gethostname", lambda: "node-b")
        with naming_lost_processes():
            pass
    become(rank=0)
    with pytest.raises(ProcessLostError, match=r"^a process on node-b was lost; "), naming_lost_processes():
        raise RuntimeError(_BROKEN)


def test_a_process_that_hangs_is_named(become, start, monkeypatch):
    monkeypatch.setattr(kaoiro.training.processes.lost_process, "_GATHERING_SECONDS", 0.1)
    late = "[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 5000ms for recv operation to complete"
    start(processes=3)
    for rank in (2, 1):
        become(rank, processes=3)
        with naming_lost_processes():
            pass
    with pytest.raises(ProcessLostError), naming_lost_processes():
        raise RuntimeError(late)
    become(rank=0, processes=3)
    with pytest.raises(ProcessLostError) as lost, naming_lost_processes():
        raise RuntimeError(late)
    assert str(lost.value).startswith(f"rank 2 (process {os.getpid()} on {socket.gethostname()}) did not answer in ")


def test_processes_that_never_come(become, monkeypatch):
    monkeypatch.setattr("kaoiro.training.processes.distributed._MEETING", timedelta(seconds=0.2))
    for rank in (0, 1):
        become(rank)
        with pytest.raises(ProcessLostError, match="of the run did not come; "), naming_lost_processes():
            pass


def test_other_errors_pass(become, start, monkeypatch):
    start()
    become(rank=0)
    with pytest.raises(RuntimeError, match="mat1 and mat2"), naming_lost_processes():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    with pytest.raises(RuntimeError, match="reset by peer"), naming_lost_processes():
        raise RuntimeError(_BROKEN)
