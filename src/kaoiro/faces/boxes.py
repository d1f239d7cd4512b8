"""Measures of boxes, and between them."""

from kaoiro.faces.crops import Box


def area(box: Box) -> float:
    """The area in square pixels; 0 for a box that is turned inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(box: Box, other: Box) -> float:
    """The area that two boxes share, divided by the area that they cover together, 0 to 1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (area(box) + area(other) - width * height)


def shift(start: Box, end: Box) -> tuple[float, float]:
    """From the centre of one box to that of another, `(x, y)` in pixels."""
    return (end[0] + end[2] - start[0] - start[2]) / 2, (end[1] + end[3] - start[1] - start[3]) / 2
