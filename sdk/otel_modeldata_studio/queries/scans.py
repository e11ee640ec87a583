"""Scans of pieces: one SELECT for each group of files that have the wanted columns with the same names and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tables.piece import Piece, Slice
from .sql import Sql, identifier, joined, literal, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.window import Window

    from ..tables.column import Column
    from ..tables.row_bits import RowBits

__all__ = ["AT", "ENVELOPE", "PLACE", "scan"]

ENVELOPE = ("row_id", "time", "event_id", "correlationid", "traceparent", "modelversion")
"""Columns of a row beside its own; in a scan they have these names with an underscore before them."""
PLACE = "place"
"""As a column of the envelope: the file and the number of a row that has no row id or no event id; empty for others."""
AT = "at"
"""As a column of the envelope: the number of a row, from the number of the first row of its file on."""
_PLACE = (
    "CASE WHEN coalesce(row_id, '') = '' OR coalesce(event_id, '') = '' "
    "THEN hash(filename) || ':' || lpad(CAST(file_row_number AS VARCHAR), 12, '0') ELSE '' END"
)


def scan(  # noqa: PLR0913 (most are keywords)
    pieces: Sequence[Piece | Slice],
    columns: Mapping[str, Column],
    aliases: Mapping[str, str],
    window: Window,
    *,
    envelope: Iterable[str] = ("row_id", "time"),
    bits: RowBits | None = None,
    starts: Mapping[str, int] | None = None,
) -> Sql:
    """The rows of pieces.

    Args:
        pieces: files, or some rows of files.
        columns: the columns of all pieces.
        aliases: the wanted own columns, and the names that they get.
        window: only rows of this window.
        envelope: the wanted columns of the envelope.
        bits: only these rows; None is all.
        starts: for `AT`: the numbers of the first rows of files, by their paths.
    """
    groups: dict[tuple[object, ...], list[Piece | Slice]] = {}
    for one in pieces:
        piece = one.piece if isinstance(one, Slice) else one
        own = tuple(_expression(piece, columns[name]) for name in aliases)
        # Of several files DuckDB takes the types of the first one, and casts the values of the others to them.
        types = tuple(stored.type if (stored := piece.columns.get(name)) else None for name in aliases)
        is_inside = _is_inside(one, window)
        key = (own, is_inside, types, one.piece.path, one.start) if isinstance(one, Slice) else (own, is_inside, types)
        groups.setdefault(key, []).append(one)
    selects = [
        _select(key[0], some, aliases, window if not key[1] else None, tuple(envelope), bits, starts or {})
        for key, some in groups.items()
    ]
    return joined(" UNION ALL ", selects) if selects else _nothing(aliases, tuple(envelope))


def _select(  # noqa: PLR0913, PLR0917 (of `scan`)
    own: object,
    some: Sequence[Piece | Slice],
    aliases: Mapping[str, str],
    window: Window | None,
    envelope: tuple[str, ...],
    bits: RowBits | None,
    starts: Mapping[str, int],
) -> Sql:
    assert isinstance(own, tuple)  # noqa: S101 - made above
    first = [starts.get(one.piece.path if isinstance(one, Slice) else one.path, 0) for one in some]
    added = {PLACE: _PLACE, AT: _number(first)}
    items = [f"{added.get(name, name)} AS _{name}" for name in envelope]
    items += [f"{text} AS {alias}" for text, alias in zip(own, aliases.values(), strict=True)]
    paths = ", ".join(literal(one.piece.path if isinstance(one, Slice) else one.path) for one in some)
    conditions = []
    if window is not None:
        conditions += [] if window.since is None else [f"time >= {moment(window.since)}"]
        conditions += [] if window.until is None else [f"time < {moment(window.until)}"]
    options = "hive_partitioning = false"
    if PLACE in envelope:
        options += ", filename = true"
    if PLACE in envelope or AT in envelope or bits is not None or isinstance(some[0], Slice):
        options += ", file_row_number = true"
    if isinstance(some[0], Slice) and some[0].numbers:
        conditions.append(f"file_row_number IN ({', '.join(map(str, some[0].numbers))})")
    elif isinstance(some[0], Slice):
        conditions.append(f"file_row_number BETWEEN {some[0].start} AND {some[0].start + some[0].rows - 1}")
    parameters: tuple[bytes, ...] = ()
    if bits is not None:
        packed, first = bits.together(some)
        conditions.append(f"get_bit(CAST(? AS BIT), CAST({_number(first)} AS INTEGER)) = 1")
        parameters = (packed,)
    if isinstance(some[0], Slice) and some[0].is_cut:  # DuckDB unpacks few values of the other columns then
        conditions += [f"time >= {moment(some[0].first)}", f"time <= {moment(some[0].last)}"]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return Sql(f"SELECT {', '.join(items)} FROM read_parquet([{paths}], {options}){where}", parameters)


def _number(starts: Sequence[int]) -> str:
    """The number of a row: that of the first row of its file, and that of the row in the file."""
    if len(starts) == 1:
        return f"({starts[0]} + file_row_number)"
    return f"([{', '.join(map(str, starts))}][CAST(file_index AS BIGINT) + 1] + file_row_number)"


def _expression(piece: Piece, column: Column) -> str:
    stored = piece.columns.get(column.name)
    if stored is None:
        return "NULL"
    if not column.cast:
        return identifier(stored.stored)
    if column.cast == "VARCHAR" and stored.kind == "nested":
        return f"CAST(to_json({identifier(stored.stored)}) AS VARCHAR)"
    return f"CAST({identifier(stored.stored)} AS {column.cast})"


def _is_inside(one: Piece | Slice, window: Window) -> bool:
    first, last = window.bounds
    return first <= one.first and one.last < last


def _nothing(aliases: Mapping[str, str], envelope: tuple[str, ...]) -> Sql:
    types = {"time": "TIMESTAMPTZ_NS"}
    items = [f"CAST(NULL AS {types.get(name, 'VARCHAR')}) AS _{name}" for name in envelope]
    items += [f"NULL AS {alias}" for alias in aliases.values()]
    return Sql(f"SELECT {', '.join(items)} WHERE false")
