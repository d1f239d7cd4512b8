import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_output_that_finds_no_room_is_one_line():
    with FULL.open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "kaoiro", "models"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert run.returncode == 2
    assert run.stderr == "kaoiro: cannot write the output: No space left on device\n"
