"""Text of SQL with the values of its parameters, which are never part of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .moments import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Sql", "identifier", "joined", "literal", "moment", "step_number"]

_LATEST: Final = 9_200_000_000_000_000_000
"""DuckDB's times in nanoseconds end a little before an int64 does."""


@dataclass(frozen=True, slots=True)
class Sql:
    """See above.

    Attributes:
        text: with a `?` for each parameter.
        parameters: in their order.
    """

    text: str
    parameters: tuple[Any, ...] = ()

    def __add__(self, other: Sql | str) -> Sql:
        if isinstance(other, str):
            return Sql(self.text + other, self.parameters)
        return Sql(self.text + other.text, self.parameters + other.parameters)

    def __radd__(self, other: str) -> Sql:
        return Sql(other + self.text, self.parameters)


def joined(separator: str, parts: Iterable[Sql]) -> Sql:
    """Parts one after the other, with a separator between them."""
    found = list(parts)
    return Sql(separator.join(one.text for one in found), tuple(value for one in found for value in one.parameters))


def identifier(name: str) -> str:
    """The quoted name of a column.

    Raises:
        ValueError: DuckDB has no such name.
    """
    if "\0" in name:
        raise ValueError(f"expected a name without NUL, got {name!r:.80}")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text of ours, such as the path of a file."""
    return "'" + text.replace("'", "''") + "'"


def moment(nanoseconds: int) -> str:
    """A moment as a literal, the nearest one that DuckDB has."""
    return f"TIMESTAMPTZ_NS '{iso(min(max(nanoseconds, -_LATEST), _LATEST))}'"


def step_number(first: int, step: int) -> str:
    """The number of the step of time in which a row is, from 0 on, for rows that are not before the first one.

    Args:
        first: beginning of the first step, in nanoseconds since the epoch.
        step: nanoseconds.
    """
    # A BIGINT does not hold the distance from a moment of 1700 to one of today, and HUGEINT is slower.
    begin = f"{first}" if first >= 0 else f"({first})::HUGEINT"
    return f"(epoch_ns(_time) - {begin}) // {step}"
