"""Reading files of torch without running anything that they might carry."""

import pickle
import pickletools
import re
import warnings
from pathlib import Path
from typing import Any, Final

import torch

from kaoiro.errors import ModelFileError

_NAMED_CODE: Final = re.compile(r"GLOBAL (\S+)|unrecognized function (\S+)|but got <class '(\S+)'>")
_DAMAGE: Final = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    pickle.UnpicklingError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch raises for files that are damaged, of another kind, or refused."""


def load_safely(path: Path) -> Any:
    """Read what `torch.save` wrote: tensors, numbers, texts and collections of them.

    Everything comes onto the CPU, whatever device it was saved from.

    Source: `weights_only` of `torch.load`, https://docs.pytorch.org/docs/stable/notes/serialization.html.

    Raises:
        ModelFileError: the file is missing, is none of torch, or would have to run code of its own to be read.
    """
    if not path.is_file():
        raise ModelFileError(f"there is no file {str(path)!r}")
    try:
        with warnings.catch_warnings():
            # torch warns of pickles of other kinds before it refuses them.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise ModelFileError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except _DAMAGE as error:
        named = _NAMED_CODE.search(str(error))
        code = next(name for name in named.groups() if name) if named else _code_of_plain_pickle(path)
        if code is None:
            raise ModelFileError(
                f"{str(path)!r} is no checkpoint or weights file of torch, or not a whole one"
            ) from error
        raise ModelFileError(
            f"{str(path)!r} is refused: it wants to run code when it is loaded ({code.rstrip('.')}); "
            "if it is yours, save the weights alone, with torch.save(model.state_dict(), …)"
        ) from error


def _code_of_plain_pickle(path: Path) -> str | None:
    """The first function or class that a pickle, not made by torch, asks for; None for files that are no pickles."""
    texts: list[str] = []
    try:
        with path.open("rb") as file:
            for operation, argument, _ in pickletools.genops(file):
                if operation.name in ("GLOBAL", "INST"):
                    return str(argument).replace(" ", ".")
                if operation.name == "STACK_GLOBAL":
                    return ".".join(texts[-2:])
                if isinstance(argument, str):
                    texts.append(argument)
    except (OSError, ValueError, IndexError, KeyError, OverflowError, UnicodeDecodeError):
        pass
    return None
