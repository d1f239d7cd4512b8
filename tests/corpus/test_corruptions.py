"""A thousand random corruptions of sources in every layout: none crashes an import, and none loses another's face."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.layout_fixtures import FIXTURES, draw_face, save, write_text
from kaoiro.corpus.importing import import_corpus
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError
from kaoiro.expressions import SEVEN
from kaoiro.media.images import PICTURE_SUFFIXES

FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def write_fer2013(root: Path) -> None:
    lines = []
    for number in range(8):
        pixels = cv2.resize(draw_face(number), (48, 48))[..., 0]
        lines.append(f"{number % 7},{' '.join(map(str, pixels.ravel()))},Training\n")
    write_text(root / "fer2013.csv", "emotion,pixels,Usage\n" + "".join(lines))


def write_fer2013_with_votes(root: Path) -> None:
    write_fer2013(root)
    votes = "".join(f"Training,fer{number:07}.png,{number},0,3,0,0,0,{8 - number},0,0,0\n" for number in range(8))
    write_text(root / "fer2013new.csv", f"{FERPLUS_HEADER}\n{votes}")


def write_class_folders(root: Path) -> None:
    for number in range(8):
        save(root / f"train/{SEVEN[number % 7]}/{number}.{'png' if number % 2 else 'bmp'}", draw_face(number))


def write_picture_list(root: Path) -> None:
    lines = []
    for number in range(8):
        save(root / f"faces/no. {number}.png", draw_face(number))
        lines.append(f'"faces/no. {number}.png",{SEVEN[number % 7]},train,"S, {number}",{number / 8}\n')
    write_text(root / "list.csv", "path,label,split,subject,valence\n" + "".join(lines))


def write_json_list(root: Path) -> None:
    lines = []
    for number in range(8):
        save(root / f"faces/{number}.jpg", draw_face(number))
        lines.append(
            json.dumps({"path": f"faces/{number}.jpg", "label": SEVEN[number % 7], "valence": number / 8}) + "\n"
        )
    write_text(root / "list.jsonl", "".join(lines))


def write_ferplus(root: Path) -> None:
    for split, begin in (("Train", 0), ("Valid", 4), ("Test", 6)):
        folder = root / f"FER2013{split}"
        lines = []
        for number in range(begin, begin + 4 - 2 * bool(begin)):
            save(folder / f"fer{number:07}.png", draw_face(number)[..., 0])
            lines.append(f'fer{number:07}.png,"(0, 0, 48, 48)",{number},0,3,0,0,0,{8 - number},0,0,0\r\n')
        write_text(folder / "label.csv", "".join(lines))


def write_hugging_face(root: Path) -> None:
    for number in range(8):
        save(root / f"{number}.png", draw_face(number))
    faces = [{"bytes": (root / f"{number}.png").read_bytes(), "path": f"{number}.png"} for number in range(8)]
    for face in faces:
        (root / face["path"]).unlink()
    (root / "data").mkdir()
    names = "".join(f"          '{number}': {name}\n" for number, name in enumerate(SEVEN))
    for split, rows in (("train", slice(0, 6)), ("test", slice(6, 8))):
        table = pa.table({"image": faces[rows], "label": [number % 7 for number in range(8)][rows]})
        pq.write_table(table, root / f"data/{split}-0.parquet", row_group_size=2)
    features = "  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
    write_text(root / "README.md", f"---\ndataset_info:\n{features}{names}---\n")


class Form(NamedTuple):
    """A source that is corrupted: what makes it below a folder, and which path there is imported."""

    write: Callable[[Path], object]
    source: str = "."
    ferplus: str | None = None


FORMS = {
    **{name: Form(fixture.write, fixture.source) for name, fixture in FIXTURES.items()},
    "FER2013": Form(write_fer2013, "fer2013.csv"),
    "FER2013 with votes": Form(write_fer2013_with_votes, "fer2013.csv", "fer2013new.csv"),
    "class folders": Form(write_class_folders),
    "list": Form(write_picture_list),
    "JSON lines": Form(write_json_list, "list.jsonl"),
    "FERPlus": Form(write_ferplus),
    "Hugging Face": Form(write_hugging_face),
}
CORRUPTIONS = 1000 // len(FORMS) + 1


def corrupted(content: bytes, draw: random.Random) -> bytes:
    """Flip, insert or delete some bytes, or cut the end off."""
    place = draw.randrange(len(content) + 1)
    run = draw.choice((1, 1, 2, 8, 200))
    kind = draw.choice(("flip", "insert", "delete", "cut"))
    if kind == "flip":
        changed = bytearray(content)
        for _ in range(run):
            changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == "insert":
        odd = draw.choice((b'"', b"\n", b"\r", b"\0", b",", b"\xff", b" ", b"-", draw.randbytes(1)))
        return content[:place] + odd * run + content[place:]
    return content[:place] + (content[place + run :] if kind == "delete" else b"")


def faces_of(corpus: Corpus) -> list[str]:
    """Spell each face with all but its name and source, which an added or lost line of a list shifts."""
    rows = corpus.table.drop_columns(["image", "source"]).to_pylist()
    return [json.dumps({name: value for name, value in row.items() if value is not None}) for row in rows]


@dataclass(frozen=True)
class Origin:
    """Where a face came from: its picture's path below the source, or a line of a list."""

    source: str

    @property
    def line(self) -> tuple[str, int] | None:
        """The list's path and the line's place from 0, if it came by a line."""
        file, colon, number = self.source.rpartition(":")
        return (file, int(number) - 1) if colon else None

    def own_lines(self, file: Path, lines: list[bytes]) -> list[bytes]:
        """Give the lines of a list that say something of the face."""
        if self.line is None:
            return [line for line in lines if Path(self.source).stem.removesuffix("_aligned").encode() in line]
        name, place = self.line
        # FERPlus's second file is about the same lines as the first.
        return [lines[place]] if file.as_posix().endswith(name) or file.name == "fer2013new.csv" else []

    def has_file(self, file: Path, lists: dict[Path, bytes]) -> bool:
        """Say whether a file is the face's own: its picture, or one of its name beside it."""
        if self.line is None:
            return bool(re.match(rf"{re.escape(Path(self.source).stem)}[._]", file.name))
        return any(
            file.name.encode() in line for path in lists for line in self.own_lines(path, lists[path].split(b"\n"))
        )


def breaks_structure(form: Form, file: Path, before: bytes, after: bytes) -> bool:
    """Say whether a change hits what a source as a whole rests on, so that an import may refuse it."""
    has_header = file.suffix == ".csv" and file.name != "label.csv"
    return (
        file.suffix in (".parquet", ".md")
        or (has_header and before.partition(b"\n")[0] != after.partition(b"\n")[0])
        # The rows of two files go together by their number.
        or (form.ferplus is not None and before.count(b"\n") != after.count(b"\n"))
    )


@pytest.mark.parametrize("name", FORMS)
def test_corruptions(name, tmp_path):
    form, draw = FORMS[name], random.Random(name)
    root, target = tmp_path / "in", tmp_path / "out" / "c.parquet"
    root.mkdir()
    form.write(root)
    source = root / form.source
    options = {"ferplus": root / form.ferplus} if form.ferplus else {}
    import_corpus(source, target, **options)
    faces = faces_of(open_corpus(target))
    origins = [Origin(its_source) for its_source in open_corpus(target).sources()]
    files = sorted(path for path in root.rglob("*") if path.is_file())
    lists = {path: path.read_bytes() for path in files if path.suffix.lower() not in PICTURE_SUFFIXES}

    imported = 0
    for _ in range(CORRUPTIONS):
        file = draw.choice(draw.choice([group for group in (files, list(lists)) if group]))
        before = file.read_bytes()
        after = corrupted(before, draw)
        left = set(after.split(b"\n"))
        untouched = Counter(
            face
            for face, origin in zip(faces, origins, strict=True)
            if not breaks_structure(form, file, before, after)
            and (
                all(line in left for line in origin.own_lines(file, before.split(b"\n")))
                if file in lists and not origin.has_file(file, {})
                else not origin.has_file(file, lists)
            )
        )
        file.write_bytes(after)
        target.unlink()
        try:
            import_corpus(source, target, **options)
        except CorpusError as error:
            assert str(error).isprintable()
            assert not untouched, (str(error), file, before, after)
            assert not list(target.parent.iterdir())
            target.touch()
        else:
            imported += 1
            lost = untouched - Counter(faces_of(open_corpus(target)))
            assert not lost, (file, before, after)
            assert list(target.parent.iterdir()) == [target]
        file.write_bytes(before)
    assert imported
