"""Exporting checkpoints whose heads are not all for a model file."""

import onnx
import pytest
import torch

from kaoiro.errors import InputError, ModelFileError
from kaoiro.export import export
from kaoiro.recognition.model_file import open_model


@pytest.fixture
def checkpoint(trained_run, tmp_path):
    """Write the run's checkpoint again, with other targets for some heads."""

    def with_targets(**targets):
        content = torch.load(trained_run / "last.ckpt", weights_only=True)
        heads = content["kaoiro"]["heads"]
        for head, target in targets.items():
            content["kaoiro"]["targets"][head] = target
            heads[head] = [f"column {place}" for place in range(len(heads[head]))]
        torch.save(content, tmp_path / "altered.ckpt")
        return tmp_path / "altered.ckpt"

    return with_targets


def test_heads_without_classes_are_left_out(checkpoint, tmp_path):
    written = export(checkpoint(ferplus="values"), tmp_path / "a.onnx")
    assert written.left_out == ("ferplus",)
    opened = open_model(written.path)
    assert list(opened.metadata.heads) == ["fer2013"]
    assert opened.metadata.default_head == "fer2013"
    assert [output.name for output in opened.session.get_outputs()] == ["fer2013"]
    assert not any("ferplus" in entry.name for entry in onnx.load(written.path).graph.initializer)


def test_a_head_without_classes_is_no_default(checkpoint, tmp_path):
    with pytest.raises(InputError, match="no head 'ferplus'; the checkpoint has fer2013"):
        export(checkpoint(ferplus="multilabel"), tmp_path / "a.onnx", default_head="ferplus")


def test_no_head_with_classes(checkpoint, tmp_path):
    path = checkpoint(fer2013="values", ferplus="multilabel")
    with pytest.raises(ModelFileError, match=r"no head for a model file.*fer2013 \(values\), ferplus \(multilabel\)"):
        export(path, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
