"""Message sizes as people write them."""

import re
from typing import Final

from kaoiro.errors import InputError

_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def parse_sizes(text: str) -> list[int]:
    """Read sizes like `1K,64K,1M`: bytes, or units of 1024, 1024² and 1024³ bytes.

    Raises:
        InputError: one of them is no size, or is 0.
    """
    sizes = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", part.strip(), re.IGNORECASE)
        size = int(match[1]) * _UNITS[match[2].upper()] if match else 0
        if size == 0:
            raise InputError(f"{part.strip()!r} is not a message size; give sizes like 1K,64K,1M,16M")
        sizes.append(size)
    return sizes
