from dataclasses import replace

import numpy as np
import onnx
import pytest

from kaoiro.errors import ModelFileError
from kaoiro.expressions import EIGHT
from kaoiro.model_metadata import replace_metadata
from kaoiro.recognition.metadata import METADATA_KEY, Head
from kaoiro.recognition.model_file import open_model
from tiny_model import write_tiny_model


@pytest.fixture
def path(tmp_path):
    return write_tiny_model(tmp_path / "m.onnx")


def with_prior(metadata):
    prior = tuple(np.arange(1, 9) / 36)
    return replace(metadata, heads=metadata.heads | {"ferplus": replace(metadata.heads["ferplus"], prior=prior)})


def test_nothing_else_changes(path):
    faces = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), np.uint8)
    before, model = onnx.load(path), open_model(path)
    wanted = with_prior(model.metadata)
    replace_metadata(path, wanted)
    changed = open_model(path)
    assert changed.metadata == wanted
    for old, new in zip(*(one.session.run(None, {"faces": faces}) for one in (model, changed)), strict=True):
        assert np.array_equal(old, new)
    after = onnx.load(path)
    (entry,) = [entry for entry in after.metadata_props if entry.key == METADATA_KEY]
    entry.value = before.metadata_props[0].value
    assert after == before
    assert [file.name for file in path.parent.iterdir()] == ["m.onnx"]


def test_metadata_of_another_graph(path):
    metadata = open_model(path).metadata
    before = path.read_bytes()
    for wrong in (
        replace(metadata, size=9),
        replace(metadata, heads={"ferplus": Head(EIGHT, 1.0)}),
        replace(metadata, heads=metadata.heads | {"fer2013": Head(EIGHT, 1.0)}),
        replace(metadata, heads=metadata.heads | {"ferplus": Head(EIGHT, 2.0)}),
    ):
        with pytest.raises(ModelFileError, match="do not fit the graph"):
            replace_metadata(path, wrong)
    assert path.read_bytes() == before


def test_files_that_are_no_model(path, tmp_path):
    metadata = open_model(path).metadata
    with pytest.raises(ModelFileError, match=r"no model file '.*nope\.onnx'"):
        replace_metadata(tmp_path / "nope.onnx", metadata)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelFileError, match="no ONNX model that can be loaded"):
        replace_metadata(tmp_path / "text.onnx", metadata)
    write_tiny_model(tmp_path / "other.onnx", with_metadata=False)
    with pytest.raises(ModelFileError, match="none of Kaoiro's"):
        replace_metadata(tmp_path / "other.onnx", metadata)
