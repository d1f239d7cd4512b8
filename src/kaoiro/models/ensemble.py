"""Several classifiers that answer as one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kaoiro.models.classifier import ExpressionClassifier


class Ensemble(nn.Module):
    """The mean of several classifiers' probabilities, as logits.

    Args:
        members: classifiers of the same input; each has at least `heads`, with the same outputs.
        heads: those that are averaged.
    """

    def __init__(self, members: Sequence[ExpressionClassifier], heads: Sequence[str]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.head_names = tuple(heads)

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Read faces.

        Args:
            faces_BCHW: pixel values 0 to 255, `uint8` or floating.

        Returns:
            Logits `(batch, outputs)` by head whose softmax is the mean of the members' probabilities.
        """
        answers = [member(faces_BCHW) for member in self.members]
        together = {}
        for name in self.head_names:
            log_p_MBC = torch.stack([torch.log_softmax(answer[name], dim=1) for answer in answers])
            together[name] = torch.logsumexp(log_p_MBC, dim=0)
        return together
