import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from kaoiro.errors import InputError
from kaoiro.expressions import SEVEN
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.weights.checkpoint import TrainedNetwork, load_checkpoint

SCRIPT = Path(__file__).resolve().parents[2] / "recipes/teachers/narrow.py"
OPTIONS = {"stem": 8, "widths": [16, 24], "depths": [1, 2]}
DEAD = [1, 5, 6, 10, 11, 17, 20, 23]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("narrow", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def faces():
    return torch.randint(0, 256, (230, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def network(options=OPTIONS, name="kaoiro-s"):
    torch.manual_seed(0)
    classifier = ExpressionClassifier(create_backbone(name, 1, options, 16), {"a": 7, "b": 7}).eval()
    classes = {"a": SEVEN, "b": SEVEN}
    targets = {"a": "label", "b": "label"}
    return TrainedNetwork(classifier, name, 16, 1, classes, targets, 1, 1, 0, network_options=dict(options))


def silence(classifier):
    """Make eight channels of the last stage, and within each of its blocks, say nothing."""
    blocks = [layer for layer in classifier.backbone.layers if hasattr(layer, "branch")][1:]
    first = classifier.backbone.layers[5]
    for norm in (first[1], *(block.branch[place][1] for block in blocks for place in (0, 2))):
        assert isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            norm.weight[DEAD] = 0
            norm.bias[DEAD] = 0


def test_channels_that_say_nothing_go_and_the_answers_stay(script, faces):
    trained = network()
    silence(trained.classifier)
    narrowed = script.narrow(trained, faces, 16)
    assert narrowed.backbone.num_features == 16
    script._take_statistics(trained.classifier, faces)
    with torch.no_grad():
        expected, found = trained.classifier.eval()(faces), narrowed(faces)
    for head, logits in expected.items():
        assert logits.std() > 0.01
        assert torch.allclose(found[head], logits, atol=1e-4)


def test_the_network_given_stays_as_it_was(script, faces):
    trained = network()
    before = {name: value.clone() for name, value in trained.classifier.state_dict().items()}
    script.narrow(trained, faces, 8)
    assert all(torch.equal(value, before[name]) for name, value in trained.classifier.state_dict().items())


@pytest.mark.parametrize(
    ("trained", "channels", "message"),
    [
        (network(), 24, "at least 8 and below 24, not 24"),
        (network(), 7, "not 7"),
        (network({"stem": 8, "widths": [16, 24], "depths": [1, 0]}), 8, "only kaoiro-s and its like"),
        (network({}, "kaoiro-n"), 8, "a network of 'kaoiro-n' cannot be cut"),
    ],
)
def test_what_cannot_be_cut(script, faces, trained, channels, message):
    with pytest.raises(InputError, match=message):
        script.narrow(trained, faces, channels)


def test_a_checkpoint_comes_of_it(script, trained_run, drawn_corpus, tmp_path, monkeypatch, capsys):
    target = tmp_path / "narrowed.ckpt"
    arguments = [str(trained_run / "best.ckpt"), str(drawn_corpus), "--channels=48", "-o", str(target)]
    monkeypatch.setattr(sys, "argv", ["narrow.py", *arguments])
    script.main()
    trained = load_checkpoint(target)
    assert trained.network_options["widths"] == [64, 128, 48]
    assert trained.classifier(torch.zeros(1, 1, 16, 16))["ferplus"].shape == (1, 8)
    assert "parameters" in capsys.readouterr().out


def test_a_wrong_path_is_one_line(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["narrow.py", "nowhere.ckpt", "nowhere.parquet", "-o", str(tmp_path / "a.ckpt")])
    with pytest.raises(SystemExit) as stop:
        script.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
