"""The networks, and the registry of their names."""

from kaoiro.models.classifier import ExpressionClassifier, Normalization
from kaoiro.models.registry import create_backbone, network_names

__all__ = ["ExpressionClassifier", "Normalization", "create_backbone", "network_names"]
