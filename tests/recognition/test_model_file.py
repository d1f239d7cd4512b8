import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest

import tiny_model
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import InputError, MissingExtraError, ModelFileError
from kaoiro.recognition import model_file
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY
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
    assert open_model(tiny_model_path, device="cpu", threads=1).session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(InputError, match="unknown device 'tpu'; choose one of auto, cpu, cuda"):
        open_model(tiny_model_path, device="tpu")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="device 'cuda' needs an ONNX Runtime with CUDA"):
        open_model(tiny_model_path, device="cuda")


@pytest.mark.parametrize("count", [1, 4, 5, 64])
def test_a_small_network_gives_the_same_answers_on_all_threads_as_on_one(tiny_model_path, count):
    model = open_model(tiny_model_path)
    names = list(model.metadata.heads)
    shape = (count, model.metadata.channels, model.metadata.size, model.metadata.size)
    faces = np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)
    found = model.session.run(names, {INPUT_NAME: faces})
    expected = open_model(tiny_model_path, threads=1).session.run(names, {INPUT_NAME: faces})
    for one, other in zip(found, expected, strict=True):
        assert one.shape[0] == count
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_threads(tiny_model_path):
    session = open_model(tiny_model_path, threads=1).session
    assert session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(InputError, match="at least 1, not 0"):
        open_model(tiny_model_path, threads=0)


@pytest.fixture(scope="module")
def drawn_faces():
    faces, _ = synthetic_faces(20, seed=5)
    return faces[:, None]


def test_openvino_gives_the_same_answers(drawn_faces):
    pytest.importorskip("openvino")
    expected = open_model(threads=1)
    found = open_model(threads=1, backend="openvino")
    assert found.metadata == expected.metadata
    heads = list(found.metadata.heads)
    for batch in (1, 7, 1, 20):
        faces = drawn_faces[:batch]
        for mine, theirs in zip(
            found.session.run(heads, {"faces": faces}), expected.session.run(heads, {"faces": faces}), strict=True
        ):
            assert mine.dtype == np.float32
            assert mine == pytest.approx(theirs, abs=1e-4)


def test_openvino_takes_faces_as_they_lie_in_memory(tiny_model_path, drawn_faces):
    pytest.importorskip("openvino")
    session = open_model(tiny_model_path, backend="openvino").session
    faces = np.ascontiguousarray(drawn_faces[:5, :, :8, :8])
    expected = [tiny_model.probabilities(face[0]) for face in faces]
    mirrored = np.ascontiguousarray(faces[..., ::-1])
    locked = faces.copy()
    locked.flags.writeable = False
    for given in (faces, mirrored[..., ::-1], locked):
        (found,) = session.run(["ferplus"], {"faces": given})
        assert found == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_several_threads_run_one_model(tiny_model_path, backend):
    pytest.importorskip(backend)
    session = open_model(tiny_model_path, threads=1, backend=backend).session
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (1 + i % 5, 1, 8, 8), dtype=np.uint8) for i in range(120)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda faces: session.run(["fer2013", "ferplus"], {"faces": faces}), batches))
    for faces, (fer2013, ferplus) in zip(batches, answers, strict=True):
        for face, seven, eight in zip(faces, fer2013, ferplus, strict=True):
            assert seven == pytest.approx(tiny_model.probabilities(face[0], "fer2013"), abs=1e-5)
            assert eight == pytest.approx(tiny_model.probabilities(face[0]), abs=1e-5)


def test_backends_that_cannot_be_used(tiny_model_path, monkeypatch):
    with pytest.raises(InputError, match="unknown backend 'tensorrt'; choose one of onnxruntime, openvino"):
        open_model(tiny_model_path, backend="tensorrt")
    with pytest.raises(InputError, match="backend 'openvino' runs on the CPU, not on device 'cuda'"):
        open_model(tiny_model_path, backend="openvino", device="cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "kaoiro.recognition.openvino_session", raising=False)
    assert open_model(tiny_model_path).metadata.name == "tiny"
    with pytest.raises(MissingExtraError, match=r"needs openvino; install it with: pip install 'kaoiro\[openvino\]'"):
        open_model(tiny_model_path, backend="openvino")


def test_openvino_tells_of_files_that_are_no_model(tmp_path):
    pytest.importorskip("openvino")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelFileError, match="is no ONNX model that can be loaded"):
        open_model(tmp_path / "text.onnx", backend="openvino")
    path = write_tiny_model(tmp_path / "other.onnx", with_metadata=False)
    with pytest.raises(ModelFileError, match="none of Kaoiro's"):
        open_model(path, backend="openvino")


def test_a_layer_that_openvino_does_not_know_is_told_in_one_line(tiny_model_path, tmp_path):
    pytest.importorskip("openvino")
    model = onnx.load(tiny_model_path)
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.op_type = "Bernoulli"
    del softmax.attribute[:]
    onnx.save(model, tmp_path / "strange.onnx")
    assert open_model(tmp_path / "strange.onnx").metadata.name == "tiny"
    with pytest.raises(ModelFileError, match=r"OpenVINO cannot run the model '.*strange\.onnx' \(.+\)") as caught:
        open_model(tmp_path / "strange.onnx", backend="openvino")
    assert str(caught.value).endswith("; use the backend 'onnxruntime'")
    assert "\n" not in str(caught.value)
