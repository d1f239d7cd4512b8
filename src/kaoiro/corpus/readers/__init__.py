"""One module for each published layout of labelled faces."""
