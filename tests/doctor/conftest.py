from dataclasses import replace

import pytest

from kaoiro.doctor.machine import Disk, Memory, Processor
from kaoiro.doctor.packages import SHOWN
from kaoiro.doctor.report import Examination
from kaoiro.doctor.torch_state import TorchState

GIB = 2**30


@pytest.fixture
def sound():
    """An examination of a machine with nothing to find, or with what a test changes; nested parts by `part__name`."""

    def sound(**changes):
        examination = Examination(
            kaoiro="0.1.0",
            python="3.12.1",
            system="Linux 6 x86_64",
            packages=dict.fromkeys(SHOWN, "1.0"),
            outdated={},
            doubled=[],
            processor=Processor("A chip", 8, 4, 8, None, 0.5, ["avx2"]),
            memory=Memory(32 * GIB, 30 * GIB, None, 16 * GIB),
            disk=Disk("/data", 500 * GIB, 400 * GIB),
            nvidia_driver=False,
            providers=["CPUExecutionProvider"],
            torch=TorchState("13.0", [], False, 8, 8, 0.010, 0.009),
            torch_problem=None,
            variables=dict.fromkeys(("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES")),
        )
        for name, value in changes.items():
            part, _, inner = name.partition("__")
            if inner:
                before = getattr(examination, part)
                value = before | {inner: value} if isinstance(before, dict) else replace(before, **{inner: value})
            examination = replace(examination, **{part: value})
        return examination

    return sound
