"""What tests of several parts share: a model to answer, and photos to look at."""

from pathlib import Path

import pytest
from hypothesis import settings

from tiny_model import write_tiny_model

# How long an example takes depends on what else the machine does.
settings.register_profile("kaoiro", deadline=None)
settings.load_profile("kaoiro")

_REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory):
    """A model file whose answers `tiny_model.probabilities` works out by hand."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def one_thread():
    """Let torch compute on one thread, which makes it give the same bits every time."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def drawn_corpus(tmp_path_factory):
    """A stored corpus of drawn faces with labels, votes and all three splits."""
    from kaoiro.corpus.synthetic import write_synthetic_corpus

    path = tmp_path_factory.mktemp("corpus") / "drawn.parquet"
    write_synthetic_corpus(path, train=140, validation=70, test=70)
    return path


@pytest.fixture(scope="session")
def trained_run(one_thread, drawn_corpus, tmp_path_factory):
    """The folder of a short training run with a head of each kind."""
    from kaoiro.training.run.command import train

    run = tmp_path_factory.mktemp("runs") / "two heads"
    heads = "{fer2013: {target: label}, ferplus: {target: votes}}"
    options = [f"--model.heads={heads}", "--model.size=16", "--trainer.max_epochs=2", "--ema_decay=0.5"]
    return train([f"--data.corpus={drawn_corpus}", "--data.batch_size=35", f"--run={run}", *options])


@pytest.fixture(scope="session")
def trained_model(trained_run, tmp_path_factory):
    """The model file of that run."""
    from kaoiro.export import export

    return export(trained_run / "last.ckpt", tmp_path_factory.mktemp("exported") / "two-heads.onnx").path


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
