"""What `init` reads is tested in `test_initial_weights.py`; here are whole networks."""

import onnx
import pytest
import torch

from kaoiro.errors import ModelFileError
from kaoiro.recognition.metadata import METADATA_KEY
from kaoiro.training.weights.checkpoint import load_checkpoint
from kaoiro.training.weights.weights_files import load_network, shipped_names


@pytest.fixture
def faces():
    return torch.randint(0, 256, (3, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_a_model_file_is_its_checkpoint(trained_run, trained_model, faces):
    made, expected = load_network(str(trained_model)), load_checkpoint(trained_run / "last.ckpt")
    assert not made.classifier.training
    assert (made.network, made.size, made.channels, made.classes, made.targets) == (
        expected.network,
        expected.size,
        expected.channels,
        expected.classes,
        expected.targets,
    )
    with torch.no_grad():
        for head, logits in expected.classifier(faces).items():
            assert torch.equal(made.classifier(faces)[head], logits)


def test_a_checkpoint(trained_run, faces):
    path = trained_run / "best.ckpt"
    with torch.no_grad():
        found, expected = load_network(str(path)).classifier(faces), load_checkpoint(path).classifier(faces)
    assert all(torch.equal(found[head], logits) for head, logits in expected.items())


@pytest.mark.parametrize("name", [name for name in shipped_names() if not name.endswith("-int8")])
def test_a_shipped_model(name):
    trained = load_network(name)
    logits = trained.classifier(torch.zeros(1, trained.channels, trained.size, trained.size, dtype=torch.uint8))
    assert {head: value.shape[1] for head, value in logits.items()} == {h: len(c) for h, c in trained.classes.items()}


def test_a_model_in_8_bits_is_refused():
    with pytest.raises(ModelFileError, match="training cannot use 'kaoiro-s-int8': it computes in 8 bits"):
        load_network("kaoiro-s-int8")


@pytest.mark.parametrize(
    ("word", "other"),
    [('"kaoiro-s"', '"resnet9000"'), ('"channels": 1', '"channels": 3')],
)
def test_a_model_file_that_does_not_fit_itself(trained_model, tmp_path, word, other):
    model = onnx.load(trained_model)
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            assert word in entry.value
            entry.value = entry.value.replace(word, other)
    onnx.save(model, tmp_path / "altered.onnx")
    with pytest.raises(ModelFileError, match=r"altered\.onnx' cannot be made again: .") as caught:
        load_network(str(tmp_path / "altered.onnx"))
    assert "\n" not in str(caught.value)


def test_a_model_file_that_is_not_there():
    with pytest.raises(ModelFileError, match=r"'nowhere\.onnx'"):
        load_network("nowhere.onnx")
