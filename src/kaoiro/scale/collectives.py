"""The check of the collective operations over a launched world, which names the rank that spoils it.

Every process runs the operations in one thread and speaks through the launcher's key-value store in another. The store
goes from each process to the launcher, not between processes, so that a link, or a process, that hangs an operation
can still be talked about. The lowest rank that is alive watches, reports, and sends the others home.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store, rendezvous  # type: ignore[attr-defined]  # public, but not marked so

from kaoiro.errors import InputError
from kaoiro.scale.blame import Standing, in_trouble, suspects
from kaoiro.scale.collectives_report import CollectivesReport, Participant, row_of, what_of
from kaoiro.scale.launched import Launched, launched, leave_the_word_to_rank_0
from kaoiro.scale.operations import Place
from kaoiro.scale.processes import end_process, process_state
from kaoiro.scale.rehearsal import Outcome, Rehearsal, Step, steps_for

_POLL: Final = 0.1
_UNUSABLE: Final = 2
"""The exit code where the check cannot be begun."""

_LOOK: Final = 1.0
"""Seconds between two looks of a process that does not report, to spare the store."""

_GRACE: Final = 2.0
"""Seconds that the others have to say what they know once something has gone wrong."""


def check_collectives(
    backend: str, sizes: Sequence[int], timeout: float, report: Callable[[CollectivesReport], None]
) -> bool:
    """Run each collective operation over the launched world, and compare every value with what it has to be.

    Args:
        backend: `gloo`, `nccl`, or `auto`: NCCL where each process has a GPU of its own.
        sizes: of the messages, in bytes.
        timeout: seconds that one operation, and the coming of all processes, may take.
        report: called with the result in one process only.

    Returns:
        Whether all was right, in every process. Where an operation hangs or a process dies, the call does not return:
        after the report, the process ends with exit code 1, because the thread that hangs cannot be stopped.

    Raises:
        InputError: no world was launched, its store cannot be reached, or there are too few GPUs for the backend.
    """
    place = launched()
    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=timeout)))
    except dist.DistError as error:
        raise InputError(
            f"cannot reach the launcher's store at {place.store_address} within {timeout:g} s; "
            "check the address, the port and the firewall, or give a longer --timeout"
        ) from error
    store = PrefixStore("kaoiro-collectives", store)
    failure = None
    try:
        backend, device = _backend_and_device(backend, place)
    except InputError as error:
        if place.rank == 0:
            _say_go(store, _UNUSABLE)
            raise
        device, failure = torch.device("cpu"), str(error)
    steps = steps_for(sizes, place.processes)
    # A collective gives up before the watch does, so that a rank that only waited can say so.
    patience = 0.8 * timeout
    watch = _Watch(place, backend, device, steps, store, timeout, patience)
    here = Place(place.rank, place.processes, device)
    rehearsal = Rehearsal(steps, here, backend, store, patience, announce=watch.speak)
    if failure is None:
        rehearsal.start()
    else:
        rehearsal.failure = failure
    code = watch.until_the_end(rehearsal, report)
    if code == _UNUSABLE:
        leave_the_word_to_rank_0()
    if not rehearsal.done or code == _UNUSABLE:
        _leave(code)
    dist.destroy_process_group()
    return code == 0


def _backend_and_device(backend: str, place: Launched) -> tuple[str, torch.device]:
    gpus = torch.cuda.device_count()
    if backend == "auto":
        backend = "nccl" if dist.is_nccl_available() and 0 < place.local_processes <= gpus else "gloo"
    if backend == "gloo":
        return backend, torch.device("cpu")
    if place.local_processes > gpus:
        raise InputError(
            f"NCCL needs a GPU for each process, and {socket.gethostname()} has {gpus} for {place.local_processes}; "
            "launch fewer processes, or give --backend gloo"
        )
    return backend, torch.device("cuda", place.local_rank)


def _say_go(store: Store, code: int) -> None:
    store.set("verdict", str(code))


def _leave(code: int) -> NoReturn:
    """End now, whatever other threads hang in."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _machine() -> str:
    """A name for where process ids mean the same."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        namespace = Path()
    return f"{socket.gethostname()} {namespace}"


class _Known:
    """What is known of one process: its last words, and since when they are the same."""

    def __init__(self, now: float) -> None:
        self.words: dict[str, Any] = {}
        self.heard_at = now
        self.moved_at = now

    def hear(self, words: dict[str, Any], now: float) -> None:
        if words["beat"] != self.words.get("beat"):
            self.heard_at = now
        if words["entered"] != self.words.get("entered"):
            self.moved_at = now
        self.words = words


class _Watch:
    def __init__(
        self,
        place: Launched,
        backend: str,
        device: torch.device,
        steps: Sequence[Step],
        store: Store,
        timeout: float,
        patience: float,
    ) -> None:
        self._place = place
        self._backend = backend
        self._device = device
        self._steps = steps
        self._store = store
        self._timeout = timeout
        self._patience = patience
        self._machine = _machine()
        self._beat = 0
        self._told_to_end = False
        self._gone: set[int] = set()
        self._looked_at = 0.0
        self._words_lock = threading.Lock()
        self._known = [_Known(time.monotonic()) for _ in range(place.processes)]

    def until_the_end(self, rehearsal: Rehearsal, report: Callable[[CollectivesReport], None]) -> int:
        """Speak and watch until there is a verdict; gives the exit code."""
        before = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            return self._until_the_end(rehearsal, report)
        except KeyboardInterrupt:
            if self._place.rank == 0:
                print("kaoiro: stopped", file=sys.stderr)  # noqa: T201
            _leave(130)
        except dist.DistError:
            # The store lives in the launcher; where it is gone, nobody is left to report to.
            _leave(1)
        finally:
            signal.signal(signal.SIGTERM, before)

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        # The launcher ends all processes as soon as one dies; first comes the word on which one that was.
        self._told_to_end = True

    def _until_the_end(self, rehearsal: Rehearsal, report: Callable[[CollectivesReport], None]) -> int:
        trouble_since = None
        while True:
            self.speak(rehearsal)
            if self._store.check(["verdict"]):
                return self._obey()
            now = time.monotonic()
            eager = self._place.rank == 0 or self._told_to_end or rehearsal.failure is not None
            standings = self._standings(now) if eager or now - self._looked_at > _LOOK else []
            if standings and all(self._is_lost(standing) for standing in standings[: self._place.rank]):
                if all(standing.done for standing in standings):
                    return self._conclude(report, standings)
                if not (self._told_to_end or in_trouble(standings, self._timeout)):
                    trouble_since = None
                elif trouble_since is None:
                    trouble_since = now
                elif now - trouble_since > _GRACE:
                    return self._conclude(report, standings)
            time.sleep(_POLL)

    def _is_lost(self, standing: Standing) -> bool:
        return standing.state == "gone" or standing.silent_for > self._timeout

    def speak(self, rehearsal: Rehearsal) -> None:
        """Tell the others how far this process is, and that it lives."""
        with self._words_lock:
            self._beat += 1
            self._store.set(f"words/{self._place.rank}", json.dumps({"beat": self._beat, **self._words(rehearsal)}))

    def _words(self, rehearsal: Rehearsal) -> dict[str, Any]:
        return {
            "machine": self._machine,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "parent": os.getppid(),
            "device": str(self._device),
            "entered": rehearsal.entered,
            "done": rehearsal.done,
            "failure": rehearsal.failure,
            "gone": sorted(self._gone),
            "outcomes": [asdict(outcome) for outcome in list(rehearsal.outcomes)],
        }

    def _standings(self, now: float) -> list[Standing]:
        self._looked_at = now
        for rank, known in enumerate(self._known):
            if known.words or self._store.check([f"words/{rank}"]):
                known.hear(json.loads(self._store.get(f"words/{rank}")), now)
        reported_gone = {rank for known in self._known for rank in known.words.get("gone", ())}
        standings = []
        for rank, known in enumerate(self._known):
            state = self._state(known)
            if state == "gone":
                self._gone.add(rank)
            standings.append(
                Standing(
                    rank,
                    seen=bool(known.words),
                    entered=known.words.get("entered", -1),
                    done=known.words.get("done", False),
                    failure=known.words.get("failure"),
                    silent_for=now - known.heard_at,
                    idle_for=now - known.moved_at,
                    state="gone" if rank in reported_gone else state,
                )
            )
        return standings

    def _state(self, known: _Known) -> str:
        if known.words.get("machine") != self._machine:
            return "unknown"
        return process_state(known.words["pid"])

    def _conclude(self, report: Callable[[CollectivesReport], None], standings: Sequence[Standing]) -> int:
        me = str(self._place.rank)
        if self._store.compare_set("reporter", "", me).decode() != me:
            return self._obey()  # two thought themselves the lowest alive; the other one was first
        rows = self._rows()
        people = [
            Participant(rank, known.words["host"], known.words["pid"], known.words["device"])
            for rank, known in enumerate(self._known)
            if known.words
        ]
        failure: str | None = None
        blamed: list[int] = []
        if not all(standing.done for standing in standings):
            failure, blamed = self._blame(standings)
        result = CollectivesReport(self._backend, self._place.processes, people, rows, failure, blamed)
        report(result)
        code = 0 if result.passed else 1
        _say_go(self._store, code)
        self._end_the_helpless(blamed)
        self._wait_for_the_others(standings)
        return code

    def _rows(self) -> list[Any]:
        found = [[Outcome(**outcome) for outcome in known.words.get("outcomes", ())] for known in self._known]
        return [
            row_of(step, [outcomes[index] if index < len(outcomes) else None for outcomes in found], len(found))
            for index, step in enumerate(self._steps)
        ]

    def _blame(self, standings: Sequence[Standing]) -> tuple[str, list[int]]:
        explained = any(s.failure is not None or s.state == "gone" or not s.seen for s in standings)
        if self._told_to_end and not explained:
            return "told to end from outside (SIGTERM)", []
        named = suspects(standings, silence=_GRACE / 2, patience=self._patience)
        blamed = [suspect.rank for suspect in named]
        texts = [f"{self._name(s.rank)} {s.deed}{self._where(s.entered)}" for s in named]
        waited = [s for s in standings if s.failure is not None and s.rank not in blamed]
        if waited:
            texts.append(f"rank {waited[0].rank} waited for it: {waited[0].failure}")
        return "; ".join(texts), blamed

    def _name(self, rank: int) -> str:
        words = self._known[rank].words
        return f"rank {rank} (process {words['pid']} on {words['host']})" if words else f"rank {rank}"

    def _where(self, entered: int) -> str:
        if entered < 0:
            return ""
        step = self._steps[entered]
        return f" in {what_of(step.operation, step.size)}"

    def _end_the_helpless(self, blamed: Sequence[int]) -> None:
        """End those of our launcher's processes here that cannot hear that they should; it would wait half a minute."""
        for rank in blamed:
            words = self._known[rank].words
            ours = words.get("machine") == self._machine and words.get("parent") == os.getppid()
            if ours and rank != self._place.rank and process_state(words["pid"]) == "stopped":
                end_process(words["pid"])

    def _wait_for_the_others(self, standings: Sequence[Standing]) -> None:
        """Let those that can hear leave first: where this process holds the store, they need it."""
        self._store.set(f"left/{self._place.rank}", "")
        hearing = [f"left/{s.rank}" for s in standings if s.state != "gone" and s.silent_for < _GRACE]
        deadline = time.monotonic() + _GRACE
        while not self._store.check(hearing) and time.monotonic() < deadline:
            time.sleep(_POLL / 10)

    def _obey(self) -> int:
        deadline = time.monotonic() + self._timeout
        while not self._store.check(["verdict"]) and time.monotonic() < deadline:
            time.sleep(_POLL)
        code = int(self._store.get("verdict")) if self._store.check(["verdict"]) else 1
        self._end_the_helpless([rank for rank, known in enumerate(self._known) if known.words])
        self._store.set(f"left/{self._place.rank}", "")
        return code
