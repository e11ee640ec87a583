"""Counts what a reading reads and skips, or raises at the first thing skipped if it is strict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import DamagedLineError
from ..report import Place, ReadReport, TypeChange

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Tally"]

_SHOWN: Final = 20
_MOST_CHANGES: Final = 1000


class Tally:
    """The counts of one reading while it runs.

    Args:
        strict: whether to raise `DamagedLineError` instead of counting what is skipped or changed.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._counts: dict[str, int] = {}
        self._first: list[tuple[Place, str]] = []
        self._changes: list[TypeChange] = []

    def add(self, name: str, count: int) -> None:
        """Count something that is no fault; `name` is a field of `ReadReport`."""
        self._counts[name] = self._counts.get(name, 0) + count

    def skip(self, name: str, place: Place, reason: str) -> None:
        """Count a line that is left out.

        Raises:
            DamagedLineError: the reading is strict.
        """
        if self._strict:
            raise DamagedLineError(f"{reason} in {place}: read with strict=False, which counts such lines")
        self.add(name, 1)
        if len(self._first) < _SHOWN:
            self._first.append((place, reason))

    def change(self, change: TypeChange) -> None:
        """Note a column that changed its type.

        Raises:
            DamagedLineError: the reading is strict.
        """
        if self._strict:
            raise DamagedLineError(
                f"expected one type of {change.column!r}, got {change.before} and then {change.after} in "
                f"{change.place}: read with strict=False, which widens the column"
            )
        if len(self._changes) < _MOST_CHANGES:
            self._changes.append(change)

    def report(self, types: Mapping[str, str], renamed: tuple[tuple[str, str], ...], **counts: Any) -> ReadReport:
        """The counts so far.

        Args:
            types: the final type of each own column.
            renamed: own columns that have another name in the result, and that name.
            counts: further fields of the report.
        """
        fields: dict[str, Any] = {**self._counts, **counts}
        changes = tuple(replace(one, became=types.get(one.column, one.became)) for one in self._changes)
        return ReadReport(**fields, renamed=renamed, type_changes=changes, first=tuple(self._first))
