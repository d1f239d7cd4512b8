"""Writing files so that nobody ever meets half of one."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; what was written there becomes `target` if the block ends well.

    If the block raises (Ctrl-C included), the temporary file is removed and `target` stays as it was. The temporary
    name keeps the target's suffix, because several writers choose the format by it. Parent folders are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.partial{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
