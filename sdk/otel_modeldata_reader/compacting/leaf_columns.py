"""The columns of a Parquet file as it stores them: of a column of lists, the values in the lists."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["leaf_columns"]

_LISTS: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def leaf_columns(table: pa.Table) -> dict[str, Any]:
    """The values of each stored column by its path, such as `age` or `embedding.list.element`.

    Writers choose compression and encoding by these paths, and use no compression for a path that is not named.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table.schema.empty_table(), sink)
    schema = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    paths = [schema.column(number).path for number in range(len(schema))]
    values = [leaf for column in table.columns for leaf in _leaves(column)]
    return dict(zip(paths, values, strict=True))


def _leaves(column: Any) -> list[Any]:
    kind = column.type
    if pa.types.is_map(kind):
        entries = [(chunk.keys, chunk.items) for chunk in column.chunks]
        keys = pa.chunked_array([keys for keys, _ in entries], kind.key_type)
        return [keys, *_leaves(pa.chunked_array([items for _, items in entries], kind.item_type))]
    if pa.types.is_struct(kind):
        return [
            leaf for number in range(kind.num_fields) for leaf in _leaves(pc.struct_field(column, indices=[number]))
        ]
    if any(is_list(kind) for is_list in _LISTS):
        return _leaves(pc.list_flatten(column))
    return [column]
