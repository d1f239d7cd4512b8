"""Transformers for faces: one reads a picture, its sibling a track of per-frame features.

Source: Vaswani et al. 2017, "Attention Is All You Need", https://arxiv.org/abs/1706.03762; pre-norm
blocks as in Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929; convolutional tokeniser and attention pooling as
in Hassani et al. 2021, https://arxiv.org/abs/2104.05704.

In tensor names B is the batch, T the tokens, D the model's dimension, N the heads.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kaoiro.errors import InputError


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


PATCH = 8
"""Side in pixels of the square that one token stands for."""


def _convolutions(channels: int, dimension: int) -> nn.Sequential:
    # Three halvings: one token for 8×8 pixels, overlapping their neighbours.
    widths = (channels, dimension // 4, dimension // 2, dimension)
    return nn.Sequential(
        *(
            nn.Sequential(
                nn.Conv2d(narrow, wide, kernel_size=3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(inplace=True),
            )
            for narrow, wide in pairwise(widths)
        )
    )


class Patches(nn.Module):
    """Cut a picture into squares of `PATCH` pixels and project each to a token."""

    def __init__(self, channels: int, dimension: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, dimension, kernel_size=PATCH, stride=PATCH)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        height, width = x_BCHW.shape[2:]
        result: Tensor = self.project(F.pad(x_BCHW, (0, -width % PATCH, 0, -height % PATCH)))
        return result


class TransformerBackbone(nn.Module):
    """Pictures to feature vectors: tokeniser, fixed 2-D positions, transformer blocks, one vector out of the tokens.

    The positions are computed for the picture's own size, so that one network reads several sizes.

    Args:
        channels: channels of the input picture.
        dimension: of the tokens, a multiple of 4 and of `heads`; also `num_features`.
        depth: transformer blocks.
        heads: attentions side by side in each block.
        dropout: share that is dropped in training, in the blocks and of the attention weights.
        tokenizer: `convolution` halves the picture three times with 3×3 convolutions, so that a token stands for
            8×8 pixels and sees its neighbours'; `patch` cuts the picture into squares of 8×8 pixels and projects each
            (Dosovitskiy et al. 2021), the sides filled up with zeros to whole squares.
        pooling: `attention` takes a weighted mean of the tokens, with weights from the tokens themselves;
            `class-token` adds a learned token and takes what becomes of it (Dosovitskiy et al. 2021).

    Raises:
        InputError: the dimension is no such multiple, or there is no such tokeniser or pooling.
    """

    def __init__(
        self,
        channels: int,
        dimension: int = 128,
        depth: int = 6,
        heads: int = 4,
        dropout: float = 0.1,
        tokenizer: Literal["convolution", "patch"] = "convolution",
        pooling: Literal["attention", "class-token"] = "attention",
    ) -> None:
        super().__init__()
        if dimension % 4 or dimension % heads:
            raise InputError(f"the dimension must be a multiple of 4 and of the {heads} heads, not {dimension}")
        if tokenizer not in ("convolution", "patch"):
            raise InputError(f"the tokenizer is 'convolution' or 'patch', not {tokenizer!r}")
        if pooling not in ("attention", "class-token"):
            raise InputError(f"the pooling is 'attention' or 'class-token', not {pooling!r}")
        self.num_features = dimension
        self.tokenizer = (
            _convolutions(channels, dimension) if tokenizer == "convolution" else Patches(channels, dimension)
        )
        self.blocks = nn.Sequential(*(TransformerBlock(dimension, heads, dropout=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(dimension)
        self.pool = AttentionPooling(dimension) if pooling == "attention" else None
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, dimension)) if pooling == "class-token" else None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Turn pictures `float (batch, channels, height, width)` into features `float (batch, num_features)`."""
        map_BDhw = self.tokenizer(x_BCHW)
        _, dimension, height, width = map_BDhw.shape
        tokens_BTD = map_BDhw.flatten(2).transpose(1, 2)
        tokens_BTD = tokens_BTD + sine_positions_2d(height, width, dimension).to(tokens_BTD)
        if self.class_token is not None:
            first_B1D = self.class_token.to(tokens_BTD).expand(tokens_BTD.shape[0], -1, -1)
            tokens_BTD = torch.cat([first_B1D, tokens_BTD], dim=1)
        tokens_BTD = self.norm(self.blocks(tokens_BTD))
        features: Tensor = tokens_BTD[:, 0] if self.pool is None else self.pool(tokens_BTD)
        return features


class TrackTransformer(nn.Module):
    """A track of per-frame features, read in order: each output knows its own frame and the earlier ones only.

    Args:
        num_features: of each frame.
        dimension: of the tokens, a multiple of 2 and of `heads`.
        depth: transformer blocks.
        heads: attentions side by side in each block.
        dropout: share that is dropped in training.

    Raises:
        InputError: the dimension is no such multiple.
    """

    def __init__(
        self, num_features: int, dimension: int = 64, depth: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if dimension % 2 or dimension % heads:
            raise InputError(f"the dimension must be a multiple of 2 and of the {heads} heads, not {dimension}")
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
