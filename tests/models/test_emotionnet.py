import pytest
import torch
from torch import nn

from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.emotionnet import AreaAttention


@pytest.fixture(scope="module")
def network():
    return ExpressionClassifier(create_backbone("emotionnet", channels=3), {"expression": 7}).eval()


def test_it_has_the_published_size(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_768_551


def test_it_has_the_published_cost(network):
    multiplications = 0

    def count(module, inputs, output):
        nonlocal multiplications
        places = output.shape[2] * output.shape[3] if output.ndim == 4 else 1
        multiplications += places * module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    network(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    assert multiplications / 1e6 == pytest.approx(248, abs=1)


@pytest.mark.parametrize("size", [64, 96, 128])
def test_it_reads_several_sizes(network, size):
    assert network(torch.zeros(2, 3, size, size))["expression"].shape == (2, 7)


def test_a_band_knows_nothing_of_the_others():
    attention = AreaAttention(channels=32, area=2).eval()
    nn.init.zeros_(attention.position[0].weight)  # the position convolution does look over the borders
    x = torch.randn(1, 32, 8, 4)
    changed = x.clone()
    changed[:, :, 4:] = torch.randn(1, 32, 4, 4)
    with torch.no_grad():
        difference = (attention(x) - attention(changed)).abs().amax((0, 1, 3))
    assert difference[:4].max() == 0
    assert difference[4:].min() > 0


def test_attention_equals_a_computation_place_by_place():
    attention = AreaAttention(channels=64, area=1).eval()
    x = torch.randn(1, 64, 3, 5)
    with torch.no_grad():
        found = attention(x)
        qkv = attention.qkv(x)
        q, k, v = qkv.flatten(2).transpose(1, 2).chunk(3, dim=2)  # (1, 15, 64) each
        heads = []
        for head in (slice(0, 32), slice(32, 64)):
            weights = torch.softmax(q[0, :, head] @ k[0, :, head].T / 32**0.5, dim=1)
            heads.append(weights @ v[0, :, head])
        attended = torch.cat(heads, dim=1).T.reshape(1, 64, 3, 5)
        expected = attention.project(attended + attention.position(qkv[:, 128:]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
