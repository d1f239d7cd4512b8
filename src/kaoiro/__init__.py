"""Kaoiro (顔色): facial-expression recognition."""

__version__ = "0.1.0"
