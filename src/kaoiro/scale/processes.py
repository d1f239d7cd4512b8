"""What this machine knows of its processes."""

import os
import signal
from pathlib import Path
from typing import Literal


def process_state(pid: int) -> Literal["running", "stopped", "gone"]:
    """Say what a process of this machine is doing; one that ended and is not yet taken note of is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        return "running"
    try:
        about = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "running"
    letter = about.rpartition(")")[2].split()[0]
    if letter in "ZX":
        return "gone"
    return "stopped" if letter in "Tt" else "running"


def end_process(pid: int) -> None:
    """End a process that may not be able to end itself; one that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
