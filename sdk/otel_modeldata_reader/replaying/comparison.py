"""Compares recorded outputs with new answers: by row, by column and by slice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..lines.erased_rows import kept_numbers
from .answer_rows import AnswerRows, aligned, answer_rows, is_json
from .value_differences import ColumnDifferences, ColumnResult, Tolerance, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .matching import Matched

__all__ = ["Compared", "Comparison", "Difference", "RowCounts", "SliceResult"]

_MOST_SLICES: Final = 200
_MOST_COLUMNS: Final = 500
OTHER: Final = "(other)"


class Difference(NamedTuple):
    """Two values that differ."""

    row_id: str
    request: str
    slice: str | None
    column: str
    recorded: Any
    answered: Any
    difference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """What became of the rows that were recorded with outputs.

    Attributes:
        equal: all columns that both have are equal.
        different: at least one column differs.
        missing: there is no new answer for the row: its request failed, or the answer has fewer rows.
        incomparable: the answer has no rows that are understood, or no column of the recorded outputs.
    """

    equal: int = 0
    different: int = 0
    missing: int = 0
    incomparable: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.equal + self.different + self.missing + self.incomparable

    @property
    def unequal(self) -> int:
        """All that are not equal."""
        return self.rows - self.equal


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """The rows with one value of the slice column.

    Attributes:
        value: of the column; `(other)` beyond the first 200 values.
        rows: their counts.
        columns: their differences.
    """

    value: str
    rows: RowCounts
    columns: tuple[ColumnResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Recorded outputs against new answers.

    Attributes:
        outputs: the collection of the recorded outputs.
        rows: of all rows.
        columns: of each column that both have.
        slices: of each value of the slice column, the most rows first.
        without_output: requests without recorded outputs; their answers are not compared.
        uncertain: requests whose correlation id is that of several, so that their outputs are not known.
        surplus: rows of answers beyond those that were recorded.
        not_json: answers that are no JSON.
        without_rows: answers in JSON in which no rows are found, see `Recording.answer_at`.
        without_columns: answers whose rows have no column of the recorded outputs, and another number of columns.
        only_recorded: columns that no answer has.
        only_answered: columns that were not recorded.
    """

    outputs: str
    rows: RowCounts
    columns: tuple[ColumnResult, ...]
    slices: tuple[SliceResult, ...]
    without_output: int
    uncertain: int
    surplus: int
    not_json: int
    without_rows: int
    without_columns: int
    only_recorded: tuple[str, ...]
    only_answered: tuple[str, ...]


@dataclass(slots=True)
class _Sums:
    counts: dict[str, int] = field(default_factory=dict)
    columns: dict[str, ColumnDifferences] = field(default_factory=dict)

    def count(self, outcome: str, number: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def add(self, column: str, *values: Any, is_equal: bool, difference: float | None) -> None:
        if column not in self.columns:
            if len(self.columns) >= _MOST_COLUMNS:
                return
            self.columns[column] = ColumnDifferences(column)
        self.columns[column].add(*values, is_equal=is_equal, difference=difference)

    def results(self) -> tuple[ColumnResult, ...]:
        return tuple(one.result() for one in self.columns.values())


class Compared:
    """Takes one request after the other.

    Args:
        tolerance: of numbers.
        at: the keys that lead to the rows in an answer; empty finds them.
        report: called with each pair of values that differ.
    """

    def __init__(self, tolerance: Tolerance, at: Sequence[str], report: Callable[[Difference], object]) -> None:
        self._tolerance = tolerance
        self._at = at
        self._report = report
        self._all = _Sums()
        self._slices: dict[str, _Sums] = {}
        self._without_output = self._uncertain = self._surplus = 0
        self._not_json = self._without_rows = self._without_columns = 0
        self._only: tuple[dict[str, None], dict[str, None]] = ({}, {})

    def take_all(self, requests: Iterable[Matched]) -> None:
        """Compare every request."""
        for one in requests:
            self._take(one)

    def result(self, outputs: str) -> Comparison:
        """The sums so far."""
        slices = [
            SliceResult(value=value, rows=RowCounts(**sums.counts), columns=sums.results())
            for value, sums in self._slices.items()
        ]
        shared = self._all.columns
        only = [tuple(name for name in names if name not in shared) for names in self._only]
        return Comparison(
            outputs=outputs,
            rows=RowCounts(**self._all.counts),
            columns=self._all.results(),
            slices=tuple(sorted(slices, key=lambda one: (-one.rows.rows, one.value))),
            without_output=self._without_output,
            uncertain=self._uncertain,
            surplus=self._surplus,
            not_json=self._not_json,
            without_rows=self._without_rows,
            without_columns=self._without_columns,
            only_recorded=only[0],
            only_answered=only[1],
        )

    def _take(self, one: Matched) -> None:
        if one.recorded is None:
            self._uncertain += one.is_uncertain
            self._without_output += not one.is_uncertain
            return
        recorded = answer_rows(one.recorded, one.rows)
        if recorded is None or not recorded.rows:
            self._without_output += 1
            return
        slices: list[str] = json.loads(one.slices) if one.slices else []
        places = _places(one, len(recorded.rows))
        answered = answer_rows(one.answer, one.rows or len(recorded.rows), self._at) if one.is_usable else None
        both = None if answered is None else aligned(recorded, answered)
        for row, number, place in places:
            value = slices[place] if place < len(slices) else None
            group = self._sums_of(value)
            if not one.is_usable or (answered is not None and place >= len(answered.rows)):
                _count(group, "missing")
            elif answered is None or both is None:
                _count(group, "incomparable")
            else:
                differences = self._row(recorded.rows[row], answered.rows[place], both, group)
                for column, *values in differences:
                    self._report(Difference(f"{one.correlation_id}_{number}", one.key, value, column, *values))
                _count(group, "different" if differences else "equal")
        if answered is None:
            self._note_reason(one)
            return
        self._without_columns += both is None and bool(answered.rows)
        self._surplus += max(len(answered.rows) - (one.rows or len(recorded.rows)), 0)
        if both is None or not _are_in_order(recorded, answered):
            self._note_names(recorded, answered)

    def _row(
        self,
        recorded: Sequence[Any],
        answered: Sequence[Any],
        both: tuple[list[str], list[tuple[int, int]]],
        group: Sequence[_Sums],
    ) -> list[tuple[str, Any, Any, float | None]]:
        """Count the values of a row, and return those that differ: column, both values, how far numbers are apart."""
        differences = []
        for name, (left, right) in zip(*both, strict=True):
            pair = recorded[left], answered[right]
            if pair[0] is ... and pair[1] is ...:
                continue
            is_equal, difference = compared(*pair, self._tolerance)
            for sums in group:
                sums.add(name, *pair, is_equal=is_equal, difference=difference)
            if not is_equal:
                differences.append((name, *pair, difference))
        return differences

    def _sums_of(self, value: str | None) -> list[_Sums]:
        """Where a row is counted."""
        if value is None:
            return [self._all]
        if value not in self._slices and len(self._slices) >= _MOST_SLICES:
            value = OTHER
        return [self._all, self._slices.setdefault(value, _Sums())]

    def _note_reason(self, one: Matched) -> None:
        """Count why an answer has no rows."""
        if one.is_usable:
            is_found = is_json(one.answer)
            self._without_rows += is_found
            self._not_json += not is_found

    def _note_names(self, *sides: AnswerRows) -> None:
        first, second = (side.names for side in sides)
        if first is None or second is None:
            return
        for names, others, noted in ((first, second, self._only[0]), (second, first, self._only[1])):
            for name in names:
                if name not in others and len(noted) < _MOST_COLUMNS:
                    noted[name] = None


def _places(one: Matched, recorded: int) -> list[tuple[int, int, int]]:
    """Of each recorded row: its place, its number in the event, and its place in the answer. Erased rows have none."""
    if one.erased is None and one.erased_outputs is None:
        return [(number, number, number) for number in range(recorded)]
    sent = kept_numbers(one.rows or 0, one.erased).tolist()
    places = {number: place for place, number in enumerate(sent)}
    numbers = kept_numbers(recorded, one.erased_outputs).tolist()
    return [(row, number, places[number]) for row, number in enumerate(numbers) if number in places]


def _are_in_order(*sides: AnswerRows) -> bool:
    """Whether columns were compared in their order, because no name is in both."""
    first, second = (side.names for side in sides)
    return first is None or second is None or not set(first) & set(second)


def _count(group: Sequence[_Sums], outcome: str) -> None:
    for sums in group:
        sums.count(outcome)
