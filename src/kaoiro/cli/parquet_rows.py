"""Writing rows to a Parquet file as they come, a bounded number of them in memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kaoiro.recognition.tables import Rows

_ROWS_IN_MEMORY: Final = 16_384


@contextmanager
def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Callable[["Rows"], None]]:
    """Give the function that takes rows, one list after the other, and writes them to a file.

    Args:
        path: the file; it is whole when the block ends.
        columns: those of `kaoiro.recognition.tables`, by name.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from kaoiro.recognition.tables import arrow_schema

    schema = arrow_schema(columns)
    waiting: Rows = []
    with parquet.ParquetWriter(path, schema) as file:

        def flush() -> None:
            file.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        def write(rows: "Rows") -> None:
            waiting.extend(rows)
            if len(waiting) >= _ROWS_IN_MEMORY:
                flush()

        yield write
        flush()
