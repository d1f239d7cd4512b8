"""Results as tables for other people's tools: Arrow and pandas. Neither is needed until it is asked for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from kaoiro.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Rows = list[dict[str, Any]]
"""Rows of a table, each from column to plain value."""

TEXTS: Final = frozenset({"picture", "expression", "label"})
WHOLE_NUMBERS: Final = frozenset({"face", "frame", "track"})
"""Columns with texts, and with whole numbers; all others hold floating-point numbers."""


class HasRows(Protocol):
    """A `Face`, `Reading`, `Frame` or `Track`."""

    def to_rows(self, language: str | None = None) -> Rows: ...


def to_arrow(results: Iterable[HasRows], language: str | None = None) -> "pa.Table":
    """Make one Arrow table of results of one kind: faces, readings, frames or tracks.

    Args:
        results: what was read.
        language: with `en` or `ja`, a column `label` names the expressions in that language.

    Returns:
        The rows of all results, one after the other, with the columns that `docs/results.md` lists. A table of no rows
        has no columns.

    Raises:
        MissingExtraError: PyArrow is not installed.
        InputError: the language is unknown.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        raise MissingExtraError("an Arrow table", "tables", "pyarrow") from error
    rows = _rows(results, language)
    return pa.Table.from_pylist(rows, schema=arrow_schema(_columns(rows)))


def to_pandas(results: Iterable[HasRows], language: str | None = None) -> "pd.DataFrame":
    """Make one pandas data frame of results, as `to_arrow` does; missing whole numbers are `pandas.NA`.

    Raises:
        MissingExtraError: pandas is not installed.
        InputError: the language is unknown.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtraError("a data frame", "tables", "pandas") from error
    rows = _rows(results, language)
    columns = _columns(rows)
    types = {column: "Int64" if column in WHOLE_NUMBERS else "float64" for column in columns if column not in TEXTS}
    return pd.DataFrame(rows, columns=columns).astype(types)


def arrow_schema(columns: Iterable[str]) -> "pa.Schema":
    """The Arrow types of a table with these columns; PyArrow must be installed."""
    import pyarrow as pa

    types = dict.fromkeys(TEXTS, pa.string()) | dict.fromkeys(WHOLE_NUMBERS, pa.int64())
    return pa.schema([(column, types.get(column, pa.float64())) for column in columns])


def _rows(results: Iterable[HasRows], language: str | None) -> Rows:
    return [row for result in results for row in result.to_rows(language)]


def _columns(rows: Rows) -> list[str]:
    """The columns of all rows in the order of the fullest one: that of a picture without faces lacks some."""
    fullest: dict[str, Any] = max(rows, key=len, default={})
    return list(fullest)
