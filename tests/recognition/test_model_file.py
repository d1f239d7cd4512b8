import numpy as np
import onnx
import onnxruntime
import pytest

from kaoiro.errors import InputError, ModelFileError
from kaoiro.recognition import model_file
from kaoiro.recognition.metadata import METADATA_KEY
from kaoiro.recognition.model_file import open_model, shipped_models
from tiny_model import write_tiny_model


@pytest.mark.parametrize("as_type", [str, lambda path: path])
def test_a_model_is_opened_by_its_path(tiny_model_path, as_type):
    model = open_model(as_type(tiny_model_path))
    assert model.metadata.name == "tiny"
    assert model.metadata.size == 8
    answers = model.session.run(["ferplus"], {"faces": np.zeros((3, 1, 8, 8), np.uint8)})
    assert answers[0].shape == (3, 8)


def test_a_shipped_model_is_opened_by_its_name(tiny_model_path, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/kaoiro-t.onnx").write_bytes(tiny_model_path.read_bytes())
    (tmp_path / "weights/README.md").touch()
    monkeypatch.setattr(model_file.resources, "files", lambda package: tmp_path)
    assert shipped_models() == ["kaoiro-t"]
    assert open_model("kaoiro-t").metadata.name == "tiny"
    with pytest.raises(ModelFileError, match="unknown model 'nope'; the shipped ones are kaoiro-t; or give"):
        open_model("nope")


def test_every_shipped_model_opens():
    for name in shipped_models():
        assert open_model(name).metadata.name == name


@pytest.mark.parametrize("name", ["nope.onnx", "folder/nope", "./nope"])
def test_a_missing_file_is_told(name):
    with pytest.raises(ModelFileError, match=f"there is no model file '{name}'"):
        open_model(name)


def test_files_that_are_no_model_are_told_in_one_line(tmp_path, capfd):
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").touch()
    for name in ("text.onnx", "empty.onnx"):
        with pytest.raises(ModelFileError, match="is no ONNX model that can be loaded") as caught:
            open_model(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelFileError, match="cannot read the model file"):
        open_model(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_model_of_another_kind_is_told(tmp_path):
    path = write_tiny_model(tmp_path / "other.onnx", with_metadata=False)
    with pytest.raises(ModelFileError, match="none of Kaoiro's"):
        open_model(path)


def test_a_graph_that_does_not_fit_its_metadata_is_told(tiny_model_path, tmp_path):
    model = onnx.load(tiny_model_path)
    (metadata,) = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    metadata.value = metadata.value.replace("fer2013", "affectnet")
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelFileError, match="does not fit its metadata"):
        open_model(tmp_path / "changed.onnx")


def test_devices(tiny_model_path, monkeypatch):
    assert open_model(tiny_model_path, device="cpu").session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(InputError, match="unknown device 'tpu'; choose one of auto, cpu, cuda"):
        open_model(tiny_model_path, device="tpu")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="device 'cuda' needs an ONNX Runtime with CUDA"):
        open_model(tiny_model_path, device="cuda")


def test_threads(tiny_model_path):
    session = open_model(tiny_model_path, threads=1).session
    assert session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(InputError, match="at least 1, not 0"):
        open_model(tiny_model_path, threads=0)
