"""A new corpus out of a stored one: some faces left out, some columns replaced or added, the pictures as they are."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kaoiro.corpus.schema import SCHEMA, schema_with
from kaoiro.corpus.store import check_metadata, checked_table, opened_parquet, write_tables
from kaoiro.errors import CorpusError
from kaoiro.files import kind_of


def rewrite_corpus(
    source: Path,
    target: Path,
    *,
    keep: NDArray[np.bool_] | None = None,
    columns: Mapping[str, pa.Array] | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Write a stored corpus again with changes, and give the number of its faces.

    Pictures, names, sources and hashes stay as they are, and so does every column that is not replaced. One row group
    is in memory at a time. `target` appears, or is replaced, only when it is complete.

    Args:
        source: the corpus to read; it is not touched.
        target: the corpus to write.
        keep: `bool (n,)`, one for each face of the source: is it kept. All are, where it is not given.
        columns: whole columns by name, of n values each: replacements for `label`, `votes`, `split` or `group`, and
            columns of numbers, which are added where the source lacks them.
        on_progress: is told now and then which part is written, from 0 to 1.

    Raises:
        CorpusError: the source cannot be read, the target is the source or cannot be written, or no face is kept.
    """
    columns = dict(columns or {})
    if kind_of(target) == "file" and kind_of(source) == "file" and target.samefile(source):
        raise CorpusError(f"{target} is to be read, and would be overwritten; give another file to write")
    with opened_parquet(source) as file:
        check_metadata(source, file.schema_arrow.metadata or {})
        for name, values in columns.items():
            assert len(values) == file.metadata.num_rows, name
        tables = _tables(source, file, keep, columns, on_progress)
        first = next(tables, None)
        if first is None:
            raise CorpusError(f"{source} is a corpus without faces; import the corpus again")
        schema = first.schema

        def all_tables() -> Iterator[pa.Table]:
            yield first
            yield from tables

        return write_tables(target, schema, all_tables())


def _tables(
    source: Path,
    file: pq.ParquetFile,
    keep: NDArray[np.bool_] | None,
    columns: dict[str, pa.Array],
    on_progress: Callable[[float], None],
) -> Iterator[pa.Table]:
    start, rows = 0, file.metadata.num_rows
    for group in range(file.metadata.num_row_groups):
        if file.metadata.row_group(group).num_rows == 0:
            continue
        table = checked_table(source, file.read_row_group(group))
        end = start + len(table)
        for name, values in columns.items():
            table = _with_column(table, name, values.slice(start, len(table)))
        extra = [field for field in table.schema if field.name not in SCHEMA.names]
        table = table.cast(schema_with(extra))
        yield table if keep is None else table.filter(pa.array(keep[start:end]))
        on_progress(end / rows)
        start = end


def _with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.append_column(name, values) if place < 0 else table.set_column(place, name, values)
