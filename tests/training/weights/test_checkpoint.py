import pytest
import torch

from kaoiro.errors import ModelFileError
from kaoiro.expressions import SEVEN
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.weights.checkpoint import load_checkpoint


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
    with pytest.raises(ModelFileError, match=r"altered\.ckpt' cannot be made again: .") as caught:
        load_checkpoint(altered(change))
    assert "\n" not in str(caught.value)


def test_checkpoints_of_earlier_versions(altered):
    def forget(content):
        for name in ("network_options", "normalization"):
            content["kaoiro"].pop(name, None)

    trained = load_checkpoint(altered(forget))
    assert (trained.network_options, trained.normalization, trained.outputs) == ({}, "per-face", {})


def write_checkpoint(path, classifier, **description):
    about = {"size": 16, "channels": 1, "epochs": 1, "planned_epochs": 1, "seed": 0}
    state = {f"classifier.{name}": value for name, value in classifier.state_dict().items()}
    torch.save({"kaoiro": about | description, "state_dict": state}, path)
    return path


def test_options_of_the_network(tmp_path):
    options = {"stem": 8, "widths": [16], "depths": [1]}
    made = ExpressionClassifier(create_backbone("kaoiro-s", 1, options), {"a": 7}, normalization="imagenet").eval()
    path = write_checkpoint(
        tmp_path / "a.ckpt",
        made,
        network="kaoiro-s",
        # Weights to begin with are of no use to a network whose weights are in the checkpoint.
        network_options=options | {"pretrained": "/nowhere/weights.pth"},
        normalization="imagenet",
        heads={"a": list(map(str, SEVEN))},
        targets={"a": "label"},
    )
    trained = load_checkpoint(path)
    assert (trained.network_options, trained.normalization) == (options, "imagenet")
    faces = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(trained.classifier(faces)["a"], made(faces)["a"])


def test_heads_without_classes(tmp_path):
    heads = {"a": list(map(str, SEVEN)), "several": ["happiness", "surprise"], "affect": ["valence", "arousal"]}
    classifier = ExpressionClassifier(
        create_backbone("kaoiro-s", 1), {name: len(names) for name, names in heads.items()}
    )
    targets = {"a": "label", "several": "multilabel", "affect": "values"}
    trained = load_checkpoint(
        write_checkpoint(tmp_path / "a.ckpt", classifier, network="kaoiro-s", heads=heads, targets=targets)
    )
    assert trained.classes == {"a": SEVEN}
    assert trained.outputs == {"several": ("happiness", "surprise"), "affect": ("valence", "arousal")}
    assert trained.targets == targets


def test_a_checkpoint_cannot_have_anything_but_networks_made(tmp_path):
    path = write_checkpoint(
        tmp_path / "a.ckpt",
        torch.nn.Identity(),
        network="subprocess.Popen",
        network_options={"args": ["touch", str(tmp_path / "sign")]},
        heads={"a": list(map(str, SEVEN))},
        targets={"a": "label"},
    )
    with pytest.raises(ModelFileError, match=r"cannot be made again: network 'subprocess\.Popen'"):
        load_checkpoint(path)
    assert not (tmp_path / "sign").exists()
