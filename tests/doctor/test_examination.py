import torch

from kaoiro.doctor import examination
from kaoiro.doctor.examination import examine


def test_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    threads = torch.get_num_threads()
    seen = examine(tmp_path)
    assert torch.get_num_threads() == threads == seen.torch.threads
    assert seen.packages["torch"] == torch.__version__.partition("+")[0]
    assert seen.variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "CPUExecutionProvider" in seen.providers
    assert seen.torch.convolution_fp32 > 0
    assert seen.disk.folder == str(tmp_path)


def test_torch_that_does_not_load(monkeypatch):
    def broken():
        raise OSError("libtorch.so: cannot open\nmore")

    monkeypatch.setattr(examination, "torch_state", broken)
    seen = examine()
    assert (seen.torch, seen.torch_problem) == (None, "libtorch.so: cannot open")
    assert "torch-broken" in [finding.code for finding in seen.findings]


def test_without_torch(monkeypatch):
    monkeypatch.setattr(examination, "versions", lambda: {"torch": None})
    seen = examine()
    assert (seen.torch, seen.torch_problem) == (None, None)
    assert "no-torch" in [finding.code for finding in seen.findings]
