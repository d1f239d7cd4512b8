"""Several classifiers, or several zooms of one, that answer as one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kaoiro.models.classifier import ExpressionClassifier
from kaoiro.models.zoom import zoom_matrix


class Ensemble(nn.Module):
    """The mean of the probabilities that several classifiers give for several zooms of a face, as logits.

    Args:
        members: classifiers of the same input; each has at least `heads`, with the same outputs.
        heads: those that are averaged.
        zooms: by what factors each face is enlarged about its middle; every member reads each of these pictures.
        size: side of the input in pixels.
    """

    def __init__(
        self,
        members: Sequence[ExpressionClassifier],
        heads: Sequence[str],
        zooms: Sequence[float] = (1.0,),
        size: int = 48,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.head_names = tuple(heads)
        self.zooms = tuple(zooms)
        for place, factor in enumerate(self.zooms):
            self.register_buffer(f"zoom_{place}", zoom_matrix(size, factor), persistent=False)

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Read faces.

        Args:
            faces_BCHW: pixel values 0 to 255, `uint8` or floating.

        Returns:
            Logits `(batch, outputs)` by head whose softmax is the mean over the members and the zooms of their
            probabilities.
        """
        pictures = [self._zoomed(faces_BCHW, place) for place in range(len(self.zooms))]
        answers = [member(picture_BCHW) for member in self.members for picture_BCHW in pictures]
        together = {}
        for name in self.head_names:
            log_p_MBC = torch.stack([torch.log_softmax(answer[name], dim=1) for answer in answers])
            together[name] = torch.logsumexp(log_p_MBC, dim=0)
        return together

    def _zoomed(self, faces_BCHW: Tensor, place: int) -> Tensor:
        if self.zooms[place] == 1:
            return faces_BCHW
        matrix_SS = self.get_buffer(f"zoom_{place}")
        return matrix_SS @ faces_BCHW.float() @ matrix_SS.T
