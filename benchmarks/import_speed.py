"""How long, and how much memory, `kaoiro data import` takes for FER2013 with its FERPlus votes.

    python benchmarks/import_speed.py fer2013.csv --ferplus fer2013new.csv

Each run is a process of its own, so that its time includes the start of Python and its memory is its own.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--ferplus", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    command = [sys.executable, "-m", "kaoiro", "data", "import", str(arguments.csv)]
    if arguments.ferplus is not None:
        command += ["--ferplus", str(arguments.ferplus)]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "corpus.parquet"
        runs = [_run([*command, "-o", str(target)]) for _ in range(arguments.runs)]
        written = target.stat().st_size
    seconds = [wall for wall, _ in runs]
    print(f"machine   {_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    packages = ("kaoiro", "pyarrow", "opencv-python-headless", "numpy")
    print(f"versions  Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages))
    print(f"read      {arguments.csv.stat().st_size / 1e6:.1f} MB, wrote {written / 1e6:.1f} MB")
    print(f"time      median {statistics.median(seconds):.2f} s, best {min(seconds):.2f} s, of {len(runs)} runs")
    print(f"memory    peak {max(peak for _, peak in runs) / 1e6:.0f} MB")


def _run(command: list[str]) -> tuple[float, int]:
    """Run a command; give its wall time in seconds and its peak resident memory in bytes."""
    begin = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"the import failed: {' '.join(command)}")
    # Linux counts in KiB, macOS in bytes.
    return wall, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
