"""Stored corpora: write one row by row, open one, and hand out what training and evaluation need."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import decode_picture
from kaoiro.corpus.schema import FORMAT_VERSION, READABLE_VERSIONS, SCHEMA, SPLITS, schema_with
from kaoiro.errors import CorpusError, ImageError, InputError
from kaoiro.expressions import EIGHT, VOTE_NAMES
from kaoiro.files import atomic_path, check_target, kind_of
from kaoiro.media.face_pixels import face_pixels
from kaoiro.parallel import ordered_map

_ROW_GROUP_ROWS = 4096
_ROW_GROUP_BYTES = 64 * 2**20
# Encoded pictures and hashes do not shrink any further.
_UNCOMPRESSED = {"image.bytes": "none", "sha256": "none"}
_COMPRESSED = ("image.path", "label", "votes.list.element", "split", "source", "group")
_REPEATING = ["label", "votes.list.element", "split", "group"]


@dataclass(frozen=True)
class Corpus:
    """Labelled faces in memory; each row is a face.

    Attributes:
        path: the file from which they were read.
        table: the rows, with the columns of `kaoiro.corpus.schema.SCHEMA`, then the columns of numbers that the file
            has beside them.
    """

    path: Path
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def splits(self) -> dict[str, int]:
        """Count the faces of each split that occurs, in the order of `SPLITS`.

        Faces without a split are not counted.
        """
        counted = self.table["split"].value_counts().to_pylist()
        counts = {entry["values"]: entry["counts"] for entry in counted}
        return {split: counts[split] for split in SPLITS if split in counts}

    def select(self, split: str) -> "Corpus":
        """Keep the faces of one split, in their order.

        Raises:
            CorpusError: no face is in that split.
        """
        splits = self.splits()
        if split not in splits:
            there = f"its splits are {', '.join(splits)}" if splits else "its faces are not divided into splits"
            there += "; `kaoiro data import` sets faces aside with --validation 0.1 --test 0.1"
            raise CorpusError(f"{self.path} has no split {split!r}; {there}")
        return Corpus(self.path, self.table.filter(pc.equal(self.table["split"], split)))

    def labels(self) -> list[str | None]:
        """Give each face's expression by name, None where it has none."""
        labels: list[str | None] = self.table["label"].to_pylist()
        return labels

    def label_indices(self) -> NDArray[np.int64]:
        """Give each face's expression as `int64 (n,)`, by its place in `Expression`; -1 where it has none."""
        indices = pc.index_in(self.table["label"], value_set=pa.array(EIGHT, pa.string()))
        return np.asarray(pc.fill_null(indices, -1).to_numpy(), dtype=np.int64)

    def votes(self) -> NDArray[np.uint8] | None:
        """Give the raters' votes as `uint8 (n, 10)` in the order of `VOTE_NAMES`.

        A face without votes has zeros. None if no face has any.
        """
        column = self.table["votes"].combine_chunks()
        has_votes = column.is_valid().to_numpy(zero_copy_only=False)
        if not has_votes.any():
            return None
        votes = np.zeros((len(self), len(VOTE_NAMES)), np.uint8)
        votes[has_votes] = column.flatten().to_numpy().reshape(-1, len(VOTE_NAMES))
        return votes

    def column(self, name: str) -> NDArray[np.float32]:
        """Give a column of numbers that the file has beside the schema's, for example `valence`.

        Returns:
            `float32 (n,)`: false and true are 0 and 1, and null is NaN.

        Raises:
            CorpusError: the corpus has no such column of numbers; the message names those that it has.
        """
        extra = self.extra_columns()
        if name not in extra:
            there = f"it has {', '.join(extra)}" if extra else "it has none beside the usual ones"
            raise CorpusError(f"{self.path} has no column of numbers {name!r}; {there}")
        return np.asarray(
            pc.fill_null(self.table[name].cast(pa.float32(), safe=False), np.nan).to_numpy(), dtype=np.float32
        )

    def extra_columns(self) -> tuple[str, ...]:
        """Name the columns of numbers that the file has beside the schema's."""
        return tuple(name for name in self.table.column_names if name not in SCHEMA.names)

    def groups(self) -> list[str | None]:
        """Give what each face shares with others that must stay in one split, None where it has nothing."""
        groups: list[str | None] = self.table["group"].to_pylist()
        return groups

    def sources(self) -> list[str]:
        """Say of each face where it came from, for example `fer2013.csv:17`."""
        sources: list[str] = self.table["source"].to_pylist()
        return sources

    def decode_faces(self, size: int, channels: int) -> NDArray[np.uint8]:
        """Decode every picture into a model's input form, by the recipe of `face_pixels`.

        Args:
            size: side of the square faces in pixels.
            channels: 1 for grey, 3 for RGB.

        Returns:
            `uint8 (n, channels, size, size)`.

        Raises:
            CorpusError: a picture cannot be decoded; the message gives its source.
        """
        faces = np.empty((len(self), channels, size, size), np.uint8)
        pictures = (scalar.as_py() for chunk in self.table["image"].chunks for scalar in chunk.field("bytes"))

        def decode(picture_and_source: tuple[bytes, str]) -> NDArray[np.uint8]:
            try:
                return face_pixels(decode_picture(*picture_and_source), size, channels)
            except ImageError as error:
                raise CorpusError(f"{self.path}: {error}; import the corpus again") from error

        for row, face in enumerate(ordered_map(decode, zip(pictures, self.sources(), strict=True), ahead=64)):
            faces[row] = face
        return faces


def open_corpus(path: Path | str) -> Corpus:
    """Read a stored corpus.

    Raises:
        CorpusError: the file is missing, is not Parquet, is not a corpus of Kaoiro or is one of a newer
            Kaoiro, or its contents break the format's rules.
    """
    path = Path(path)
    with opened_parquet(path) as file:
        check_metadata(path, file.schema_arrow.metadata or {})
        table = file.read()
    return Corpus(path, checked_table(path, table))


@contextmanager
def opened_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a corpus's file for the block.

    Raises:
        CorpusError: the file is missing or is not Parquet, or reading it in the block fails.
    """
    if (kind := kind_of(path)) != "file":
        what = {"folder": "is a folder", "missing": "does not exist"}.get(kind, "is not an ordinary file")
        raise CorpusError(f"{path} {what}; a corpus is a Parquet file that `kaoiro data import` writes")
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{path} is not a readable Parquet file; make it again with `kaoiro data import`") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}") from error


def write_corpus(path: Path, faces: Iterable[LabelledFace], numbers: Sequence[str] = ()) -> int:
    """Write faces as a corpus, in row groups as they come, and give their number.

    `path` appears, or is replaced, only when every face is written.

    Args:
        path: the Parquet file.
        faces: the rows.
        numbers: the columns of numbers that faces may have beside the usual ones, in their order.

    Raises:
        CorpusError: there are no faces, or the file cannot be written.
    """
    schema = schema_with(pa.field(name, pa.float32()) for name in numbers)
    return write_tables(path, schema, (_table(group, schema) for group in _row_groups(faces)))


def write_tables(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write tables as the row groups of a corpus, and give the number of faces; empty ones are passed over.

    `path` appears, or is replaced, only when every table is written.

    Raises:
        CorpusError: there are no faces, or the file cannot be written.
    """
    try:
        check_target(path)
    except InputError as error:
        raise CorpusError(str(error)) from error
    numbers = [name for name in schema.names if name not in SCHEMA.names]
    compression = dict.fromkeys((*_COMPRESSED, *numbers), "zstd") | _UNCOMPRESSED
    written = 0
    try:
        with atomic_path(path) as temporary:
            with pq.ParquetWriter(temporary, schema, compression=compression, use_dictionary=_REPEATING) as writer:
                for table in tables:
                    if len(table):
                        writer.write_table(table)
                    written += len(table)
            if written == 0:
                raise CorpusError(f"there are no faces to write to {path}")
    except OSError as error:
        raise CorpusError(f"cannot write {path}: {error.strerror or error}") from error
    return written


def _row_groups(faces: Iterable[LabelledFace]) -> Iterable[list[LabelledFace]]:
    group: list[LabelledFace] = []
    size = 0
    for face in faces:
        group.append(face)
        size += len(face.image_bytes)
        if len(group) == _ROW_GROUP_ROWS or size >= _ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _table(faces: list[LabelledFace], schema: pa.Schema) -> pa.Table:
    rows = [
        {
            "image": {"bytes": face.image_bytes, "path": face.name},
            "label": face.label,
            "votes": face.votes,
            "split": face.split,
            "source": face.source,
            "sha256": hashlib.sha256(face.image_bytes).hexdigest(),
            "group": face.group,
            **face.numbers,
        }
        for face in faces
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def check_metadata(path: Path, metadata: dict[bytes, bytes]) -> None:
    """Refuse a Parquet file that is no corpus of this version.

    Raises:
        CorpusError: the file's metadata are missing, cannot be read, or are another version's.
    """
    note = metadata.get(b"kaoiro.corpus")
    if note is None:
        raise CorpusError(f"{path} is a Parquet file but not a corpus; make one with `kaoiro data import`")
    try:
        version = json.loads(note)["version"]
        votes = json.loads(note)["votes"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: its `kaoiro.corpus` metadata cannot be read; import the corpus again") from error
    if version not in READABLE_VERSIONS:
        raise CorpusError(
            f"{path} is a corpus of version {version!r}, and this Kaoiro reads versions up to {FORMAT_VERSION}; "
            "install a newer Kaoiro or import the corpus again"
        )
    if tuple(votes) != VOTE_NAMES:
        raise CorpusError(f"{path} keeps its votes in another order ({', '.join(votes)}); import the corpus again")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def checked_table(path: Path, table: pa.Table) -> pa.Table:
    """Bring a table to the schema's columns and types, and hold its values against the rules.

    Columns of numbers beside the schema's are kept, others are dropped.
    """
    if "group" not in table.column_names:  # version 1
        table = table.append_column("group", pa.nulls(len(table), pa.string()))
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise CorpusError(f"{path} is a corpus without the column {missing[0]!r}; import the corpus again")
    extra = [field for field in table.schema if field.name not in SCHEMA.names and _is_number(field.type)]
    wanted = [*SCHEMA.names, *(field.name for field in extra)]
    twice = [name for name in wanted if table.column_names.count(name) > 1]
    if twice:
        raise CorpusError(f"{path} has two columns of the name {twice[0]!r}; give one of them another name")
    try:
        table = table.select(wanted)
        table = table.cast(schema_with(extra))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CorpusError(f"{path} has columns of other types than a corpus; import the corpus again") from error
    if any(chunk.field("bytes").null_count for chunk in table["image"].chunks):
        raise CorpusError(f"{path} has a face without a picture; import the corpus again")
    if len(table) == 0:
        raise CorpusError(f"{path} is a corpus without faces; import the corpus again")
    for column, allowed in (("label", EIGHT), ("split", SPLITS)):
        found = set(table[column].unique().to_pylist()) - {None, *allowed}
        if found:
            raise CorpusError(f"{path} has the {column} {min(found)!r}; it must be one of {', '.join(allowed)}")
    lengths = set(pc.list_value_length(table["votes"]).unique().to_pylist()) - {None, len(VOTE_NAMES)}
    if lengths:
        raise CorpusError(f"{path} has a face with {min(lengths)} votes in place of {len(VOTE_NAMES)}")
    return table
