"""The example of a user's own network in docs/networks.md does what the page says."""

import re
import sys
from pathlib import Path

import pytest
import torch

from kaoiro.export import export
from kaoiro.models import network_names
from kaoiro.models.figures import network_figures
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.training.run.command import train
from kaoiro.training.weights.checkpoint import load_checkpoint

PAGE = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A current folder with the page's example in my_faces.py."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "my_faces.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("my_faces", None)


def test_the_table_shows_what_is_counted():
    text = PAGE.read_text(encoding="utf-8")
    for name in network_names():
        figures = network_figures(name)
        assert re.search(rf"^    {name} +{figures.parameters:,} +{figures.mmac:.1f} ", text, re.MULTILINE), name


def test_the_example_trains_and_comes_back(one_thread, example, drawn_corpus):
    options = ["--model.size=16", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--ema_decay=0"]
    run = train(["--model.network=my_faces.MyNet", f"--data.corpus={drawn_corpus}", "--run=runs/mine", *options])
    sys.modules.pop("my_faces")  # as in another process
    trained = load_checkpoint(run / "last.ckpt")
    weights = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    assert trained.network == "my_faces.MyNet"
    for name, value in trained.classifier.state_dict().items():
        assert torch.equal(value, weights[f"classifier.{name}"]), name


@pytest.mark.slow
@pytest.mark.parametrize("network", ["my_faces.MyNet", "timm:test_resnet"])
def test_networks_of_others_go_the_whole_way(one_thread, example, drawn_corpus, network, astronaut):
    options = ["--model.size=32", "--trainer.max_epochs=1", "--ema_decay=0.5"]
    run = train([f"--model.network={network}", f"--data.corpus={drawn_corpus}", "--run=runs/mine", *options])
    written = export(run / "last.ckpt", example / "mine.onnx", corpus=drawn_corpus)
    assert written.metadata.name == network
    assert len(Recognizer(written.path).predict(astronaut)) == 1
