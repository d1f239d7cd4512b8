"""The line with which a command ends when something is wrong."""

import os
import sys


def last_line(line: str, *, ends_run: bool = False) -> None:
    """Print a line on stderr; once, where several processes of one run come to the same end.

    Args:
        line: what is printed.
        ends_run: it says why a run ended that was under way; only the first of such lines is printed.
    """
    # Only torchrun sets this, so torch is there.
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from kaoiro.training.processes.distributed import first_to_say

        if not first_to_say(line, ends_run=ends_run):
            return
    print(line, file=sys.stderr, flush=True)  # noqa: T201
