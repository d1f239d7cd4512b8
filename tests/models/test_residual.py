import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.models.residual import ResidualBackbone, ResidualBlock, SqueezeExcitation


def test_squeeze_and_excitation_scales_whole_channels():
    torch.manual_seed(0)
    x = torch.rand(2, 16, 5, 5) + 0.1
    ratio = SqueezeExcitation(16)(x) / x
    assert torch.allclose(ratio, ratio.mean((2, 3), keepdim=True).expand_as(ratio), atol=1e-5)
    assert ((ratio > 0) & (ratio < 1)).all()


def test_a_block_whose_branch_is_silent_passes_what_is_positive():
    block = ResidualBlock(8).eval()
    torch.nn.init.zeros_(block.branch[2][1].weight)
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), x.relu())


def test_each_stage_halves_the_picture():
    backbone = ResidualBackbone(1, stem=4, widths=(8, 12), depths=(2, 0)).eval()
    assert backbone.num_features == 12
    assert backbone.layers(torch.zeros(1, 1, 24, 24)).shape == (1, 12, 6, 6)


def test_a_depth_for_each_width():
    with pytest.raises(InputError, match=r"one depth for each width, not \(1,\) for \(8, 12\)"):
        ResidualBackbone(1, stem=4, widths=(8, 12), depths=(1,))
