"""EmotionNet: a small network with area attention for faces of 224×224 pixels.

Its stages are cross-stage-partial blocks (Wang et al. 2020, "CSPNet", https://arxiv.org/abs/1911.11929) and the area
attention of YOLOv12 (Tian et al. 2025, https://arxiv.org/abs/2502.12524), here as a classifier. Every convolution is
followed by batch normalisation and has no bias; the activation is SiLU.
"""

import math

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError

HEAD_DIMENSION = 32


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation and, unless told otherwise, SiLU."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.SiLU(inplace=True) if activation else nn.Identity(),
        )


class C3k2(nn.Module):
    """Cross-stage-partial block: half of the channels pass a residual bottleneck, and all stages are joined."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        hidden = channels_out // 4
        self.enter = ConvNorm(channels_in, 2 * hidden)
        self.bottleneck = nn.Sequential(ConvNorm(hidden, hidden // 2, 3), ConvNorm(hidden // 2, hidden, 3))
        self.leave = ConvNorm(3 * hidden, channels_out)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        passed_BCHW, worked_BCHW = self.enter(x_BCHW).chunk(2, dim=1)
        deeper_BCHW = worked_BCHW + self.bottleneck(worked_BCHW)
        joined: Tensor = self.leave(torch.cat([passed_BCHW, worked_BCHW, deeper_BCHW], dim=1))
        return joined


class AreaAttention(nn.Module):
    """Self-attention within each of `area` horizontal bands of the picture, plus a convolution of v that knows places.

    Args:
        channels: a multiple of `HEAD_DIMENSION`.
        area: bands; the number of places must be a multiple of it.
    """

    def __init__(self, channels: int, area: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_DIMENSION
        self.area = area
        self.qkv = ConvNorm(channels, 3 * channels, activation=False)
        self.position = ConvNorm(channels, channels, 7, groups=channels, activation=False)
        self.project = ConvNorm(channels, channels, activation=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        batch, channels, height, width = x_BCHW.shape
        qkv_BCHW = self.qkv(x_BCHW)
        places = height * width // self.area
        # Where channels come last in memory, all of these are views, and gradients keep that order.
        q, k, v = (
            qkv_BCHW.permute(0, 2, 3, 1)
            .reshape(batch * self.area, places, 3, self.heads, HEAD_DIMENSION)
            .permute(2, 0, 3, 1, 4)  # three of (batch·area, heads, places in a band, channels of a head)
        )
        # Bands have some fifty places. For so few, torch's fused attention on CPUs takes ten times as long backwards.
        shares = torch.softmax((q * HEAD_DIMENSION**-0.5) @ k.transpose(2, 3), dim=3)
        attended_BCHW, v_BCHW = (
            part.transpose(1, 2).reshape(batch, height, width, channels).permute(0, 3, 1, 2) for part in (shares @ v, v)
        )
        result: Tensor = self.project(attended_BCHW + self.position(v_BCHW))
        return result


class AreaAttentionBlock(nn.Module):
    """x + attention(x), then x + MLP(x)."""

    def __init__(self, channels: int, area: int) -> None:
        super().__init__()
        self.attention = AreaAttention(channels, area)
        self.mlp = nn.Sequential(ConvNorm(channels, 2 * channels), ConvNorm(2 * channels, channels, activation=False))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = x_BCHW + self.attention(x_BCHW)
        result: Tensor = x_BCHW + self.mlp(x_BCHW)
        return result


class A2C2f(nn.Module):
    """Two modules in a row of two area-attention blocks each; their input and both outputs are joined."""

    def __init__(self, channels_in: int, channels_out: int, area: int) -> None:
        super().__init__()
        hidden = channels_out // 2
        self.enter = ConvNorm(channels_in, hidden)
        self.modules_in_a_row = nn.ModuleList(
            nn.Sequential(AreaAttentionBlock(hidden, area), AreaAttentionBlock(hidden, area)) for _ in range(2)
        )
        self.leave = ConvNorm(3 * hidden, channels_out)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        stages = [self.enter(x_BCHW)]
        for module in self.modules_in_a_row:
            stages.append(module(stages[-1]))
        joined: Tensor = self.leave(torch.cat(stages, dim=1))
        return joined


class EmotionNetBackbone(nn.Module):
    """Pictures to feature vectors of 1,280.

    The picture is divided into 4 bands at a sixteenth of its sides (rounded up), so the places there must be a
    multiple of 4. Every multiple of 32 pixels will do.

    Args:
        channels: channels of the input picture.
    """

    num_features = 1280
    bands = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(channels, 16, 3, 2),
            ConvNorm(16, 32, 3, 2),
            C3k2(32, 64),
            ConvNorm(64, 128, 3, 2),
            C3k2(128, 128),
            ConvNorm(128, 128, 3, 2),
            A2C2f(128, 128, area=self.bands),
            ConvNorm(128, 256, 3, 2),
            A2C2f(256, 256, area=1),
            ConvNorm(256, self.num_features),
        )
        for module in self.modules():
            if isinstance(module, AreaAttentionBlock):
                for convolution in module.modules():
                    if isinstance(convolution, nn.Conv2d):
                        nn.init.trunc_normal_(convolution.weight, std=0.02)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Turn pictures `float (batch, channels, height, width)` into features `float (batch, 1280)`.

        Raises:
            InputError: pictures of this size cannot be divided into bands.
        """
        height, width = x_BCHW.shape[2:]
        if (math.ceil(height / 16) * math.ceil(width / 16)) % self.bands:
            raise InputError(
                f"emotionnet cannot read pictures of {height}×{width} pixels; take multiples of 32, for example 224"
            )
        # mean((2, 3)) would hand back gradients with channels first in memory, which slows the last layers down.
        features: Tensor = self.layers(x_BCHW).permute(0, 2, 3, 1).flatten(1, 2).mean(1)
        return features
