"""The columns of some pieces: of each one kind, and the type in DuckDB that holds the values of all pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .piece import Kind, Piece

__all__ = ["Column", "columns_of"]

_NUMBERS: Final = frozenset({"number", "integer"})
_TEXT: Final = "VARCHAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """An own column of a collection.

    Attributes:
        name: as a reading has it.
        kind: what can be done with it.
        type: its Arrow type as text; several, if pieces differ.
        cast: the type in DuckDB to which values are cast; empty if all pieces have the same.
    """

    name: str
    kind: Kind
    type: str
    cast: str = ""


def columns_of(pieces: Iterable[Piece]) -> dict[str, Column]:
    """The columns of pieces, in the order in which they appear first.

    Where types differ, numbers become floats or larger integers, as a reading widens them; what else differs is text.
    """
    found: dict[str, Column] = {}
    types: dict[str, Any] = {}
    seen: set[int] = set()
    for piece in pieces:
        if id(piece.columns) in seen:
            continue
        seen.add(id(piece.columns))
        for name, column in piece.columns.items():
            own = Column(name=name, kind=column.kind, type=str(column.logical))
            known = found.get(name)
            if known is None:
                found[name], types[name] = own, column.type
            elif types[name] != column.type or known.cast:
                found[name] = _wider(known, own)
            elif known.kind != own.kind:  # such as texts and categories
                found[name] = replace(known, kind="text" if own.kind == "text" else known.kind)
    return found


def _wider(known: Column, other: Column) -> Column:
    names = known.type if other.type in known.type.split(" or ") else f"{known.type} or {other.type}"
    kinds = {known.kind, other.kind}
    if kinds == {"integer"}:
        return Column(name=known.name, kind="integer", type=names, cast="HUGEINT")
    if kinds <= _NUMBERS:
        return Column(name=known.name, kind="number", type=names, cast="DOUBLE")
    if kinds == {"time"}:
        return Column(name=known.name, kind="time", type=names, cast="TIMESTAMPTZ_NS")
    return Column(name=known.name, kind="text", type=names, cast=_TEXT)
