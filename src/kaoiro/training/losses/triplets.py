"""Which triplets of faces a batch offers to a triplet loss."""

import torch
from torch import Tensor


def hardest_triplets(features_BF: Tensor, classes_B: Tensor, p: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """Find for each face the farthest of its own class and the nearest of any other, within the batch.

    Source: Hermans et al. 2017, "In Defense of the Triplet Loss for Person Re-Identification", section 2, "batch hard",
    https://arxiv.org/abs/1703.07737.

    Args:
        features_BF: `(batch, features)`, floating.
        classes_B: `int64 (batch,)`, -1 for faces that stay out.
        p: the norm that distances are measured by.

    Returns:
        `int64 (batch,)` twice, the positive's and the negative's place in the batch, and `bool (batch,)`: whether the
        face has both. Where it has not, the places mean nothing.
    """
    with torch.no_grad():
        distances_BB = torch.cdist(features_BF, features_BF, p=p)
        known_B = classes_B >= 0
        same_BB = (classes_B[:, None] == classes_B) & known_B[:, None]
        other_BB = (classes_B[:, None] != classes_B) & known_B & known_B[:, None]
        same_BB = same_BB & ~torch.eye(len(classes_B), dtype=torch.bool, device=same_BB.device)
        positive_B = distances_BB.masked_fill(~same_BB, -torch.inf).argmax(dim=1)
        negative_B = distances_BB.masked_fill(~other_BB, torch.inf).argmin(dim=1)
        return positive_B, negative_B, same_BB.any(dim=1) & other_BB.any(dim=1)
