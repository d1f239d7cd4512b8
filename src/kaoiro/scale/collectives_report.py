"""What the check of the collectives found, for people and for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from kaoiro.scale.operations import OPERATIONS, bandwidths
from kaoiro.scale.rehearsal import SET_UP, Outcome, Step

FORMAT: Final = 1
_SHOWN_PROBLEMS: Final = 8


@dataclass(frozen=True)
class Participant:
    """One process of the check."""

    rank: int
    host: str
    pid: int
    device: str


@dataclass(frozen=True)
class Row:
    """One operation with one message size.

    Attributes:
        operation: its name.
        size: bytes of the whole message; None for the barrier.
        status: `right`, `wrong`, `unsupported` by the backend, or `unfinished`.
        problems: what each rank found wrong or unsupported.
        givers: the ranks that gave what is wrong, where that can be told.
        seconds: the mean time on the slowest rank; None where it was not measured.
        algorithm_bandwidth, bus_bandwidth: bytes a second; see `kaoiro.scale.operations.bandwidths`.
    """

    operation: str
    size: int | None
    status: Literal["right", "wrong", "unsupported", "unfinished"]
    problems: Mapping[int, str]
    givers: Sequence[int] = ()
    seconds: float | None = None
    algorithm_bandwidth: float | None = None
    bus_bandwidth: float | None = None


def row_of(step: Step, outcomes: Sequence[Outcome | None], processes: int) -> Row:
    """Put together what the processes found in one step.

    Args:
        step: the step.
        outcomes: by rank; None where a process did not get so far.
        processes: their number.
    """
    found = {rank: outcome for rank, outcome in enumerate(outcomes) if outcome is not None}
    problems = {rank: outcome.problem for rank, outcome in found.items() if outcome.problem is not None}
    if any(outcome.status == "wrong" for outcome in found.values()):
        status: Literal["right", "wrong", "unsupported", "unfinished"] = "wrong"
    elif len(found) < processes:
        return Row(step.operation, step.size, "unfinished", problems)
    else:
        status = "unsupported" if problems else "right"
    givers = sorted({giver for outcome in found.values() for giver in outcome.givers})
    times = [outcome.seconds for outcome in found.values() if outcome.seconds is not None]
    seconds = max(times) if len(times) == processes else None
    if seconds is None or step.size is None or step.operation not in OPERATIONS:
        return Row(step.operation, step.size, status, problems, givers, seconds)
    algorithm, bus = bandwidths(step.operation, processes, step.size, seconds)
    return Row(step.operation, step.size, status, problems, givers, seconds, algorithm, bus)


@dataclass(frozen=True)
class CollectivesReport:
    """The whole check.

    Attributes:
        backend: `gloo` or `nccl`.
        processes: how many were launched.
        participants: those of them that were heard of, by rank.
        rows: one for each step.
        failure: why the check did not end, with the ranks to blame; None where every step was run.
        blamed: their ranks.
    """

    backend: str
    processes: int
    participants: Sequence[Participant]
    rows: Sequence[Row]
    failure: str | None = None
    blamed: Sequence[int] = ()

    @property
    def passed(self) -> bool:
        """Whether every step was run and gave the right values wherever the backend supports it."""
        return self.failure is None and all(row.status in ("right", "unsupported") for row in self.rows)

    def to_json(self) -> str:
        """The report as JSON; docs/doctor.md describes it."""
        rows = [asdict(row) for row in self.rows if row.operation != SET_UP.operation]
        return (
            json.dumps(
                {"format": FORMAT, "passed": self.passed, **asdict(self), "rows": rows}, indent=2, ensure_ascii=False
            )
            + "\n"
        )

    def to_text(self) -> str:
        """The report as a table of at most 100 columns, the verdict last."""
        hosts = len({participant.host for participant in self.participants})
        processes = f"{self.processes} process{'es' * (self.processes > 1)}"
        lines = [f"collectives over {self.backend}: {processes} on {hosts} machine{'s' * (hosts > 1)}"]
        if self.processes == 1:
            lines.append("one process: each operation is trivial, and no link is tested; launch at least two")
        lines += ["", "operation           size         time     algorithm           bus   values", "─" * 76]
        lines += [_line(row) for row in self.rows if row.operation != SET_UP.operation]
        lines += ["", *self._problems()]
        return "\n".join(lines) + "\n"

    def _problems(self) -> list[str]:
        wrong = [row for row in self.rows if row.status == "wrong"]
        lines = [
            f"rank {rank}, {what_of(row.operation, row.size)}: {problem}"
            for row in wrong
            for rank, problem in row.problems.items()
        ]
        if len(lines) > _SHOWN_PROBLEMS:
            lines[_SHOWN_PROBLEMS:] = [f"… and {len(lines) - _SHOWN_PROBLEMS} more; --format json has them all"]
        missing = sorted({row.operation for row in self.rows if row.status == "unsupported"})
        if missing:
            lines.append(f"{self.backend} does not support {', '.join(missing)}")
        if wrong:
            ranks = sorted({rank for row in wrong for rank in row.problems})
            givers = {giver for row in wrong for giver in row.givers}
            by = f", given by rank {givers.pop()}" if len(givers) == 1 else ""
            operations = ", ".join(dict.fromkeys(row.operation for row in wrong))
            lines.append(f"failed: wrong values on rank {', '.join(map(str, ranks))} in {operations}{by}")
        if self.failure is not None:
            lines.append(f"failed: {self.failure}")
        if self.passed:
            operations = "each operation that the backend supports" if missing else "each operation"
            lines.append(f"passed: {operations} gave the right values on every rank")
        return lines


def _line(row: Row) -> str:
    def gigabytes(bandwidth: float | None) -> str:
        return "" if bandwidth is None else f"{bandwidth / 1e9:.3g} GB/s"

    size = "" if row.size is None else size_text(row.size)
    milliseconds = "" if row.seconds is None else f"{row.seconds * 1000:.3f} ms"
    algorithm, bus = gigabytes(row.algorithm_bandwidth), gigabytes(row.bus_bandwidth)
    return f"{row.operation:14} {size:>9} {milliseconds:>12} {algorithm:>13} {bus:>13}   {row.status}"


def what_of(operation: str, size: int | None) -> str:
    """An operation and its message in words: `all_reduce of 64 KiB`."""
    return operation if size is None else f"{operation} of {size_text(size)}"


def size_text(size: int) -> str:
    """Bytes in words, to three digits: `64 KiB`."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"
