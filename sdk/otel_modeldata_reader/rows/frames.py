"""Arrow tables to frames of pandas and Polars, with the values that the table has.

pandas has no missing value in its columns of integers. Where a column has one, it becomes a column of floats, as
`pandas.read_json` makes it, or of nullable integers if a float64 cannot hold every one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import ReaderError
from ..types.data_types import CODE_KEY
from .json_table import EXACT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl

__all__ = ["to_pandas", "to_polars"]

_MOST_BLOCKS: Final = 100


def to_pandas(table: pa.Table, unconverted: Callable[[str], object] = lambda _: None) -> pd.DataFrame:
    """The table as a frame; nested values are Python lists and dictionaries.

    Columns whose lines say their types have the dtypes that were collected. The table must not be used afterwards: its
    memory is released while the frame grows.

    Args:
        table: the rows.
        unconverted: called with the name of each column that has a cell which is no value of the type that its line
            says; it is converted as a column whose lines say no types.
    """
    import pandas as pd  # noqa: PLC0415 (slow to import)

    from ..types.pandas_columns import series_of  # noqa: PLC0415 (likewise)

    rows, schema, names = table.num_rows, table.schema, table.column_names
    columns = table.columns
    del table
    series: list[Any] = []
    for field in schema:
        column = columns.pop(0)
        if field.metadata and CODE_KEY in field.metadata:
            series.append(series_of(column, field, unconverted))
        elif (special := _special(column)) is not None:
            series.append(special)
        else:
            series.append(_plain(column))
    # pandas warns of frames of more blocks when a column is added; else a column is a block, which needs no copy.
    frame = pd.DataFrame(dict(enumerate(series)), index=pd.RangeIndex(rows), copy=len(series) > _MOST_BLOCKS)
    frame.columns = pd.Index(names)
    return frame


def _plain(column: Any) -> Any:
    """A column whose lines say no type, by Arrow's rules."""
    table = pa.table([column], names=["column"])
    del column
    return table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)["column"]


def to_polars(table: pa.Table) -> pl.DataFrame:
    """The table as a frame of Polars.

    Raises:
        ReaderError: Polars is not installed.
    """
    try:
        import polars as pl  # noqa: PLC0415 (optional)
    except ImportError:
        raise ReaderError("expected Polars, got no such package: pip install polars") from None
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes no series
    return frame


def _special(column: Any) -> Any:
    import pandas as pd  # noqa: PLC0415 (see above)

    if pa.types.is_nested(column.type):
        try:
            return pd.Series(column.to_pylist(), dtype=object)
        except OverflowError as error:
            raise ReaderError(
                f"expected times of the years 1 to 9999 in lists and structures, got others: {error}: call to_arrow()"
            ) from None
    if pa.types.is_integer(column.type) and column.null_count:
        low, high = pc.min_max(column).as_py().values()
        if low is not None and not (low >= -EXACT_LIMIT and high <= EXACT_LIMIT):
            dtype = pd.UInt64Dtype() if pa.types.is_unsigned_integer(column.type) else pd.Int64Dtype()
            return column.to_pandas(types_mapper={column.type: dtype}.get)
    return None
