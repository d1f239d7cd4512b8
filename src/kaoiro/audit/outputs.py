"""Where an audit's results go, and which splits it may touch."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kaoiro.corpus.schema import SPLITS
from kaoiro.errors import InputError
from kaoiro.files import atomic_path, reported_writing


def parse_splits(text: str) -> tuple[str, ...]:
    """Read a list of splits, `train,validation` for example.

    Raises:
        InputError: a name is no split, or none is given.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SPLITS]
    if unknown or not names:
        what = f"{unknown[0]!r} is not a split" if unknown else f"{text!r} names no split"
        raise InputError(f"--from: {what}; give one or more of {', '.join(SPLITS)}")
    return tuple(name for name in SPLITS if name in names)


@contextmanager
def written_together(texts: Mapping[Path, str]) -> Iterator[None]:
    """Write texts to files that take their places only if the block ends well.

    So a file that cannot be written stops the block before it begins, and a block that fails leaves none of them.

    Raises:
        InputError: one of them cannot be written.
    """
    with ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(reported_writing(path))
            stack.enter_context(atomic_path(path)).write_text(text, encoding="utf-8")
        yield
