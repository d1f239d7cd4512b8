"""Labelled faces, from a stored corpus to batches."""
