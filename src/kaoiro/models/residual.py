"""Kaoiro's own residual networks for small faces.

A narrow 3×3 stem at full resolution, then stages that each halve the resolution with a 3×3 convolution of
stride 2 and go on with residual blocks (He et al. 2016, https://arxiv.org/abs/1512.03385) that end in
squeeze-and-excitation (Hu et al. 2018, https://arxiv.org/abs/1709.01507). Plain 3×3 convolutions with ReLU are what
CPUs run fastest, both in training (oneDNN in bf16) and in ONNX Runtime.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError


def _conv_norm(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate that is computed from all channels' averages over the picture."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, kernel_size=1)
        self.excite = nn.Conv2d(hidden, channels, kernel_size=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        average_BC11 = x_BCHW.mean((2, 3), keepdim=True)
        gate_BC11 = torch.sigmoid(self.excite(torch.relu(self.squeeze(average_BC11))))
        return x_BCHW * gate_BC11


class ResidualBlock(nn.Module):
    """relu(x + SE(conv(relu(conv(x))))), each convolution followed by batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _conv_norm(channels, channels),
            nn.ReLU(inplace=True),
            _conv_norm(channels, channels),
            SqueezeExcitation(channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(x_BCHW + self.branch(x_BCHW))


class ResidualBackbone(nn.Module):
    """Pictures to feature vectors.

    Args:
        channels: channels of the input picture.
        stem: channels of the stem.
        widths: channels of each stage.
        depths: residual blocks in each stage.

    Raises:
        InputError: there is not one depth for each width, or no stage at all.
    """

    def __init__(self, channels: int, stem: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        if not widths or len(widths) != len(depths):
            raise InputError(f"a residual network needs one depth for each width, not {depths} for {widths}")
        layers: list[nn.Module] = [_conv_norm(channels, stem), nn.ReLU(inplace=True)]
        previous = stem
        for width, depth in zip(widths, depths, strict=True):
            layers += [_conv_norm(previous, width, stride=2), nn.ReLU(inplace=True)]
            layers += [ResidualBlock(width) for _ in range(depth)]
            previous = width
        self.layers = nn.Sequential(*layers)
        self.num_features = previous

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Turn pictures `float (batch, channels, height, width)` into features `float (batch, num_features)`."""
        features: Tensor = self.layers(x_BCHW).mean((2, 3))
        return features
