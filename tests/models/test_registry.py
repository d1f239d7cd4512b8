import pytest
import torch
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import create_backbone, network_names
from kaoiro.models.registry import UsualInput, usual_input


def test_names():
    assert network_names() == ["emotionnet", "expression-transformer", "kaoiro-n", "kaoiro-s", "kaoiro-xs"]


def test_the_pictures_that_networks_are_meant_for():
    assert usual_input("emotionnet") == UsualInput(channels=3, size=224)
    assert usual_input("kaoiro-s") == usual_input("timm:resnet18") == UsualInput(channels=1, size=48)


@pytest.mark.parametrize("size", [16, 32, 40, 48, 47])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_for_every_size(size, channels):
    network = create_backbone("kaoiro-s", channels).eval()
    with torch.no_grad():
        features = network(torch.randn(2, channels, size, size))
    assert features.shape == (2, network.num_features)
    assert features.isfinite().all()


def test_equal_seeds_give_equal_weights():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([p.flatten() for p in create_backbone("kaoiro-s", 1).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("name", ["resnet9000", "", "timm", "two words.Net", "folder/file.Net"])
def test_an_unknown_name(name):
    with pytest.raises(InputError, match=f"no network '{name}'; the networks are: .*kaoiro-xs, timm:<name>, or pack"):
        create_backbone(name, 1)


def test_options_reach_the_network():
    narrow = create_backbone("kaoiro-s", 1, {"widths": [8, 12], "depths": [0, 2], "stem": 4})
    assert narrow.num_features == 12
    assert sum(isinstance(module, nn.Conv2d) for module in narrow.modules()) == 1 + 2 + 2 * 4
    assert create_backbone("expression-transformer", 1, {"dimension": 32, "depth": 1}).num_features == 32


# One line for each way of getting the options wrong.
@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("kaoiro-s", {"width": 8}, "'kaoiro-s' has no option 'width'; its options are: stem, widths, depths"),
        ("emotionnet", {"depth": 2}, "'emotionnet' has no option 'depth'; it has none"),
        ("kaoiro-s", {"channels": 3}, "give the channels as model.channels"),
        ("kaoiro-s", {"widths": [8]}, r"one depth for each width, not \(1, 1, 2\) for \[8\]"),
        ("kaoiro-s", {"stem": "wide"}, "'kaoiro-s' cannot be made: TypeError: "),
        ("expression-transformer", {"heads": 3}, "multiple of 4 and of the 3 heads, not 128"),
        ("expression-transformer", {"tokenizer": "words"}, "'convolution' or 'patch', not 'words'"),
        ("expression-transformer", {"pooling": "max"}, "'attention' or 'class-token', not 'max'"),
    ],
)
def test_wrong_options(name, options, line):
    with pytest.raises(InputError, match=line):
        create_backbone(name, 1, options)


@pytest.mark.parametrize(
    ("name", "parameters"), [("kaoiro-n", 120_000), ("kaoiro-xs", 600_000), ("kaoiro-s", 2_000_000)]
)
def test_sizes_that_are_promised(name, parameters):
    backbone = create_backbone(name, 1)
    heads = (7 + 8) * (backbone.num_features + 1)
    assert sum(p.numel() for p in backbone.parameters()) + heads <= parameters
