"""What a statement in SQL names: tables and columns."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import ReaderError
from .database import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from duckdb import DuckDBPyConnection

__all__ = ["NamedTable", "Statement", "parsed"]

_BLANK: Final = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
_EXPLAIN: Final = re.compile(
    rf"{_BLANK}*EXPLAIN{_BLANK}+(?:ANALYZE{_BLANK}+|\([^()]*\){_BLANK}*)?", re.IGNORECASE | re.DOTALL
)
_SYSTEM_SCHEMAS: Final = frozenset({"information_schema", "pg_catalog"})
_SYSTEM: Final = re.compile(r"(?:duckdb|pragma|sqlite|pg)_.*", re.IGNORECASE)
_READING: Final = frozenset({"SELECT", "EXPLAIN"})
_ALL_COLUMNS: Final = frozenset({"STAR", "PIVOT", "SHOW_REF"})
_ADVICE: Final = "write SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN"


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A table that a statement names.

    Attributes:
        schema: empty without one.
        name: as it is written.
    """

    schema: str
    name: str

    @property
    def is_system(self) -> bool:
        """Whether DuckDB has it: it lists tables and columns."""
        return self.schema.casefold() in _SYSTEM_SCHEMAS or (not self.schema and bool(_SYSTEM.fullmatch(self.name)))

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that reads.

    Attributes:
        text: the SQL.
        tables: the tables that it names, without those that it defines itself.
        lists_tables: whether it asks which tables there are.
        columns: all names that may be columns; None where it may have any column.
        node: the syntax tree.
    """

    text: str
    tables: tuple[NamedTable, ...]
    lists_tables: bool
    columns: frozenset[str] | None
    node: Mapping[str, Any]

    def needs(self, column: str) -> bool:
        """Whether it may need a column."""
        return self.columns is None or column.casefold() in {name.casefold() for name in self.columns}


def parsed(connection: DuckDBPyConnection, text: str) -> Statement:
    """The statement in a text.

    Raises:
        ReaderError: it is no SQL, not one statement, or one that does more than read.
    """
    import duckdb  # noqa: PLC0415 (slow to import)

    try:
        found = connection.extract_statements(text)
        kinds = [one.type.name.removesuffix("_STATEMENT") for one in found]
    except duckdb.Error as error:
        raise ReaderError(f"expected a statement in SQL, got one that DuckDB cannot read: {sentence(error)}") from None
    except (TypeError, UnicodeEncodeError):  # by the release of DuckDB
        raise ReaderError(
            f"expected a statement in SQL, got {text!r}, which is no text of Unicode: correct it"
        ) from None
    except ValueError:  # a kind of statement that has no name in Python
        raise ReaderError(f"expected a statement that reads, got another one: {_ADVICE}") from None
    if len(kinds) != 1:
        raise ReaderError(f"expected one statement in SQL, got {len(kinds) or 'none'}: {_ADVICE}")
    if kinds[0] == "MULTI":
        raise ReaderError("expected a PIVOT with its values, got one without: write PIVOT ... ON column IN (...)")
    if kinds[0] not in _READING:
        raise ReaderError(f"expected a statement that reads, got {kinds[0]}: {_ADVICE}")
    reading = _EXPLAIN.sub("", text, count=1)
    row = connection.execute("SELECT json_serialize_sql(?, skip_null := true, skip_empty := true)", [reading])
    tree = json.loads(row.fetchall()[0][0])
    if tree["error"] or not tree["statements"]:
        reason = tree.get("error_message", "it is none")
        raise ReaderError(f"expected a statement that reads, got one that DuckDB cannot: {reason}")
    return _statement(text, tree["statements"][0]["node"])


def _statement(text: str, node: Mapping[str, Any]) -> Statement:
    tables: dict[NamedTable, None] = {}
    own: set[str] = set()
    columns: set[str] = set()
    aliases: set[str] = set()
    lists_tables = has_star = False
    for one in _nodes(node):
        kind = str(one.get("type"))  # a type of data is an object
        own |= {entry["key"].casefold() for entry in one.get("cte_map", {}).get("map", ())}
        if "from_table" in one or kind in {"BASE_TABLE", "SUBQUERY"}:
            aliases |= {str(one.get(key)).casefold() for key in ("alias", "table_name") if one.get(key)}
        if kind == "BASE_TABLE" or (kind == "SHOW_REF" and one.get("show_type") == "SHOW"):
            tables[NamedTable(one.get("schema_name", ""), one["table_name"])] = None
        elif kind == "SHOW_REF" and "query" not in one:
            lists_tables = True
        elif kind == "COLUMN_REF":
            columns.update(one["column_names"])
        columns.update(one.get("using_columns", ()))
        has_star |= kind in _ALL_COLUMNS or one.get("ref_type") == "NATURAL"
    named = tuple(one for one in tables if one.schema or one.name.casefold() not in own)
    # `SELECT t FROM table AS t` is a whole row.
    is_whole = has_star or not aliases.isdisjoint(name.casefold() for name in columns)
    return Statement(
        text=text,
        tables=named,
        lists_tables=lists_tables or any(one.is_system for one in named),
        columns=None if is_whole else frozenset(columns),
        node=node,
    )


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
