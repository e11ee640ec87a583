"""The cells of the rows of a page: of large files by the numbers of the rows, else joined by row id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.window import Window

from ..queries.cells import cell_of
from ..queries.pages import RowKey, cells_of_numbers, cells_of_rows
from ..tables.deployment_rows import LABELS
from ..tables.piece import Slice, exact_slices
from ..tables.slices import NEAR_OUTPUTS, slices_near, spans_of, spans_of_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..queries.joined_rows import OwnColumn
    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.piece import Piece, RowNumber
    from ..tables.tables import Tables

__all__ = ["cells_of_page"]

_FEW: Final = 200_000
"""So many rows are unpacked sooner than their numbers are found."""


def cells_of_page(  # noqa: PLR0913, PLR0917 (what a query takes)
    tables: Tables,
    deployment: str,
    rows: DeploymentRows,
    keys: Sequence[RowKey],
    columns: Sequence[OwnColumn],
    window: Window,
) -> dict[RowKey, dict[str, Any]]:
    """The cells of the rows of a page by the names of their columns; a row that an erasure has just taken is not there.

    Args:
        tables: have the rows.
        deployment: `endpoint/deployment`.
        rows: of it.
        keys: of the rows, at least one.
        columns: of the cells.
        window: of the question.

    Raises:
        ReaderError: a file cannot be read.
    """
    base = slices_near(rows.base.pieces, spans_of_times(key.time for key in keys), (0, 0))
    is_few = sum(one.rows for one in base) <= _FEW
    known = None if is_few else tables.partners.numbers_of_ids(rows.base.root, rows.base.pieces, _ids(keys))
    if known is None:
        return _joined(tables, rows, keys, columns, base)
    places = {key: known[key.row_id][0] for key in keys if len(known.get(key.row_id, ())) == 1}
    found = None if len(places) < len(keys) else _by_numbers(tables, rows.base, columns, places)
    if found is None:
        rows = _narrowed(tables, rows, keys, base)
        if all(key.row_id in known for key in keys):  # else one has no row id
            base = [*exact_slices(one for some in known.values() for one in some)]
        return _joined(tables, rows, keys, columns, base)
    rest = [one for one in columns if one.role != rows.base.role]
    for side in rows.sides[1:]:
        own = [one for one in rest if one.role == side.role]
        partners = _partners(tables, deployment, rows, side, places, window) if own else None
        cells = None if partners is None else _by_numbers(tables, side, own, partners, are_times=False)
        if cells is not None:
            rest = [one for one in rest if one.role != side.role]
            found = {key: {**one, **cells.get(key, dict.fromkeys(c.name for c in own))} for key, one in found.items()}
    if rest:
        rows = _narrowed(tables, rows, keys, base)
        joined = _joined(tables, rows, keys, rest, exact_slices(places.values()))
        found = {key: {**one, **joined[key]} for key, one in found.items() if key in joined}
    return found


def _ids(keys: Sequence[RowKey]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.row_id for key in keys))


def _joined(
    tables: Tables,
    rows: DeploymentRows,
    keys: Sequence[RowKey],
    columns: Sequence[OwnColumn],
    base: Sequence[Piece | Slice],
) -> dict[RowKey, dict[str, Any]]:
    times = [key.time for key in keys]
    text = cells_of_rows(rows, columns, _ids(keys), Window(since=min(times), until=max(times) + 1), base)
    return {
        RowKey(time, row_id, event_id, place): _cells(columns, values)
        for time, row_id, event_id, place, *values in tables.database.rows(text.text, text.parameters)
    }


def _by_numbers(
    tables: Tables,
    side: Side,
    columns: Sequence[OwnColumn],
    places: Mapping[RowKey, RowNumber],
    *,
    are_times: bool = True,
) -> dict[RowKey, dict[str, Any]] | None:
    """The cells of the rows of a side; None if one has another time than its key, so that another row was found.

    Args:
        tables: have the rows.
        side: has them.
        columns: of several sides.
        places: of the rows.
        are_times: whether the times are those of the keys.
    """
    own = [one for one in columns if one.role == side.role]
    starts, count = {}, 0
    for piece, _ in places.values():
        if piece.path not in starts:
            starts[piece.path] = count
            count += piece.rows
    text = cells_of_numbers(side, own, exact_slices(places.values()), starts)
    read = {number: (time, values) for number, time, *values in tables.database.rows(text.text, text.parameters)}
    found = {}
    for key, (piece, number) in places.items():
        time, values = read[starts[piece.path] + number]
        if are_times and time != key.time:
            return None
        found[key] = _cells(own, values)
    return found


def _cells(columns: Sequence[OwnColumn], values: Sequence[Any]) -> dict[str, Any]:
    """The cells of the two values of each column."""
    pairs = zip(values[::2], values[1::2], columns, strict=True)
    return {one.name: cell_of(value, size, one.kind) for value, size, one in pairs}


def _partners(  # noqa: PLR0913, PLR0917 (as above)
    tables: Tables,
    deployment: str,
    rows: DeploymentRows,
    side: Side,
    places: Mapping[RowKey, RowNumber],
    window: Window,
) -> dict[RowKey, RowNumber] | None:
    """The partners of rows, as far as they have one; None where they have to be joined."""
    if side.role == LABELS:
        return None
    found = tables.found_partners(deployment, rows, side, window, deadline=0.0)
    if not found.are_certain or any(piece.path not in found.of for piece, _ in places.values()):
        return None
    every = {key: found.of[piece.path].of_row(number) for key, (piece, number) in places.items()}
    return {key: partner for key, partner in every.items() if partner is not None}


def _narrowed(
    tables: Tables, rows: DeploymentRows, keys: Sequence[RowKey], base: Sequence[Piece | Slice]
) -> DeploymentRows:
    """The same rows, of other sides only those with the row ids, as far as these are known."""
    for side in rows.sides[1:]:
        known = None
        if side.role != LABELS:
            known = tables.partners.numbers_of_ids(side.root, side.pieces, _ids(keys))
        if known is not None:
            near = slices_near(side.pieces, spans_of(base), NEAR_OUTPUTS)
            rows = rows.with_slices(side.role, exact_slices(_inside(known, near)))
    return rows


def _inside(known: Mapping[str, Sequence[RowNumber]], parts: Sequence[Piece | Slice]) -> Iterable[RowNumber]:
    """The rows that are in some parts of files."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in parts:
        piece, start = (one.piece, one.start) if isinstance(one, Slice) else (one, 0)
        spans.setdefault(piece.path, []).append((start, start + one.rows))
    for some in known.values():
        for piece, number in some:
            if any(first <= number < last for first, last in spans.get(piece.path, ())):
                yield piece, number
