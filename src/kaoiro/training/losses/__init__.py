"""What training makes small: a loss for each head, of ours, of `torch.nn`, or a user's own."""

from kaoiro.training.losses.base import Loss, WeightedLoss
from kaoiro.training.losses.distributions import CrossEntropy, Focal, KullbackLeibler
from kaoiro.training.losses.heads import Losses

__all__ = ["CrossEntropy", "Focal", "KullbackLeibler", "Loss", "Losses", "WeightedLoss"]
