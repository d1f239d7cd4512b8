"""What the launcher (torchrun, or anything that sets the same variables) says of this process."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from kaoiro.errors import InputError


@dataclass(frozen=True)
class Launched:
    """A process's place: `rank` of `processes` in all, `local_rank` of `local_processes` on this machine."""

    rank: int
    processes: int
    local_rank: int
    local_processes: int
    store_address: str


def launched(environment: Mapping[str, str] = os.environ) -> Launched:
    """Read the launcher's variables.

    Raises:
        InputError: they are missing or are not numbers.
    """
    wanted = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in wanted if name not in environment]
    if missing:
        raise InputError(
            f"nothing launched the processes between which to check collectives ({', '.join(missing)} not set); "
            "run: torchrun --nproc-per-node=2 -m kaoiro doctor --collectives"
        )
    numbers = {}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT"):
        text = environment.get(name, {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}.get(name, ""))
        if not text.isdecimal():
            raise InputError(f"the launcher set {name}={text!r}, which is not a number; launch with torchrun")
        numbers[name] = int(text)
    return Launched(
        numbers["RANK"],
        numbers["WORLD_SIZE"],
        numbers["LOCAL_RANK"],
        numbers["LOCAL_WORLD_SIZE"],
        f"{environment['MASTER_ADDR']}:{numbers['MASTER_PORT']}",
    )


def leave_the_word_to_rank_0(environment: Mapping[str, str] = os.environ, patience: float = 10.0) -> bool:
    """Say whether another process reports an error that all of them have; if so, first give it the time to.

    A launcher ends every process of a machine as soon as one fails, so one that fails in silence must not be the first.
    """
    if environment.get("RANK", "0") == "0":
        return False
    time.sleep(patience)
    return True
