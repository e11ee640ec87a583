"""The columns of a result that a statement takes from its tables as they are: they keep the types that were collected.

These are the columns and stars of a `SELECT ... FROM` tables, also joined, filtered and sorted. What is computed, and
what comes out of a sub-query, has the type that DuckDB gives it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PlainColumns", "plain_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainColumns:
    """Which columns of a result are columns of tables; names are in lower case, as SQL ignores case.

    Attributes:
        sources: the column of a table for columns of the result.
        has_star: whether other columns of the result may be columns of tables under their own names.
        computed: columns of the result that are none of a table.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    has_star: bool = False
    computed: frozenset[str] = frozenset()

    def source(self, name: str) -> str | None:
        """The column of a table that a column of the result is; None if it is none, or may be none."""
        name = name.casefold()
        if name in self.computed:
            return None
        return self.sources.get(name) or (name if self.has_star else None)


def plain_columns(node: Mapping[str, Any]) -> PlainColumns:
    """The plain columns of the statement with this syntax tree."""
    if node.get("type") != "SELECT_NODE" or not _is_of_tables(node):
        return PlainColumns()
    sources: dict[str, str] = {}
    computed: set[str] = set()
    has_star = False
    for one in node.get("select_list", ()):
        name = one.get("alias", "").casefold()
        if one.get("type") == "STAR" and not one.get("replace_list") and not one.get("rename_list"):
            has_star = True
        elif one.get("type") == "COLUMN_REF":
            column = one["column_names"][-1].casefold()
            sources[name or column] = column
        elif name:
            computed.add(name)
        elif one.get("type") == "STAR":
            return PlainColumns()
    return PlainColumns(sources=sources, has_star=has_star, computed=frozenset(computed))


def _is_of_tables(node: Mapping[str, Any]) -> bool:
    own = {entry["key"].casefold() for entry in node.get("cte_map", {}).get("map", ())}
    return all(
        one.get("type") == "BASE_TABLE" and one["table_name"].casefold() not in own and "column_name_alias" not in one
        for one in _sources(node.get("from_table", {}))
    )


def _sources(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if table.get("type") == "JOIN":
        yield from _sources(table["left"])
        yield from _sources(table["right"])
    else:
        yield table
