"""Arrow tables to pandas, with the values that the table has.

pandas has no missing value in its columns of integers. Where a column has one, it becomes a column of floats, as
`pandas.read_json` makes it, or of nullable integers if a float64 cannot hold every one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from .json_table import EXACT_LIMIT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_pandas"]


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """The table as a frame; nested values are Python lists and dictionaries.

    The table must not be used afterwards: its memory is released while the frame grows.
    """
    import pandas as pd  # noqa: PLC0415 (slow to import)

    special = {name: column for name in table.column_names if (column := _special(table[name])) is not None}
    names = table.column_names
    table = table.drop_columns(list(special))
    frame = table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)
    if not special:
        return frame  # type: ignore[no-any-return]
    return pd.DataFrame({name: special[name] if name in special else frame[name] for name in names}, copy=False)


def _special(column: Any) -> Any:
    import pandas as pd  # noqa: PLC0415 (see above)

    if pa.types.is_nested(column.type):
        return pd.Series(column.to_pylist(), dtype=object)
    if pa.types.is_integer(column.type) and column.null_count:
        low, high = pc.min_max(column).as_py().values()
        if low is not None and not (low >= -EXACT_LIMIT and high <= EXACT_LIMIT):
            dtype = pd.UInt64Dtype() if pa.types.is_unsigned_integer(column.type) else pd.Int64Dtype()
            return column.to_pandas(types_mapper={column.type: dtype}.get)
    return None
