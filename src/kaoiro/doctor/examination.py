"""The examination: all that the doctor looks at, gathered and judged."""

import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from kaoiro.doctor.findings import findings
from kaoiro.doctor.machine import disk, memory, processor
from kaoiro.doctor.packages import least_versions, too_old, version_of, versions
from kaoiro.doctor.report import Examination
from kaoiro.doctor.torch_state import torch_state

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
    "CUDA_VISIBLE_DEVICES",
)


def examine(folder: Path = Path()) -> Examination:
    """Look at this machine, as the current process may use it.

    Args:
        folder: the one whose disk is looked at.
    """
    import onnxruntime

    from kaoiro import __version__

    packages = versions()
    state, problem = None, None
    if packages["torch"] is not None:
        try:
            state = torch_state()
        except (ImportError, OSError) as error:
            problem = str(error).splitlines()[0]
    examination = Examination(
        kaoiro=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages=packages,
        outdated=too_old(packages, least_versions()),
        doubled=[name for name in ("opencv-python", "opencv-contrib-python") if version_of(name) is not None],
        processor=processor(),
        memory=memory(),
        disk=disk(folder),
        nvidia_driver=Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None,
        providers=onnxruntime.get_available_providers(),
        torch=state,
        torch_problem=problem,
        variables={name: os.environ.get(name) for name in VARIABLES},
    )
    return replace(examination, findings=findings(examination))
