"""What tests of several parts share: a model to answer, and photos to look at."""

from pathlib import Path

import pytest

from tiny_model import write_tiny_model

_REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory):
    """A model file whose answers `tiny_model.probabilities` works out by hand."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def astronaut():
    """A photo of one person, 512 × 512 pixels: NASA's portrait of Eileen Collins."""
    return _REPOSITORY / "examples/photos/astronaut.jpg"


@pytest.fixture(scope="session")
def shared_photos():
    """A folder of photos that is beside the repository on some machines only."""
    folder = _REPOSITORY.parent / "shared/photos"
    if not folder.is_dir():
        pytest.skip("the shared photos are not on this machine")
    return folder
