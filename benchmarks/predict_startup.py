"""Time `kaoiro predict` on one photo as a whole process, and weigh the virtual environment if it has only the core.

    python benchmarks/predict_startup.py [--photo PHOTO] [--runs N]

The first run warms the disk cache and is not counted.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "photos" / "astronaut.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "kaoiro", "predict", str(arguments.photo)]
    seconds = []
    for run in range(arguments.runs + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if run > 0:
            seconds.append(time.perf_counter() - began)
    packages = ("kaoiro", "onnxruntime", "opencv-python-headless", "numpy", "typer")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {metadata.version(name)}" for name in packages))
    print(
        f"kaoiro predict {arguments.photo.name}, whole process, n = {len(seconds)}: "
        f"min {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s"
    )
    if find_spec("torch"):
        print("torch is installed here; weigh the virtual environment where only the core is (make demo)")
        return
    environment = Path(sys.prefix)
    disk = sum(file.lstat().st_blocks * 512 for file in environment.rglob("*"))
    print(f"virtual environment: {disk / 1e6:.0f} MB on disk")


if __name__ == "__main__":
    main()
