import pytest
import torch
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.emotionnet import AreaAttention, AreaAttentionBlock, C3k2


@pytest.fixture(scope="module")
def network():
    return ExpressionClassifier(create_backbone("emotionnet", channels=3), {"expression": 7}).eval()


def test_it_has_the_published_size(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_768_551


@pytest.mark.parametrize("size", [64, 96, 128, 50])
def test_it_reads_several_sizes(network, size):
    assert network(torch.zeros(2, 3, size, size))["expression"].shape == (2, 7)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (112, 112), (16, 48)])
def test_sizes_that_make_no_four_bands(network, height, width):
    with pytest.raises(InputError, match=f"cannot read pictures of {height}×{width} pixels; take multiples of 32"):
        network(torch.zeros(1, 3, height, width))


def test_convolutions_have_no_bias_and_a_norm_each(network):
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert all(convolution.bias is None for convolution in convolutions)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [convolution.out_channels for convolution in convolutions] == [norm.num_features for norm in norms]


def test_cross_stage_partial_block_by_hand():
    block = C3k2(8, 16).eval()
    x = torch.randn(1, 8, 6, 6)
    with torch.no_grad():
        entered = block.enter(x)
        assert entered.shape[1] == 8  # twice a quarter of 16
        second = entered[:, 4:]
        deeper = second + block.bottleneck[1](block.bottleneck[0](second))
        expected = block.leave(torch.cat([entered[:, :4], second, deeper], dim=1))
        torch.testing.assert_close(block(x), expected)
    assert [part[0].out_channels for part in block.bottleneck] == [2, 4]


def test_the_attention_blocks_begin_small():
    blocks = [module for module in create_backbone("emotionnet", 3).modules() if isinstance(module, AreaAttentionBlock)]
    assert [block.attention.area for block in blocks] == [4] * 4 + [1] * 4
    weights = torch.cat([m.weight.flatten() for block in blocks for m in block.modules() if isinstance(m, nn.Conv2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


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
