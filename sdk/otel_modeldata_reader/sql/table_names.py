"""The names that tables have in SQL: all collections of a store, and the joined rows of its deployments.

Each has its whole name, `"shop/blue/model_inputs"`, which needs quotes, and short ones that need none:
`shop_blue.model_inputs`, and `model_inputs` where one deployment only has such a collection. SQL ignores case. A short
name that could mean two tables means none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Table", "TableName", "TableNames", "quoted", "table_names"]

JOINED: Final = "joined"
"""The table of a deployment's joined rows."""
_ROWS: Final = "rows"
"""The table of a store that is the folder of one collection: its name in the store is empty."""
_JOINED_OF: Final = frozenset({"model_inputs", "model_outputs"})
_NO_WORD: Final = re.compile(r"\W")
_SYSTEM: Final = frozenset({"main", "information_schema", "pg_catalog"})


@dataclass(frozen=True, slots=True)
class Table:
    """What a name means.

    Attributes:
        root: the collection, as `Store.read` takes it, or the deployment of joined rows.
        is_joined: whether these are joined rows.
    """

    root: str
    is_joined: bool = False

    def __str__(self) -> str:
        return f"{self.root}/{JOINED}" if self.is_joined else self.root or _ROWS


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A name in SQL.

    Attributes:
        schema: empty for the names that need none.
        name: in the schema.
    """

    schema: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """Equal for names that are the same in SQL."""
        return self.schema.casefold(), self.name.casefold()

    @property
    def sql(self) -> str:
        """The name, quoted."""
        return f"{quoted(self.schema or 'main')}.{quoted(self.name)}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class TableNames:
    """The names of all tables of a store.

    Attributes:
        tables: what each name means, in the order in which names are shown.
    """

    tables: Mapping[TableName, Table]

    def find(self, schema: str, name: str) -> Table | None:
        """The table of a name in SQL."""
        schema = "" if schema.casefold() == "main" else schema
        key = TableName(schema, name).key
        return next((table for known, table in self.tables.items() if known.key == key), None)

    def meanings(self, name: str) -> list[TableName]:
        """The names in a schema that a short name could mean."""
        return [known for known in self.tables if known.schema and known.name.casefold() == name.casefold()]

    def of(self, table: Table) -> list[TableName]:
        """The names of a table, the whole one first."""
        return [name for name, one in self.tables.items() if one == table]


def table_names(collections: Iterable[str]) -> TableNames:
    """The names of the tables of a store.

    Args:
        collections: the folders of its collections.
    """
    roots = sorted(collections)
    parts = {root: root.split("/") for root in roots}
    deployments: dict[str, set[str]] = {}
    for root in roots:
        if len(parts[root]) == 3:
            deployments.setdefault(root.rpartition("/")[0], set()).add(parts[root][2])
    tables = [Table(root) for root in roots]
    tables += [Table(one, is_joined=True) for one, found in sorted(deployments.items()) if found >= _JOINED_OF]
    tiers = [
        [(TableName("", str(table)), table) for table in tables],
        [(TableName(*_in_schema(table)), table) for table in tables if table.is_joined or len(parts[table.root]) == 3],
        [(TableName("", _word(str(table).rpartition("/")[2])), table) for table in tables],
    ]
    found: dict[TableName, Table] = {}
    used: set[tuple[str, str]] = set()
    for is_short, tier in enumerate(tiers):
        count = Counter(name.key for name, _ in tier)
        for name, table in tier:
            if is_short and (count[name.key] > 1 or name.schema.casefold() in _SYSTEM):
                continue
            if name.key in used:
                if is_short:
                    continue
                name = _other(name, used)  # noqa: PLW2901 (of two names that only differ in case)
            used.add(name.key)
            found[name] = table
    return TableNames(found)


def quoted(name: str) -> str:
    """An identifier of SQL. DuckDB takes no zero byte in one."""
    name = name.replace("\0", "\ufffd").replace('"', '""')
    return f'"{name}"'


def _in_schema(table: Table) -> tuple[str, str]:
    deployment, _, collection = str(table).rpartition("/")
    return _word(deployment), _word(collection)


def _word(name: str) -> str:
    return _NO_WORD.sub("_", name)


def _other(name: TableName, used: set[tuple[str, str]]) -> TableName:
    number = 2
    while (other := TableName(name.schema, f"{name.name}_{number}")).key in used:
        number += 1
    return other
