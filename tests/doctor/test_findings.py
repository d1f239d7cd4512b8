import pytest

from kaoiro.doctor.findings import findings
from kaoiro.doctor.torch_state import Gpu

GIB = 2**30
OLD_GPU, NEW_GPU = Gpu("T4", 16 * GIB, "7.5", False), Gpu("H100", 80 * GIB, "9.0", True)


def codes(examination):
    return [finding.code for finding in findings(examination)]


def test_a_sound_machine(sound):
    assert codes(sound()) == ["bf16-does-not-pay"]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("no-torch", {"packages__torch": None, "torch": None}),
        ("torch-broken", {"torch": None, "torch_problem": "libcudart.so: not found"}),
        ("outdated", {"outdated": {"torch": ("2.1.0", "2.9")}}),
        ("two-opencvs", {"doubled": ["opencv-python"]}),
        ("cpu-build", {"nvidia_driver": True, "torch__cuda_build": None}),
        ("gpu-hidden", {"nvidia_driver": True, "variables__CUDA_VISIBLE_DEVICES": ""}),
        ("no-gpu-seen", {"nvidia_driver": True}),
        ("onnxruntime-cpu", {"torch__gpus": [NEW_GPU]}),
        ("too-many-threads", {"torch__threads": 9}),
        ("too-many-threads", {"processor__allowed_cores": 2}),
        ("too-many-threads", {"processor__quota": 1.5}),
        ("one-thread", {"torch__threads": 1, "variables__OMP_NUM_THREADS": "1"}),
        ("busy-spinning", {"processor__load": 6.0}),
        ("busy", {"processor__load": 6.0, "variables__OMP_WAIT_POLICY": "passive"}),
        ("no-avx2", {"processor__instructions": ["sse4_2"]}),
        ("no-bf16-gpu", {"torch__gpus": [OLD_GPU]}),
        ("bf16-pays", {"torch__convolution_bf16": 0.005}),
        ("little-memory", {"memory__available": GIB}),
        ("small-shm", {"memory__shared": 64 * 2**20}),
        ("little-disk", {"disk__free": GIB}),
    ],
)
def test_what_is_found(sound, code, changes):
    assert code not in codes(sound())
    assert code in codes(sound(**changes))


def test_the_gravest_comes_first(sound):
    found = findings(sound(processor__load=7.0, disk__free=0))
    assert [finding.severity for finding in found] == ["fail", "slow", "note"]


def test_the_advice_on_threads_follows_the_quota(sound):
    (finding,) = (f for f in findings(sound(processor__quota=0.5)) if f.code == "too-many-threads")
    assert finding.what == "torch uses 8 threads on 0.5 usable cores, where they wait for one another"
    assert finding.advice == "set OMP_NUM_THREADS=1"
