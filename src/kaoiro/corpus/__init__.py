"""Labelled faces: read from the layouts in which they are published, kept in one stored form."""
