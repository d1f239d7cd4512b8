"""Weights: read from files, begun with, frozen, averaged."""
