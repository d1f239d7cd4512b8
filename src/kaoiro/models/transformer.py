"""Transformers for faces: one reads a picture, its sibling a track of per-frame features.

Source: Vaswani et al. 2017, "Attention Is All You Need", https://arxiv.org/abs/1706.03762; pre-norm
blocks as in Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929; convolutional tokeniser and attention pooling as
in Hassani et al. 2021, https://arxiv.org/abs/2104.05704.

In tensor names B is the batch, T the tokens, D the model's dimension, N the heads.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sine_positions(count: int, dimension: int) -> Tensor:
    """Positions as sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5).

    Args:
        count: positions.
        dimension: even; the first half of the columns are sines, the second half cosines of the same angles.

    Returns:
        `float32 (count, dimension)`.
    """
    assert dimension % 2 == 0
    rates_H = torch.exp(torch.arange(dimension // 2) * (-2 * math.log(10_000) / dimension))
    angles_TH = torch.arange(count)[:, None] * rates_H
    return torch.cat([angles_TH.sin(), angles_TH.cos()], dim=1)


def sine_positions_2d(height: int, width: int, dimension: int) -> Tensor:
    """Positions in a picture: half of the columns tell the row, half the column.

    Args:
        height: rows.
        width: columns.
        dimension: a multiple of 4.

    Returns:
        `float32 (height · width, dimension)`, row by row.
    """
    assert dimension % 4 == 0
    rows_HD, columns_WD = sine_positions(height, dimension // 2), sine_positions(width, dimension // 2)
    return torch.cat([rows_HD.repeat_interleave(width, dim=0), columns_WD.repeat(height, 1)], dim=1)


class SelfAttention(nn.Module):
    """Multi-head self-attention.

    Args:
        dimension: of the tokens; a multiple of `heads`.
        heads: how many attentions run side by side.
        causal: whether a token may only look at itself and at earlier ones.
        dropout: share of the attention weights that is dropped in training.
    """

    def __init__(self, dimension: int, heads: int, *, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        assert dimension % heads == 0
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.project = nn.Linear(dimension, dimension)

    def forward(self, x_BTD: Tensor) -> Tensor:
        batch, tokens, dimension = x_BTD.shape
        q, k, v = self.qkv(x_BTD).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended_BNTd = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=self.causal
        )
        result: Tensor = self.project(attended_BNTd.transpose(1, 2).reshape(batch, tokens, dimension))
        return result


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(
        self, dimension: int, heads: int, *, expansion: int = 2, causal: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm_before_attention = nn.LayerNorm(dimension)
        self.attention = SelfAttention(dimension, heads, causal=causal, dropout=dropout)
        self.norm_before_mlp = nn.LayerNorm(dimension)
        self.mlp = nn.Sequential(
            nn.Linear(dimension, expansion * dimension),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * dimension, dimension),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.norm_before_attention(x_BTD)))
        result: Tensor = x_BTD + self.dropout(self.mlp(self.norm_before_mlp(x_BTD)))
        return result


class AttentionPooling(nn.Module):
    """A weighted mean of the tokens; the weights come from the tokens themselves."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.score = nn.Linear(dimension, 1)

    def forward(self, x_BTD: Tensor) -> Tensor:
        weights_BT1 = torch.softmax(self.score(x_BTD), dim=1)
        return (weights_BT1 * x_BTD).sum(dim=1)


class TransformerBackbone(nn.Module):
    """Pictures to feature vectors: convolutional tokeniser, fixed 2-D positions, transformer blocks, attention pooling.

    The positions are computed for the picture's own size, so that one network reads several sizes.

    Args:
        channels: channels of the input picture.
        dimension: of the tokens, a multiple of 4 and of `heads`; also `num_features`.
        depth: transformer blocks.
        heads: attentions side by side in each block.
        dropout: share that is dropped in training, in the blocks and of the attention weights.
    """

    def __init__(
        self, channels: int, dimension: int = 128, depth: int = 6, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.num_features = dimension
        widths = (channels, dimension // 4, dimension // 2, dimension)
        # Three halvings: one token for 8×8 pixels, overlapping their neighbours.
        self.tokenizer = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(narrow, wide, kernel_size=3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(wide),
                    nn.ReLU(inplace=True),
                )
                for narrow, wide in pairwise(widths)
            )
        )
        self.blocks = nn.Sequential(*(TransformerBlock(dimension, heads, dropout=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(dimension)
        self.pool = AttentionPooling(dimension)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Turn pictures `float (batch, channels, height, width)` into features `float (batch, num_features)`."""
        map_BDhw = self.tokenizer(x_BCHW)
        _, dimension, height, width = map_BDhw.shape
        tokens_BTD = map_BDhw.flatten(2).transpose(1, 2)
        tokens_BTD = tokens_BTD + sine_positions_2d(height, width, dimension).to(tokens_BTD)
        features: Tensor = self.pool(self.norm(self.blocks(tokens_BTD)))
        return features


class TrackTransformer(nn.Module):
    """A track of per-frame features, read in order: each output knows its own frame and the earlier ones only.

    Args:
        num_features: of each frame.
        dimension: of the tokens, a multiple of 2 and of `heads`.
        depth: transformer blocks.
        heads: attentions side by side in each block.
        dropout: share that is dropped in training.
    """

    def __init__(
        self, num_features: int, dimension: int = 64, depth: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.num_features = dimension
        self.enter = nn.Linear(num_features, dimension)
        self.blocks = nn.Sequential(
            *(TransformerBlock(dimension, heads, causal=True, dropout=dropout) for _ in range(depth))
        )
        self.norm = nn.LayerNorm(dimension)

    def forward(self, track_BTF: Tensor) -> Tensor:
        """Turn features `float (batch, frames, num_features)` into `float (batch, frames, dimension)`."""
        tokens_BTD = self.enter(track_BTF)
        tokens_BTD = tokens_BTD + sine_positions(tokens_BTD.shape[1], tokens_BTD.shape[2]).to(tokens_BTD)
        result: Tensor = self.norm(self.blocks(tokens_BTD))
        return result
