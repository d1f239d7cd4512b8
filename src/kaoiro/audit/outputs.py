"""Where an audit's results go, looked at before the work begins."""

from pathlib import Path

from kaoiro.audit.mending import record_path
from kaoiro.corpus.schema import SPLITS
from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_target, kind_of, reported_writing


def check_outputs(corpus: Path, *, report: Path | None, json: Path | None, fix: Path | None) -> None:
    """Refuse files that cannot be written, that are the corpus itself, or that two results share.

    Raises:
        InputError: one of them is such a file.
    """
    outputs = {"--report": report, "--json": json, "--fix": fix}
    if fix is not None:
        outputs["the record of --fix"] = record_path(fix)
    taken: dict[Path, str] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        target = check_target(path)
        is_corpus = kind_of(target) == "file" and kind_of(corpus) == "file" and target.samefile(corpus)
        if is_corpus or target == corpus.resolve():
            raise InputError(f"{name} {path} is the corpus itself, and would overwrite it; give another file")
        if target in taken:
            raise InputError(f"{taken[target]} and {name} would both be written to {path}; give two files")
        taken[target] = name


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


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with reported_writing(path), atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")
