"""Who is to blame when a check does not end: a judgement on what each process was last known to do."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """What one process was last known to do, as another one sees it.

    Attributes:
        rank: its rank.
        seen: whether it has ever been heard of.
        entered: the index of the last step that it began; -1 before the first.
        done: whether it has run every step.
        failure: what ended its run early; None as long as nothing did.
        silent_for: seconds since its last sign of life, or since the beginning.
        idle_for: seconds since it last began a step, or since the beginning.
        state: what its own machine says of its process: `running`, `stopped`, `gone`; `unknown` from elsewhere.
    """

    rank: int
    seen: bool = True
    entered: int = -1
    done: bool = False
    failure: str | None = None
    silent_for: float = 0.0
    idle_for: float = 0.0
    state: str = "unknown"


@dataclass(frozen=True)
class Suspect:
    """A process to blame, with what it did: `is gone`, say."""

    rank: int
    entered: int
    deed: str


def in_trouble(standings: Sequence[Standing], timeout: float) -> bool:
    """Whether the check cannot end well any more.

    Args:
        standings: every process's.
        timeout: seconds without a sign of life, or in one step, that are taken for trouble.
    """
    return any(
        standing.failure is not None
        or (not standing.done and (standing.state == "gone" or max(standing.silent_for, standing.idle_for) > timeout))
        for standing in standings
    )


def suspects(standings: Sequence[Standing], silence: float, patience: float) -> list[Suspect]:
    """Name the processes that the others waited for.

    A process whose operation was broken off by an error is a victim: it took part until then. To blame are, in this
    order, those that are gone or never came, those that are stopped or silent, and those that are in a step for longer
    than it may take without an error, of these the ones that are furthest behind. Where there are none, each process
    that failed is named with its own error.

    Args:
        standings: every process's, after those that can speak had the time to.
        silence: seconds without a sign of life after which a process is taken for unable to speak.
        patience: seconds that a step may take.
    """
    lost = [s for s in standings if not s.done and (s.state == "gone" or (not s.seen and s.state != "stopped"))]
    if lost:
        return [Suspect(s.rank, s.entered, "died" if s.seen else "never came") for s in lost]
    unexplained = [s for s in standings if not s.done and s.failure is None]
    mute = [s for s in unexplained if s.state == "stopped" or s.silent_for > silence]
    if mute:
        return [
            Suspect(s.rank, s.entered, "is stopped" if s.state == "stopped" else "gives no sign of life") for s in mute
        ]
    stuck = [s for s in unexplained if s.idle_for > patience]
    if stuck:
        behind = min(s.entered for s in stuck)
        return [Suspect(s.rank, s.entered, "hangs") for s in stuck if s.entered == behind]
    return [Suspect(s.rank, s.entered, f"failed ({s.failure})") for s in standings if s.failure is not None]
