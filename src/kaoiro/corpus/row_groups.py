"""A stored corpus read piece by piece: its Parquet row groups, pictures apart from everything else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kaoiro.corpus.pictures import decode_picture
from kaoiro.corpus.store import Corpus, check_metadata, checked_table, opened_parquet
from kaoiro.errors import CorpusError, ImageError
from kaoiro.media.face_pixels import face_pixels
from kaoiro.parallel import ordered_map

_PICTURES = "image.bytes"


@dataclass(frozen=True)
class Pictures:
    """The encoded pictures of one row group.

    Attributes:
        path: the corpus's file.
        encoded: the pictures' files.
        sources: where each came from.
    """

    path: Path
    encoded: pa.BinaryArray
    sources: pa.StringArray

    def decode(self, rows: NDArray[np.int64], size: int, channels: int, threads: int = 1) -> NDArray[np.uint8]:
        """Decode some rows' pictures into a model's input form, by the recipe of `face_pixels`.

        Args:
            rows: places in the row group, `int64 (n,)`.
            size: side of the square faces in pixels.
            channels: 1 for grey, 3 for RGB.
            threads: how many threads share the work.

        Returns:
            `uint8 (n, channels, size, size)`.

        Raises:
            CorpusError: a picture cannot be decoded; the message gives its source.
        """
        faces = np.empty((len(rows), channels, size, size), np.uint8)

        def decode(places: NDArray[np.int64]) -> None:
            for place in places.tolist():
                row = int(rows[place])
                try:
                    picture = decode_picture(self.encoded[row].as_py(), self.sources[row].as_py())
                except ImageError as error:
                    raise CorpusError(f"{self.path}: {error}; import the corpus again") from error
                faces[place] = face_pixels(picture, size, channels)

        places = np.arange(len(rows))
        if threads == 1:
            decode(places)
        else:
            for _ in ordered_map(decode, np.array_split(places, threads), threads):
                pass
        return faces


@dataclass(frozen=True)
class RowGroups:
    """A stored corpus of which nothing but the file's table of contents is in memory.

    Attributes:
        path: the file.
        contents: Parquet's table of contents.
    """

    path: Path
    contents: pq.FileMetaData

    def __len__(self) -> int:
        return int(self.contents.num_row_groups)

    def picture_bytes(self, group: int) -> int:
        """Size of a row group's encoded pictures."""
        about = self.contents.row_group(group)
        columns = (about.column(place) for place in range(about.num_columns))
        return sum(column.total_uncompressed_size for column in columns if column.path_in_schema == _PICTURES)

    def without_pictures(self, group: int) -> Corpus:
        """Read all of a row group but its pictures, which are empty in the corpus that comes back.

        Raises:
            CorpusError: the file cannot be read any more, or its contents break the format's rules.
        """
        names = self.contents.schema.to_arrow_schema().names
        if "image" not in names:
            raise CorpusError(f"{self.path} is a corpus without the column 'image'; import the corpus again")
        table = self._read(group, [name for name in names if name != "image"])
        rows = table.num_rows
        empty = pa.StructArray.from_arrays(
            [pa.repeat(pa.scalar(b"", pa.binary()), rows), pa.nulls(rows, pa.string())], ["bytes", "path"]
        )
        return Corpus(self.path, checked_table(self.path, table.append_column("image", empty)))

    def pictures(self, group: int) -> Pictures:
        """Read a row group's pictures.

        Raises:
            CorpusError: the file cannot be read any more, or a face has no picture.
        """
        table = self._read(group, [_PICTURES, "source"])
        encoded = pa.concat_arrays(chunk.field("bytes") for chunk in table["image"].chunks)
        if encoded.null_count:
            raise CorpusError(f"{self.path} has a face without a picture; import the corpus again")
        return Pictures(self.path, encoded, table["source"].combine_chunks())

    def _read(self, group: int, columns: list[str]) -> pa.Table:
        try:
            with pq.ParquetFile(self.path, metadata=self.contents) as file:
                return file.read_row_group(group, columns)
        except (OSError, pa.ArrowInvalid) as error:
            reason = str(error).partition("\n")[0]
            raise CorpusError(f"cannot read row group {group} of {self.path}: {reason}") from error


def open_row_groups(path: Path | str) -> RowGroups:
    """Open a stored corpus without reading its faces.

    Raises:
        CorpusError: the file is missing, is not Parquet, is not a corpus of Kaoiro or is one of a newer Kaoiro, or has
            no faces. Rows are checked as they are read.
    """
    path = Path(path)
    with opened_parquet(path) as file:
        contents = file.metadata
    check_metadata(path, contents.metadata or {})
    if contents.num_rows == 0:
        raise CorpusError(f"{path} is a corpus without faces; import the corpus again")
    return RowGroups(path, contents)
