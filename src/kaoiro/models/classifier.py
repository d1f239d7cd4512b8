"""A backbone with one linear head for each way of labelling, from raw pixels to logits."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

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


class ExpressionClassifier(nn.Module):
    """Standardise the pixels, run the backbone, and give one set of logits a head.

    Args:
        backbone: turns `(batch, channels, size, size)` into `(batch, num_features)` and has the attribute
            `num_features`.
        heads: the number of classes of each head, by the head's name.
        dropout: share of the features that is dropped in training, 0 to 1.
    """

    def __init__(self, backbone: nn.Module, heads: Mapping[str, int], dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        num_features = backbone.num_features
        assert isinstance(num_features, int)
        self.heads = nn.ModuleDict({name: nn.Linear(num_features, classes) for name, classes in heads.items()})

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Read faces.

        Args:
            faces_BCHW: pixel values 0 to 255, `uint8` or floating.

        Returns:
            Logits `(batch, classes)` by head.
        """
        x_BCHW = standardize(faces_BCHW).contiguous(memory_format=torch.channels_last)
        features_BF = self.dropout(self.backbone(x_BCHW))
        return {name: head(features_BF) for name, head in self.heads.items()}
