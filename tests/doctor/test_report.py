import json

from kaoiro.doctor.examination import VARIABLES
from kaoiro.doctor.findings import findings
from kaoiro.doctor.report import Finding
from kaoiro.doctor.torch_state import Gpu


def test_one_screen(sound):
    worst = sound(
        packages__torch=None, doubled=["opencv-python"], processor__load=9.0, memory__available=1, disk__free=1,
        memory__shared=1, torch_problem="x" * 150, variables=dict.fromkeys(VARIABLES, "PASSIVE"),
    )  # fmt: skip
    lines = sound(**{**vars(worst), "findings": findings(worst)}).to_text().splitlines()
    assert len(lines) <= 45
    assert all(len(line) <= 100 for line in lines if "x" * 60 not in line)


def test_text(sound):
    text = sound().to_text()
    assert text.startswith("kaoiro 0.1.0 on Python 3.12.1, Linux 6 x86_64\n")
    assert "a convolution on one core takes 10.0 ms in fp32, 9.0 ms in bf16: 1.1 times as fast" in text
    assert text.endswith("\nnothing to report\n")
    text = sound(findings=[Finding("code", "slow", "it is slow", "mend it")]).to_text()
    assert text.endswith("\nslow  it is slow; mend it\n")


def test_gpus(sound):
    text = sound(torch__gpus=[Gpu("H100", 80 * 2**30, "9.0", True)]).to_text()
    assert "gpu          H100, 80.0 GiB, capability 9.0, bf16: yes\n" in text
    assert "gpu          none; torch is built for the CPU\n" in sound(torch__cuda_build=None).to_text()
    assert "gpu          not asked, for want of torch\n" in sound(torch=None).to_text()


def test_json(sound):
    plain = json.loads(sound(findings=[Finding("code", "slow", "it is slow", "mend it")]).to_json())
    assert plain["format"] == 1
    assert plain["processor"]["allowed_cores"] == 8
    assert plain["findings"] == [{"code": "code", "severity": "slow", "what": "it is slow", "advice": "mend it"}]
