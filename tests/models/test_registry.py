import pytest
import torch
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import create_backbone, network_names


def multiplications(network: nn.Module, size: int) -> int:
    """Count the multiply-accumulate operations of all convolutions and linear layers for one grey face."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += module.weight.numel() * (output[0, 0].numel() if isinstance(module, nn.Conv2d) else 1)

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, size, size))
    for hook in hooks:
        hook.remove()
    return total


def test_names():
    assert network_names() == ["emotionnet", "expression-transformer", "kaoiro-s"]


def test_the_size_of_kaoiro_s():
    network = create_backbone("kaoiro-s", 1)
    assert 1e6 < sum(p.numel() for p in network.parameters()) < 2e6
    assert 100e6 < multiplications(network, 48) < 170e6


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


def test_an_unknown_name():
    with pytest.raises(InputError, match=r"no network 'resnet9000'; the networks are: .*kaoiro-s"):
        create_backbone("resnet9000", 1)
