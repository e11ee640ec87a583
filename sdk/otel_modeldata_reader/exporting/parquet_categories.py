"""The categories of columns whose lines do not list them: as a frame has them, those that occur, sorted."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..types.categories import categories_of
from ..types.data_types import CODE_KEY

__all__ = ["OccurringCategories"]


class OccurringCategories:
    """Gives the columns of tables one dictionary each, which grows with the tables.

    Args:
        schema: of the rows.
        written: the columns as the file has them.
    """

    def __init__(self, schema: pa.Schema, written: pa.Schema) -> None:
        self._known: dict[str, Any] = {
            field.name: pa.array([], pa.string())
            for field, other in zip(schema, written, strict=True)
            if pa.types.is_dictionary(other.type) and _is_unlisted(field)
        }

    @property
    def are_sorted(self) -> bool:
        """Whether the categories of all tables so far are in their order."""
        return all(values.equals(_sorted(values)) for values in self._known.values())

    def sort(self) -> None:
        """Give the next tables the categories of all tables so far, in their order."""
        self._known = {name: _sorted(values) for name, values in self._known.items()}

    def of_table(self, table: pa.Table) -> pa.Table:
        """A table with these dictionaries; what they do not have is added."""
        for name, known in self._known.items():
            place = table.schema.get_field_index(name)
            field, texts = table.schema.field(place), table[name].cast(pa.string())
            found = pc.unique(texts).drop_null()
            values = pa.concat_arrays([known, _sorted(found.filter(pc.invert(pc.is_in(found, known))))])
            self._known[name] = values
            indices = pc.index_in(texts, values).cast(field.type.index_type).combine_chunks()
            array = pa.DictionaryArray.from_arrays(_array(indices), values, ordered=field.type.ordered)
            table = table.set_column(place, field, array)
        return table


def _is_unlisted(field: pa.Field) -> bool:
    code = (field.metadata or {}).get(CODE_KEY, b"").decode()
    return bool(code) and categories_of(code) is None


def _sorted(values: Any) -> Any:
    return values.take(pc.sort_indices(values))


def _array(column: Any) -> Any:
    """One array; an old release of Arrow gives chunks."""
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
