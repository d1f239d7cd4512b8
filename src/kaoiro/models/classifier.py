"""A backbone with one linear head for each way of labelling, from raw pixels to logits."""

from collections.abc import Mapping
from typing import Final, Literal

import torch
from torch import Tensor, nn

from kaoiro.errors import InputError

MIN_CONTRAST = 8.0
"""The least standard deviation (of pixel values 0 to 255) that a face is scaled by; a blank picture is not blown up."""


def standardize(faces_BCHW: Tensor) -> Tensor:
    """Give each face a mean of 0 and a standard deviation of 1, so that exposure and contrast do not matter.

    Args:
        faces_BCHW: `(batch, channels, height, width)` of any type, pixel values 0 to 255.

    Returns:
        `float32` of the same shape. Where the standard deviation is below `MIN_CONTRAST`, that value divides.
    """
    faces_BCHW = faces_BCHW.float()
    centred_BCHW = faces_BCHW - faces_BCHW.mean((1, 2, 3), keepdim=True)
    deviation_B111 = centred_BCHW.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centred_BCHW / deviation_B111.clamp(min=MIN_CONTRAST)


class PerFaceNormalization(nn.Module):
    """`standardize`, as a module."""

    def forward(self, faces_BCHW: Tensor) -> Tensor:
        return standardize(faces_BCHW)


class ImagenetNormalization(nn.Module):
    """Pixels to 0 to 1, less ImageNet's mean, through its standard deviation: what pretrained networks expect.

    For grey pictures both are weighted over the colours as luminance is (ITU-R BT.601).
    """

    mean_C11: Tensor
    deviation_C11: Tensor
    luminance_C11: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Not in checkpoints: constants, which a network trained without them must load too.
        for name, values in (
            ("mean_C11", (0.485, 0.456, 0.406)),
            ("deviation_C11", (0.229, 0.224, 0.225)),
            ("luminance_C11", (0.299, 0.587, 0.114)),
        ):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, faces_BCHW: Tensor) -> Tensor:
        """Normalise `(batch, 1 or 3, height, width)` with pixel values 0 to 255; other channels: `InputError`."""
        channels = faces_BCHW.shape[1]
        if channels not in (1, 3):
            raise InputError(f"normalization 'imagenet' is for 1 or 3 channels, not {channels}; take 'per-face'")
        mean, deviation = self.mean_C11, self.deviation_C11
        if channels == 1:
            mean, deviation = ((self.luminance_C11 * values).sum() for values in (mean, deviation))
        return (faces_BCHW.float() / 255 - mean) / deviation


Normalization = Literal["per-face", "imagenet"]

_NORMALIZATIONS: Final[dict[str, type[nn.Module]]] = {
    "per-face": PerFaceNormalization,
    "imagenet": ImagenetNormalization,
}


class ExpressionClassifier(nn.Module):
    """Normalise the pixels, run the backbone, and give one set of logits a head.

    Args:
        backbone: turns `(batch, channels, size, size)` into `(batch, num_features)`, or into maps
            `(batch, num_features, h, w)` that are averaged over their places, and has the attribute
            `num_features`.
        heads: the number of outputs of each head, by the head's name.
        dropout: share of the features that is dropped in training, 0 to 1.
        normalization: `per-face` gives each face a mean of 0 and a deviation of 1; `imagenet` takes ImageNet's
            mean and deviation, as pretrained networks expect.

    Raises:
        InputError: there is no such normalisation.
    """

    def __init__(
        self,
        backbone: nn.Module,
        heads: Mapping[str, int],
        dropout: float = 0.0,
        normalization: Normalization = "per-face",
    ) -> None:
        super().__init__()
        if normalization not in _NORMALIZATIONS:
            raise InputError(f"there is no normalization {normalization!r}; choose one of {', '.join(_NORMALIZATIONS)}")
        self.normalize = _NORMALIZATIONS[normalization]()
        self.memory_format = torch.channels_last
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        num_features = backbone.num_features
        assert isinstance(num_features, int)
        self.heads = nn.ModuleDict({name: nn.Linear(num_features, outputs) for name, outputs in heads.items()})

    def keep_memory_format(self, memory_format: torch.memory_format) -> None:
        """Keep pictures and weights in this layout; channels-last, where nothing is said."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)

    def features(self, faces_BCHW: Tensor) -> Tensor:
        """The backbone's features.

        Args:
            faces_BCHW: pixel values 0 to 255, `uint8` or floating.

        Returns:
            `(batch, num_features)`, before dropout.
        """
        x_BCHW = self.normalize(faces_BCHW).contiguous(memory_format=self.memory_format)
        features: Tensor = self.backbone(x_BCHW)
        return features.mean((2, 3)) if features.ndim == 4 else features

    def read_out(self, features_BF: Tensor) -> dict[str, Tensor]:
        """Logits `(batch, outputs)` by head, for features that `features` gave; dropout comes first."""
        dropped_BF = self.dropout(features_BF)
        return {name: head(dropped_BF) for name, head in self.heads.items()}

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Read faces.

        Args:
            faces_BCHW: pixel values 0 to 255, `uint8` or floating.

        Returns:
            Logits `(batch, outputs)` by head.
        """
        return self.read_out(self.features(faces_BCHW))
