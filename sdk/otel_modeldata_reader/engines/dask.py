"""A Dask frame with one partition for each part of a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ..exceptions import ReaderError
from ..rows.frames import to_pandas
from ..types.data_types import CODE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from .partition import Partition
    from .planning import ReadPlan

__all__ = ["to_dask"]

_NUMPY: Final = re.compile(rb">?[biu]\d*")
"""The codes of NumPy's integers and truths."""


def to_dask(plan: ReadPlan) -> Any:
    """The rows of a plan, in their order.

    All partitions have the same dtypes: integers and truths with missing values have pandas' nullable ones.

    Raises:
        ReaderError: Dask is not installed, or the URL of the store holds a secret.
    """
    try:
        import dask.dataframe  # noqa: PLC0415 (optional)
        import dask.dataframe.utils  # noqa: PLC0415 (likewise)
    except ImportError:
        raise ReaderError("expected Dask, got no such package: pip install 'dask[dataframe]'") from None
    frames: Any = dask.dataframe  # has types in some releases
    dtypes = _nullable_dtypes(plan)
    meta = _typed(to_pandas(plan.schema.empty_table()), dtypes)
    if not plan.partitions:
        return frames.from_pandas(meta, npartitions=1)
    return frames.from_map(
        _read, list(plan.partitions), dtypes=dtypes, meta=frames.utils.clear_known_categories(meta), label="modeldata"
    )


def _read(partition: Partition, columns: Sequence[str] | None = None, *, dtypes: Mapping[str, str]) -> pd.DataFrame:
    schema = partition.rows.schema
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    table = pa.Table.from_batches(partition.batches(columns), schema=schema)
    return _typed(to_pandas(table.unify_dictionaries()), dtypes)


def _typed(frame: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    return frame.astype({name: dtype for name, dtype in dtypes.items() if name in frame.columns})


def _nullable_dtypes(plan: ReadPlan) -> dict[str, str]:
    """The nullable dtype of each column of integers or truths that has missing values anywhere."""
    found = {}
    for field in plan.schema:
        code = (field.metadata or {}).get(CODE_KEY)
        if field.name not in plan.nullable or (code is not None and _NUMPY.fullmatch(code) is None):
            continue  # the other dtypes have missing values of their own
        if pa.types.is_boolean(field.type):
            found[field.name] = "boolean"
        elif pa.types.is_integer(field.type):
            found[field.name] = str(field.type).replace("uint", "UInt").replace("int", "Int")
    return found
