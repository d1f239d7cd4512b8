"""A process that dies or hangs, told by those that are left in one line."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import torch.distributed as dist

from kaoiro.training.processes.distributed import meet
from kaoiro.training.processes.launcher import Launch, current_launch

_BROKEN: Final = re.compile(
    r"gloo|NCCL|TCPStore|[Cc]onnection (closed|reset|refused)|Broken pipe|Socket Timeout|Timed out waiting"
)
_TIMED_OUT: Final = re.compile(r"[Tt]imed ?out|[Tt]imeout")
_GATHERING_SECONDS: Final = 3.0


class ProcessLostError(Exception):
    """Another process of the run died or hangs; the message is one line that says which and how to go on."""


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Turn a broken connection to the other processes into a `ProcessLostError`.

    Raises:
        ProcessLostError: the connection to another process broke, or it did not answer within the timeout.
    """
    launch = current_launch()
    if launch is None or launch.processes == 1:
        yield
        return
    try:
        _sign_in(launch)
    except RuntimeError as error:
        raise ProcessLostError(f"the other processes of the run did not come; {_what_next(launch)}") from error
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, dist.DistError) and not _BROKEN.search(text):
            raise
        _ignore_termination()
        lost = _who_hangs(launch) if _TIMED_OUT.search(text) else _who_died(launch)
        raise ProcessLostError(f"{lost}; {_what_next(launch)}") from error


def _ignore_termination() -> None:
    # torchrun ends the processes that are left as soon as one has failed; this one is about to end by itself, and
    # has to say why first. After half a minute it would be killed all the same.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _sign_in(launch: Launch) -> None:
    meeting = meet(launch)
    if meeting is not None:
        meeting.store.set(f"process/{launch.rank}", f"{socket.gethostname()} {os.getpid()}")


def _others(launch: Launch, *, without: str = "") -> dict[int, tuple[str, int]]:
    """Machine and process number of each other rank, as far as known; a key beginning with `without` leaves one out."""
    found: dict[int, tuple[str, int]] = {}
    meeting = meet(launch)
    if meeting is None:
        return found
    try:
        for rank in set(range(launch.processes)) - {launch.rank}:
            left_out = without and meeting.store.check([f"{without}/{rank}"])
            if not left_out and meeting.store.check([f"process/{rank}"]):
                machine, number = meeting.store.get(f"process/{rank}").decode().rsplit(" ", 1)
                found[rank] = (machine, int(number))
    except RuntimeError:
        # The agent that keeps the store is gone, too.
        return {}
    return found


def _named(ranks: dict[int, tuple[str, int]]) -> str:
    return ", ".join(f"rank {rank} (process {number} on {machine})" for rank, (machine, number) in ranks.items())


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _who_died(launch: Launch) -> str:
    others = _others(launch)
    here = {rank: place for rank, place in others.items() if place[0] == socket.gethostname()}
    # A dead process keeps its number until its agent has noticed, which takes a moment.
    deadline = time.monotonic() + _GATHERING_SECONDS
    while time.monotonic() < deadline:
        dead = {rank: place for rank, place in here.items() if not _alive(place[1])}
        if dead:
            return f"{_named(dead)} was lost"
        time.sleep(0.05)
    elsewhere = sorted({machine for machine, _ in others.values()} - {socket.gethostname()})
    return f"a process on {' or '.join(elsewhere)} was lost" if elsewhere else "the connection to another rank was lost"


def _who_hangs(launch: Launch) -> str:
    # Those that have waited in vain say so; who says nothing is the one that they waited for.
    with suppress(RuntimeError):
        meeting = meet(launch)
        if meeting is not None:
            meeting.store.set(f"waited/{launch.rank}", "")
            time.sleep(_GATHERING_SECONDS)
    hanging = _others(launch, without="waited")
    return f"{_named(hanging) if hanging else 'another rank'} did not answer in time"


def _what_next(launch: Launch) -> str:
    if launch.restarts < launch.max_restarts:
        return (
            f"torchrun starts the run again from its last checkpoint ({launch.restarts + 1} of {launch.max_restarts})"
        )
    return "the run ends here; go on from its last checkpoint by giving the same command again with --resume"
