"""One process's part in the check: the steps, each run once for its values and some more times for its speed."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # public, but not marked so

from kaoiro.scale.operations import BYTES_PER_ELEMENT, OPERATIONS, Place, Trial, whole_elements

_BARRIER_ROUNDS: Final = 3
_LATE_BY: Final = 0.05
_REPEATS: Final = 20
_LARGE: Final = 2**20
_REPEATS_OF_LARGE: Final = 5
_POLL: Final = 0.0005


@dataclass(frozen=True)
class Step:
    """One line of the check: an operation and its message's bytes; None where there is no message."""

    operation: str
    size: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What one process found in one step.

    Attributes:
        status: `right`, `wrong`, or `unsupported` by the backend.
        problem: what is wrong or unsupported; None where all is right.
        seconds: the mean time of the repeats; None where there were none.
        givers: the ranks that gave what is wrong, where that can be told.
    """

    status: Literal["right", "wrong", "unsupported"]
    problem: str | None = None
    seconds: float | None = None
    givers: Sequence[int] = ()


SET_UP: Final = Step("connecting")


def steps_for(sizes: Sequence[int], processes: int) -> list[Step]:
    """Every step: connecting, each operation with each size, and the barrier.

    Args:
        sizes: bytes; each is rounded so that every process gets an equal piece.
        processes: their number.
    """
    rounded = [whole_elements(size, processes) * BYTES_PER_ELEMENT for size in sizes]
    exchanges = [Step(name, size) for name in OPERATIONS for size in rounded]
    return [SET_UP, *exchanges, Step("barrier")]


class Rehearsal(threading.Thread):
    """Runs the steps in a thread of its own, so that the process can speak while an operation hangs.

    Attributes:
        entered: the index of the last step that was begun; -1 before the first.
        outcomes: those of the steps that are done, in order.
        failure: what ended the run early; None as long as nothing did.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        place: Place,
        backend: str,
        store: Store,
        patience: float,
        announce: Callable[["Rehearsal"], None],
    ) -> None:
        """Prepare the run.

        Args:
            steps: what `steps_for` gave.
            place: this process's place.
            backend: `gloo` or `nccl`.
            store: for the backend to find the other processes, and for counting at the barrier.
            patience: seconds that one operation, or the coming of the others, may take.
            announce: called as each step begins, so that a process that dies in it is known to have been there.
        """
        super().__init__(name="collectives", daemon=True)
        self.entered = -1
        self.outcomes: list[Outcome] = []
        self.failure: str | None = None
        self._steps = steps
        self._place = place
        self._backend = backend
        self._store = store
        self._patience = patience
        self._announce = announce

    @property
    def done(self) -> bool:
        """Whether every step was run."""
        return len(self.outcomes) == len(self._steps)

    def run(self) -> None:
        """Run the steps; the first one that fails is the last."""
        try:
            for index, step in enumerate(self._steps):
                self.entered = index
                self._announce(self)
                self.outcomes.append(self._outcome(step, index))
        except (RuntimeError, TimeoutError) as error:
            self.failure = _first_line(error)
        finally:
            if not self.done and self.failure is None:
                self.failure = "stopped by a fault in the check itself; its traceback is above"

    def _outcome(self, step: Step, index: int) -> Outcome:
        if step == SET_UP:
            return self._connect()
        if step.size is None:
            return self._barrier()
        elements = step.size // BYTES_PER_ELEMENT
        trial = OPERATIONS[step.operation].prepare(self._place, elements, index % self._place.processes)
        try:
            self._seconds(trial.run, 1)
        except RuntimeError as error:
            if "not support" in str(error) or isinstance(error, NotImplementedError):
                return Outcome("unsupported", _first_line(error))
            raise
        problem, givers = difference(trial)
        seconds = self._seconds(trial.run, _REPEATS if step.size < _LARGE else _REPEATS_OF_LARGE)
        return Outcome("right" if problem is None else "wrong", problem, seconds, givers)

    def _connect(self) -> Outcome:
        self._wait_for_everyone()
        cuda = self._place.device.type == "cuda"
        if cuda:
            torch.cuda.set_device(self._place.device)
        dist.init_process_group(
            self._backend,
            store=PrefixStore("group", self._store.clone()),
            rank=self._place.rank,
            world_size=self._place.processes,
            # NCCL ends the whole process when its own time is up; on a GPU it is `_seconds` that looks at the clock.
            timeout=timedelta(seconds=self._patience * (10 if cuda else 1)),
            device_id=self._place.device if cuda else None,
        )
        return Outcome("right")

    def _wait_for_everyone(self) -> None:
        arrived = self._store.add("arrived", 1)
        deadline = time.monotonic() + self._patience
        while arrived < self._place.processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{arrived} of {self._place.processes} processes came within {self._patience:g} s")
            time.sleep(_LATE_BY)
            arrived = self._store.add("arrived", 0)

    def _barrier(self) -> Outcome:
        processes = self._place.processes
        for round_ in range(_BARRIER_ROUNDS):
            if round_ % processes == self._place.rank:
                time.sleep(_LATE_BY)
            self._store.add(f"barrier/{round_}", 1)
            dist.barrier()
            arrived = self._store.add(f"barrier/{round_}", 0)
            if arrived != processes:
                return Outcome("wrong", f"let go when {arrived} of {processes} processes had come")
        return Outcome("right", seconds=self._seconds(dist.barrier, _REPEATS))

    def _seconds(self, run: Callable[[], object], repeats: int) -> float:
        """The mean time of some runs, in seconds.

        Raises:
            TimeoutError: a GPU is not done in time. Gloo raises a RuntimeError by itself.
        """
        if self._place.device.type != "cuda":
            begin = time.perf_counter()
            for _ in range(repeats):
                run()
            return (time.perf_counter() - begin) / repeats
        begun, ended = [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]
        begun.record()
        for _ in range(repeats):
            run()
        ended.record()
        deadline = time.monotonic() + self._patience
        while not ended.query():  # type: ignore[no-untyped-call]
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {self._patience:.0f} s")
            time.sleep(_POLL)
        return float(begun.elapsed_time(ended)) / 1000 / repeats


def difference(trial: Trial) -> tuple[str | None, list[int]]:
    """Say where a trial's result is not what it should be, None where it is; and the ranks that gave what is wrong."""
    if trial.result is None or trial.expected is None:
        return None, []
    wrong = (trial.result != trial.expected).nonzero().flatten()
    if not len(wrong):
        return None, []
    first = int(wrong[0])
    found, expected = float(trial.result[first]), float(trial.expected[first])
    text = f"{len(wrong)} of {len(trial.result)} values are wrong, number {first} is {found:g} instead of {expected:g}"
    if not trial.givers:
        return f"{text}; a sum, to which every rank gave", []
    share = len(trial.result) // len(trial.givers)
    givers = sorted({trial.givers[index] for index in set((wrong // share).tolist())})
    return f"{text}; given by rank {', '.join(map(str, givers))}", givers


def _first_line(error: Exception) -> str:
    """The gist of an error, without the place in torch's source and the advice and C++ stack that some carry."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    line = line.partition("] ")[2] if line.startswith("[") and "] " in line else line
    return line.partition(". ")[0]
