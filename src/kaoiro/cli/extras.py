"""Telling a package that an extra would install from a fault of our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from kaoiro.errors import MissingExtraError


@contextmanager
def extra_needed(feature: str, extra: str) -> Iterator[None]:
    """Turn a missing package into a line that says which extra installs it; wrap the imports in it.

    Raises:
        MissingExtraError: a package of others is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "kaoiro":
            raise
        raise MissingExtraError(feature, extra, package) from error
