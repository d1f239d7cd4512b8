"""Kaoiro's network for the least work: separable convolutions after a plain stem.

A 3×3 convolution at full resolution, one of stride 2, then stages in the manner of Xception (Chollet 2017,
https://arxiv.org/abs/1610.02357): two separable convolutions and a pool, beside a pointwise convolution of the averaged
picture, then residual blocks. Pools halve the picture, since a depthwise convolution of stride 2 has a backward pass
many times slower than its forward pass on CPUs.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def _separable(channels_in: int, channels_out: int) -> nn.Sequential:
    """A 3×3 convolution within each channel, then one that mixes the channels."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, kernel_size=3, padding=1, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels_out, kernel_size=1, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class SeparableBlock(nn.Module):
    """relu(x + separable(relu(separable(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _separable(channels, channels), nn.ReLU(inplace=True), _separable(channels, channels)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(x_BCHW + self.branch(x_BCHW))


class HalvingModule(nn.Module):
    """relu(pool(separable(relu(separable(x)))) + pointwise(average(x))), at half the resolution, rounded up."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _separable(channels_in, channels_out),
            nn.ReLU(inplace=True),
            _separable(channels_out, channels_out),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(kernel_size=2, ceil_mode=True),
            nn.Conv2d(channels_in, channels_out, kernel_size=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(self.branch(x_BCHW) + self.shortcut(x_BCHW))


class SeparableBackbone(nn.Module):
    """Pictures to feature vectors.

    Args:
        channels: channels of the input picture.
        stem: channels at full resolution.
        widths: channels at half the resolution, then after each stage, which halves it once more.
        depths: residual blocks at the end of each stage.

    Raises:
        InputError: there is not one width more than depths, or no stage at all.
    """

    def __init__(self, channels: int, stem: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        if not depths or len(widths) != len(depths) + 1:
            raise InputError(f"a separable network needs one width more than depths, not {widths} for {depths}")
        layers: list[nn.Module] = [_convolution(channels, stem), _convolution(stem, widths[0], stride=2)]
        for (before, after), depth in zip(pairwise(widths), depths, strict=True):
            layers += [HalvingModule(before, after), *(SeparableBlock(after) for _ in range(depth))]
        self.layers = nn.Sequential(*layers)
        self.num_features = widths[-1]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Turn pictures `float (batch, channels, height, width)` into features `float (batch, num_features)`."""
        features: Tensor = self.layers(x_BCHW).mean((2, 3))
        return features
