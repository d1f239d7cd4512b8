import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.models.separable import HalvingModule, SeparableBackbone, SeparableBlock


def test_a_block_whose_branch_is_silent_passes_what_is_positive():
    block = SeparableBlock(8).eval()
    torch.nn.init.zeros_(block.branch[2][2].weight)
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), x.relu())


def test_a_block_mixes_neighbours_within_a_channel_and_then_channels():
    torch.manual_seed(0)
    block = SeparableBlock(4).eval()
    x = torch.rand(1, 4, 9, 9)
    moved = x.clone()
    moved[0, 2, 4, 4] += 1
    changed = (block(moved) != block(x)).any(1)[0]
    assert changed.any()
    # Two 3×3 convolutions reach two pixels far.
    changed[2:7, 2:7] = False
    assert not changed.any()


@pytest.mark.parametrize(("side", "half"), [(12, 6), (5, 3), (1, 1)])
def test_odd_sides_are_halved_upwards(side, half):
    assert HalvingModule(4, 6).eval()(torch.zeros(1, 4, side, side)).shape == (1, 6, half, half)


def test_the_shortcut_is_the_averaged_picture():
    module = HalvingModule(1, 1).eval()
    torch.nn.init.zeros_(module.branch[2][2].weight)
    torch.nn.init.ones_(module.shortcut[1].weight)
    x = torch.rand(1, 1, 4, 4)
    means = x.reshape(2, 2, 2, 2).mean((1, 3))
    assert torch.allclose(module(x)[0, 0], means, atol=1e-4)


def test_the_stem_and_every_stage_halve_the_picture():
    backbone = SeparableBackbone(1, stem=4, widths=(8, 12, 20), depths=(0, 2)).eval()
    assert backbone.num_features == 20
    assert backbone.layers(torch.zeros(1, 1, 48, 48)).shape == (1, 20, 6, 6)


def test_a_width_more_than_depths():
    with pytest.raises(InputError, match=r"one width more than depths, not \(8, 12\) for \(1, 1\)"):
        SeparableBackbone(1, stem=4, widths=(8, 12), depths=(1, 1))
