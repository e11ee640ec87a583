"""How two values differ, and what a column of such pairs adds up to."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from .quantile_sketch import Quantiles, QuantileSketch

__all__ = ["ColumnDifferences", "ColumnResult", "Tolerance", "as_text", "compared"]

_MOST_PAIRS: Final = 400
"""Of values that are counted together: 20 classes have as many. A column with more is no category."""
_MOST_CHARS: Final = 100
_TOO_DEEP: Final = "(nested too deep)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two numbers may be apart and be equal: `math.isclose` with both.

    Attributes:
        absolute: of the difference.
        relative: of the larger number.
    """

    absolute: float = 1e-9
    relative: float = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnResult:
    """One column of recorded outputs against the same column of new answers.

    Attributes:
        name: of the column.
        compared: how many pairs of values there are.
        different: how many of them differ.
        difference: of the pairs of numbers (lists of them: the largest difference in the list), absolute; None of none.
        confusion: recorded value, answered value and how often, the most frequent first; empty if the column is no
            category.
    """

    name: str
    compared: int
    different: int
    difference: Quantiles | None
    confusion: tuple[tuple[str, str, int], ...] = ()


@dataclass(slots=True)
class ColumnDifferences:
    """Adds up the pairs of a column."""

    name: str
    compared: int = 0
    different: int = 0
    _sketch: QuantileSketch = field(default_factory=QuantileSketch)
    _pairs: Counter[tuple[str, str]] | None = field(default_factory=Counter)

    def add(self, recorded: Any, answered: Any, *, is_equal: bool, difference: float | None) -> None:
        """Count one pair."""
        self.compared += 1
        self.different += not is_equal
        if difference is not None:
            self._sketch.add(difference)
        if self._pairs is None:
            return
        if isinstance(recorded, (float, list, dict)) or isinstance(answered, (float, list, dict)):
            self._pairs = None
            return
        self._pairs[as_text(recorded)[:_MOST_CHARS], as_text(answered)[:_MOST_CHARS]] += 1
        if len(self._pairs) > _MOST_PAIRS:
            self._pairs = None

    def result(self) -> ColumnResult:
        """The sums."""
        pairs = sorted((self._pairs or {}).items(), key=lambda one: (-one[1], one[0]))
        return ColumnResult(
            name=self.name,
            compared=self.compared,
            different=self.different,
            difference=self._sketch.summary(),
            confusion=tuple((*pair, count) for pair, count in pairs),
        )


def as_text(value: Any) -> str:
    """A value of a table as it is shown: a text as it is, another value as JSON, nothing where there is none."""
    if value is ...:
        return ""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return _TOO_DEEP


def compared(recorded: Any, answered: Any, tolerance: Tolerance) -> tuple[bool, float | None]:
    """Whether two values of JSON are equal, and how far numbers in them are apart at most; None without numbers."""
    try:
        return _compared(recorded, answered, tolerance)
    except RecursionError:  # values that nest almost as deep as Python reads them
        return False, None


def _compared(recorded: Any, answered: Any, tolerance: Tolerance) -> tuple[bool, float | None]:
    if _is_number(recorded) and _is_number(answered):
        return _numbers(recorded, answered, tolerance)
    if isinstance(recorded, (list, tuple)) and isinstance(answered, (list, tuple)):
        if len(recorded) != len(answered):
            return False, None
        return _all([_compared(*pair, tolerance) for pair in zip(recorded, answered, strict=True)])
    if isinstance(recorded, dict) and isinstance(answered, dict):
        if recorded.keys() != answered.keys():
            return False, None
        return _all([_compared(value, answered[name], tolerance) for name, value in recorded.items()])
    return type(recorded) is type(answered) and recorded == answered, None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(recorded: float, answered: float, tolerance: Tolerance) -> tuple[bool, float | None]:
    if recorded == answered:
        return True, 0.0
    try:
        first, second, apart = float(recorded), float(answered), float(abs(recorded - answered))
    except OverflowError:  # an integer above every float
        return False, None
    if math.isnan(apart):
        return math.isnan(first) and math.isnan(second), None
    is_close = apart <= max(tolerance.absolute, tolerance.relative * max(abs(first), abs(second)))
    return is_close and math.isfinite(apart), apart


def _all(found: list[tuple[bool, float | None]]) -> tuple[bool, float | None]:
    apart = [difference for _, difference in found if difference is not None]
    return all(is_equal for is_equal, _ in found), max(apart) if apart else None
