import json
import sys

import pytest
from typer.testing import CliRunner

from kaoiro.cli.app import app
from kaoiro.cli.backend import Backend
from kaoiro.errors import InputError, MissingExtraError
from kaoiro.recognition import model_file
from kaoiro.recognition.model_file import open_model


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def backends_used(monkeypatch):
    """The backends that models are opened with, in order; none of them needs to be installed."""
    used = []

    def compiled(content, threads, *, called):
        used.append("openvino")
        return open_model(called).session

    monkeypatch.setattr(model_file, "_openvino_session", compiled)
    return used


def test_predict(astronaut, backends_used):
    usual = run("predict", astronaut, "--format", "json")
    other = run("predict", astronaut, "--format", "json", "--backend", "openvino")
    assert backends_used == ["openvino"]
    assert json.loads(other.stdout) == json.loads(usual.stdout)


def test_evaluate(trained_model, drawn_corpus, backends_used):
    options = ("--data", drawn_corpus, "--no-leak-check", "--format", "json")
    usual = run("evaluate", trained_model, *options)
    other = run("evaluate", trained_model, *options, "--backend", "openvino")
    assert backends_used == ["openvino"]
    assert other.stdout == usual.stdout


def test_unusable_backends(astronaut, monkeypatch):
    assert [backend.value for backend in Backend] == ["onnxruntime", "openvino"]
    assert run("predict", astronaut, "--backend", "tensorrt").exit_code == 2
    with pytest.raises(InputError, match="backend 'openvino' runs on the CPU, not on device 'cuda'"):
        run("predict", astronaut, "--backend", "openvino", "--device", "cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "kaoiro.recognition.openvino_session", raising=False)
    with pytest.raises(
        MissingExtraError, match=r"backend 'openvino' needs openvino; .*pip install 'kaoiro\[openvino\]'"
    ):
        run("predict", astronaut, "--backend", "openvino")
