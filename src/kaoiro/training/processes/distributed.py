"""How the processes of one run agree: who speaks, where to begin, when to stop.

Before there is a process group, and after it has broken, they meet in the key-value store of `torchrun`'s agent.
"""

import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from kaoiro.errors import InputError
from kaoiro.training.processes.launcher import Launch, current_launch, tell_launcher

_CONNECTING: Final = timedelta(seconds=20)
_BEGUN: Final = "begun here"
_MEETING: Final = timedelta(minutes=10)

_meetings: dict[Launch, "Meeting"] = {}


@dataclass(frozen=True)
class Meeting:
    """What the processes of one start of a job share.

    Args:
        attempt: which start of the job this is, from 1; the same in all processes.
        store: key-value store (`torch.distributed.Store`) with the keys of this start alone.
    """

    attempt: int
    store: Any


def job_store(launch: Launch, timeout: timedelta | None = None) -> Any:
    """Connect to the store that the agent keeps for a job, restarts included; None where the agent keeps none.

    Args:
        launch: this process's place.
        timeout: how long to wait for the agent, and for a key that is not there yet; by default 20 seconds.

    Raises:
        RuntimeError: the agent cannot be reached any more (`torch.distributed.DistNetworkError` and its like).
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    agent = TCPStore(address, port, is_master=False, timeout=timeout or _CONNECTING)
    return PrefixStore(f"kaoiro/{launch.job}", agent)


def meet(launch: Launch) -> Meeting | None:
    """Wait until all processes of this start have come, and agree on its number; None where the agent has no store.

    The agent's store still holds what the processes before a restart wrote, and each machine counts its restarts by
    itself, so that neither tells the starts apart. Here each process asks with a word of its own and rank 0 answers
    that word, which no process of an earlier start can have done.

    Raises:
        RuntimeError: a process did not come within ten minutes, or the agent cannot be reached.
    """
    if launch in _meetings:
        return _meetings[launch]
    store = job_store(launch)
    if store is None:
        return None
    if launch.rank == 0:
        attempt = store.add("attempts", 1)
        _answer_all(store, attempt, range(1, launch.processes))
    else:
        word = secrets.token_hex(8)
        store.set(f"asking/{launch.rank}", word)
        store.wait([f"answer/{word}"], _MEETING)
        attempt = int(store.get(f"answer/{word}"))
        store.set(f"here/{attempt}/{launch.rank}", "")
    _meetings[launch] = Meeting(attempt, PrefixStore(f"attempt {attempt}", store))
    return _meetings[launch]


def process_group_store(launch: Launch, timeout: timedelta) -> Any:
    """Another connection, for a process group: the keys of this start of the job, apart from ours."""
    meeting = meet(launch)
    return meeting and PrefixStore(f"attempt {meeting.attempt}/process group", job_store(launch, timeout))


def _answer_all(store: Any, attempt: int, ranks: range) -> None:
    deadline = time.monotonic() + _MEETING.total_seconds()
    missing = set(ranks)
    while missing:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Timed out waiting for ranks {sorted(missing)}")
        for rank in tuple(missing):
            # What is asked may come from a process that is no more; the one that is there acts on the answer.
            if store.check([f"asking/{rank}"]):
                store.set(f"answer/{store.get(f'asking/{rank}').decode()}", str(attempt))
            if store.check([f"here/{attempt}/{rank}"]):
                missing.remove(rank)
        time.sleep(0.02)


def first_to_say(line: str, *, ends_run: bool = False) -> bool:
    """Whether this process is the one that prints a last line; the line goes to `torchrun`'s own report as well.

    All processes of a run meet the same fault, and one line is enough. Who comes first speaks, because `torchrun`
    ends the others as soon as one has failed.

    Args:
        line: what would be printed; the same line is printed once, restarts included.
        ends_run: it says why the run ended. Of such lines only the first is printed, whatever it says, once for each
            start of the run: what the others say comes of the first one's end.
    """
    launch = current_launch()
    if launch is None:
        return True
    tell_launcher(line)
    try:
        store = job_store(launch)
        if store is None:
            return launch.local_rank == 0
        meeting = _meetings.get(launch) if ends_run else None
        subject = f"end of {meeting.attempt}" if meeting else hashlib.sha256(line.encode()).hexdigest()
        return bool(store.add(f"said/{subject}", 1) == 1)
    except RuntimeError:
        # The agent that keeps the store is gone; better said twice than not at all.
        return True


def resume_agreed(resume: bool, last: Path) -> bool:
    """Whether the run goes on from its last checkpoint, as rank 0 sees it.

    The user says so. After a restart by `torchrun` it also does where this job began the run and has come to a
    checkpoint.

    Args:
        resume: what the user said.
        last: the last checkpoint, which need not be there.

    Raises:
        InputError: rank 0 and this process do not see the same folder.
        RuntimeError: the other processes did not come, or the agent cannot be reached.
    """
    launch = current_launch()
    meeting = meet(launch) if launch else None
    if launch is None or meeting is None:
        return resume
    found = last.is_file()
    if launch.rank == 0:
        resume = resume or (meeting.attempt > 1 and found and _began_here(launch))
        if meeting.attempt == 1 and (resume or not found):
            job_store(launch).set(_BEGUN, "1")
        meeting.store.set("found", str(int(found)))
        meeting.store.set("resume", str(int(resume)))
        return resume
    meeting.store.wait(["found", "resume"], _MEETING)
    found_by_rank_0, resume = (meeting.store.get(key) == b"1" for key in ("found", "resume"))
    if found_by_rank_0 != found and (resume or meeting.attempt > 1):
        first, second = ("rank 0", f"rank {launch.rank}") if found_by_rank_0 else (f"rank {launch.rank}", "rank 0")
        raise InputError(
            f"{first} sees {last} and {second} does not; the run's folder must be one that all machines share"
        )
    return resume


def _began_here(launch: Launch) -> bool:
    """Whether an earlier start of this job was allowed into the run's folder, rather than refused as an intruder."""
    store = job_store(launch)
    return bool(store.check([_BEGUN]))


class Agreement:
    """One yes-or-no question that all processes answer alike, at the same point of the run.

    It is asked over gloo, on the CPU: no GPU waits for it.
    """

    def __init__(self, timeout: timedelta) -> None:
        """Make the group; every process must do so at the same point, after the process group exists."""
        self._group: Any = dist.new_group(backend="gloo", timeout=timeout) if dist.is_initialized() else None

    def any_says(self, yes: bool) -> bool:
        """Whether any process says yes; a collective operation.

        Raises:
            RuntimeError: another process is gone, or did not come within the timeout.
        """
        if self._group is None:
            return yes
        answer_1 = torch.tensor([int(yes)])
        dist.all_reduce(answer_1, dist.ReduceOp.MAX, group=self._group)
        return bool(answer_1.item())
