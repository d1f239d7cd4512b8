"""Makes the modules beside the benchmark scripts importable, as running such a script does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
