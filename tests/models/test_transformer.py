import math

import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.models import create_backbone
from kaoiro.models.transformer import (
    AttentionPooling,
    Patches,
    SelfAttention,
    TrackTransformer,
    TransformerBlock,
    sine_positions,
    sine_positions_2d,
)


def test_positions_by_hand():
    found = sine_positions(50, 8)
    for position in (0, 1, 17, 49):
        for pair in range(4):
            angle = position / 10_000 ** (2 * pair / 8)
            assert found[position, pair].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert found[position, 4 + pair].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_positions_in_a_picture_tell_rows_from_columns():
    found = sine_positions_2d(3, 5, 16).reshape(3, 5, 16)
    assert (found[:, :, :8] == sine_positions(3, 8)[:, None]).all()
    assert (found[:, :, 8:] == sine_positions(5, 8)[None, :]).all()


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_a_computation_token_by_token(causal):
    attention = SelfAttention(dimension=12, heads=3, causal=causal).eval()
    x = torch.randn(2, 5, 12)
    with torch.no_grad():
        q, k, v = attention.qkv(x).chunk(3, dim=2)
        expected = torch.zeros(2, 5, 12)
        for batch in range(2):
            for head in range(3):
                part = slice(4 * head, 4 * head + 4)
                for token in range(5):
                    seen = token + 1 if causal else 5
                    scores = [float(q[batch, token, part] @ k[batch, other, part]) / 2 for other in range(seen)]
                    total = sum(math.exp(score) for score in scores)
                    for other, score in enumerate(scores):
                        expected[batch, token, part] += math.exp(score) / total * v[batch, other, part]
        torch.testing.assert_close(attention(x), attention.project(expected), atol=1e-5, rtol=1e-4)


def test_without_positions_permuted_tokens_give_permuted_outputs():
    block = TransformerBlock(dimension=16, heads=4).eval()
    x, order = torch.randn(1, 7, 16), torch.randperm(7)
    with torch.no_grad():
        torch.testing.assert_close(block(x)[:, order], block(x[:, order]), atol=1e-5, rtol=1e-4)


def test_pooling_is_a_weighted_mean():
    pooling = AttentionPooling(8)
    x = torch.randn(3, 1, 8).repeat(1, 6, 1)  # the mean of equal tokens is the token, whatever the weights
    torch.testing.assert_close(pooling(x), x[:, 0])


def test_a_future_frame_never_changes_an_earlier_output():
    track = TrackTransformer(num_features=10).eval()
    x = torch.randn(2, 9, 10)
    changed = x.clone()
    changed[:, 5:] = torch.randn(2, 4, 10)
    with torch.no_grad():
        difference = (track(x) - track(changed)).abs().amax((0, 2))
    assert difference[:5].max() < 1e-6
    assert difference[5:].min() > 1e-3


def test_the_order_of_frames_matters():
    track = TrackTransformer(num_features=10).eval()
    x = torch.randn(1, 4, 10)
    with torch.no_grad():
        assert (track(x)[:, -1] - track(x[:, [1, 0, 2, 3]])[:, -1]).abs().max() > 1e-3


@pytest.mark.parametrize("size", [32, 47, 48, 64])
@pytest.mark.parametrize("tokenizer", ["convolution", "patch"])
@pytest.mark.parametrize("pooling", ["attention", "class-token"])
def test_pictures_of_several_sizes(size, tokenizer, pooling):
    backbone = create_backbone("expression-transformer", 1, {"tokenizer": tokenizer, "pooling": pooling}).eval()
    with torch.no_grad():
        assert backbone(torch.randn(2, 1, size, size)).shape == (2, backbone.num_features)


def test_a_patch_becomes_one_token():
    patches = Patches(channels=2, dimension=12)
    x = torch.randn(1, 2, 20, 16)
    filled = torch.zeros(1, 2, 24, 16)
    filled[:, :, :20] = x
    with torch.no_grad():
        tokens = patches(x)
        assert tokens.shape == (1, 12, 3, 2)
        for row in range(3):
            for column in range(2):
                square = filled[0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
                expected = patches.project.weight.flatten(1) @ square.flatten() + patches.project.bias
                torch.testing.assert_close(tokens[0, :, row, column], expected, atol=1e-5, rtol=1e-4)


def test_the_class_token_is_read_out():
    backbone = create_backbone("expression-transformer", 1, {"depth": 0, "pooling": "class-token"}).eval()
    with torch.no_grad():  # without blocks nothing reaches the token
        first, second = backbone(torch.randn(2, 1, 16, 16))
        torch.testing.assert_close(first, second)
        torch.testing.assert_close(first, backbone.norm(backbone.class_token[0, 0]))


@pytest.mark.parametrize("pooling", ["attention", "class-token"])
def test_every_parameter_learns(pooling):
    backbone = create_backbone("expression-transformer", 1, {"depth": 1, "pooling": pooling})
    backbone(torch.randn(2, 1, 24, 24)).square().sum().backward()
    assert [name for name, parameter in backbone.named_parameters() if parameter.grad is None] == []


def test_positions_tell_where_a_patch_is():
    backbone = create_backbone("expression-transformer", 1, {"tokenizer": "patch", "depth": 1}).eval()
    corner, middle = torch.zeros(2, 1, 1, 24, 24)
    corner[:, :, :8, :8] = middle[:, :, 8:16, 8:16] = 1
    with torch.no_grad():
        assert (backbone(corner) - backbone(middle)).abs().max() > 1e-3


@pytest.mark.parametrize("options", [{"dimension": 9}, {"dimension": 10, "heads": 4}])
def test_a_track_whose_dimension_does_not_fit(options):
    with pytest.raises(InputError, match="multiple of 2 and of the 4 heads, not"):
        TrackTransformer(num_features=10, **options)
