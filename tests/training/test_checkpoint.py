import pytest
import torch

from kaoiro.errors import ModelFileError
from kaoiro.training.checkpoint import load_checkpoint


@pytest.fixture
def altered(trained_run, tmp_path):
    """Write the run's checkpoint again with a change."""

    def alter(change):
        content = torch.load(trained_run / "last.ckpt", weights_only=True)
        change(content)
        torch.save(content, tmp_path / "altered.ckpt")
        return tmp_path / "altered.ckpt"

    return alter


def test_the_network_is_ready_to_read(trained_run):
    trained = load_checkpoint(trained_run / "best.ckpt")
    assert not trained.classifier.training
    assert {p.dtype for p in trained.classifier.parameters()} == {torch.float32}
    logits = trained.classifier(torch.zeros(2, 1, 16, 16, dtype=torch.uint8))
    assert logits["fer2013"].shape == (2, 7)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["kaoiro"].update(network="resnet9000"),
        lambda content: content["kaoiro"].pop("size"),
        lambda content: content["kaoiro"]["heads"].update(fer2013=["anger", "boredom"]),
        lambda content: content["state_dict"].pop("classifier.heads.fer2013.bias"),
        lambda content: content["state_dict"].update({"classifier.heads.fer2013.bias": torch.zeros(3)}),
        lambda content: content.pop("state_dict"),
        lambda content: content.update(kaoiro="kaoiro-s"),
        lambda content: content["kaoiro"].update(channels="grey"),
    ],
    ids=["network", "no size", "classes", "no bias", "shape", "no weights", "description", "channels"],
)
def test_a_checkpoint_that_does_not_fit(altered, change):
    with pytest.raises(ModelFileError, match=r"altered\.ckpt' does not fit this version: .") as caught:
        load_checkpoint(altered(change))
    assert "\n" not in str(caught.value)
