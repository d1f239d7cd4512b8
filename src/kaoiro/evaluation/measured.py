"""A figure that knows how sure it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A figure with its 95 % interval, all between 0 and 1."""

    value: float
    low: float
    high: float
