"""What annotated copies of pictures are called, so that they never take the place of a picture."""

import re
from collections.abc import Iterable
from pathlib import Path

_OWN_NAME = re.compile(r"-expressions(-\d+)?\.(jpg|png)$", re.IGNORECASE)


def annotated_paths(pictures: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Name the annotated copy of each picture in `folder`.

    `a.jpg` becomes `a-expressions.jpg`, and a second `a.jpg` from elsewhere `a-expressions-2.jpg`. Copies of
    JPEG files are JPEG, all others PNG. No copy is called like one of the pictures, and the same pictures in
    the same order always get the same names.
    """
    pictures = list(pictures)
    taken = {_key(picture) for picture in pictures}
    names: dict[Path, Path] = {}
    for picture in pictures:
        suffix = ".jpg" if picture.suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif") else ".png"
        target = folder / f"{picture.stem}-expressions{suffix}"
        number = 1
        while _key(target) in taken:
            number += 1
            target = folder / f"{picture.stem}-expressions-{number}{suffix}"
        taken.add(_key(target))
        names[picture] = target
    return names


def is_annotated(picture: Path, folder: Path) -> bool:
    """Tell whether a picture is an annotated copy that an earlier run wrote into `folder`."""
    return bool(_OWN_NAME.search(picture.name)) and picture.parent.resolve() == folder.resolve()


def _key(path: Path) -> str:
    # Some file systems do not tell upper case from lower.
    return str(path.resolve()).casefold()
