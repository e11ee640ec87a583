"""A Parquet file with rows of a collection, and what is known about it without opening it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "LAST_TIME",
    "Group",
    "Kind",
    "Piece",
    "RowNumber",
    "Slice",
    "StoredColumn",
    "exact_slice",
    "exact_slices",
    "kind_of",
]

Kind: TypeAlias = Literal["number", "integer", "category", "text", "boolean", "time", "nested", "binary"]
"""What can be done with a column. `category` and `text` are both texts; a category has few values."""
LAST_TIME: Final = 2**63 - 2
"""In nanoseconds since the epoch. DuckDB takes the time after it for infinity, and -(2**63 - 1) for minus infinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """An own column in a file.

    Attributes:
        stored: its name in the file.
        type: the Arrow type of its values, as DuckDB has them.
        logical: the Arrow type as the lines say it.
        kind: of its values.
    """

    stored: str
    type: pa.DataType
    logical: pa.DataType
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some consecutive rows of a file, which are read together.

    Attributes:
        start: number of the first row in the file.
        rows: how many.
        first: the earliest time, in nanoseconds since the epoch.
        last: the latest one.
    """

    start: int
    rows: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file.

    Attributes:
        path: on this machine.
        date: the folder of its lines, such as `2026/11/22/10`.
        groups: its row groups.
        columns: the own columns by name.
    """

    path: str
    date: str
    groups: tuple[Group, ...]
    columns: Mapping[str, StoredColumn]

    @property
    def rows(self) -> int:
        """How many rows."""
        return sum(one.rows for one in self.groups)

    @property
    def first(self) -> int:
        """The earliest time, in nanoseconds since the epoch."""
        return min(one.first for one in self.groups)

    @property
    def last(self) -> int:
        """The latest time, likewise."""
        return max(one.last for one in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some rows of a piece.

    Attributes:
        piece: the file.
        start: number of the first row.
        rows: how many.
        first: no row has an earlier time.
        last: no row has a later one.
        is_cut: whether there are others with such times, which are not meant.
        numbers: of the only rows of the file that are meant; empty is all from `start` on.
    """

    piece: Piece
    start: int
    rows: int
    first: int
    last: int
    is_cut: bool = False
    numbers: tuple[int, ...] = ()


RowNumber: TypeAlias = tuple[Piece, int]
"""A row: its file, and its number in it."""


def exact_slices(rows: Iterable[RowNumber]) -> list[Slice]:
    """Some rows by their numbers, one slice for each file."""
    found: dict[str, tuple[Piece, set[int]]] = {}
    for piece, number in rows:
        found.setdefault(piece.path, (piece, set()))[1].add(number)
    return [exact_slice(piece, sorted(numbers)) for piece, numbers in found.values()]


def exact_slice(piece: Piece, numbers: Sequence[int]) -> Slice:
    """Some rows of a file by their numbers, in ascending order.

    DuckDB unpacks of a row group what is around such rows, however far they are from each other.
    """
    groups = [one for one in piece.groups if any(one.start <= number < one.start + one.rows for number in numbers)]
    return Slice(
        piece=piece,
        start=numbers[0],
        rows=numbers[-1] - numbers[0] + 1,
        first=min(one.first for one in groups),
        last=max(one.last for one in groups),
        numbers=tuple(numbers),
    )


def kind_of(kind: Any) -> Kind:  # noqa: PLR0911 (a table of kinds)
    """The kind of values of an Arrow type."""
    types = pa.types
    if types.is_dictionary(kind):
        return "category"
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_duration(kind):
        return "number"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "time"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "binary"
    return "nested" if types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) else "text"
