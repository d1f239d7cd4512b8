"""One line about what went wrong in a network that Kaoiro did not write."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from kaoiro.errors import InputError

_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What Python and torch raise at mistakes in somebody's code."""

_NOT_TO_BLAME: Final = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]), "<frozen ")


@contextmanager
def reported_faults(what: str) -> Iterator[None]:
    """Turn a fault in a network's own code into one line that names the file and line it comes from.

    Args:
        what: the beginning of that line, for example `the network 'a.B' cannot be made`.

    Raises:
        InputError: the block failed. An `InputError` of the block passes as it is.
    """
    try:
        yield
    except InputError:
        raise
    except _FAULTS as error:
        message = " ".join(str(error).split()) or "no message"
        raise InputError(f"{what}: {type(error).__name__}: {message}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Where the innermost line stands that is neither torch's nor ours; a syntax error tells its place itself."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_NOT_TO_BLAME)]
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
