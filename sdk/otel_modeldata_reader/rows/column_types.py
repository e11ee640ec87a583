"""What the rows of a reading show about the types of their columns; see `inferred.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ..types.arrow_types import arrow_type
from .json_kinds import BOOLEAN, INTEGER, LIST, NUMBER, OBJECT, TEXT
from .json_table import EXACT_LIMIT
from .nested_types import without_nulls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["MISMATCH", "ColumnTypes", "is_kind_of", "kind_of_type"]

_INT64: Final = (-(2**63), 2**63 - 1)
_UINT64: Final = (0, 2**64 - 1)
_DECIMAL: Final = (-(10**38) + 1, 10**38 - 1)
MISMATCH: Final = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError)
"""What Arrow raises where a value has no equal in another type."""


class ColumnTypes:
    """The kinds of JSON values that each column has had so far, and the type that holds all of them.

    Attributes:
        texts: types that must be given to the parser: of texts, which it may take for times, alone or nested.
        mixed: columns that become JSON texts.
    """

    def __init__(self) -> None:
        self.texts: dict[str, Any] = {}
        self.mixed: set[str] = set()
        self._kinds: dict[str, dict[str, None]] = {}
        self._ranges: dict[str, tuple[int, int]] = {}
        self._nested: dict[str, Any] = {}
        self._large: dict[str, list[Any]] = {}

    def kinds(self, name: str) -> Collection[str]:
        """The kinds of a column's values, in the order of their first ones; null is none of them."""
        return self._kinds.get(name, {})

    def last_kind(self, name: str) -> str | None:
        """The kind that a column has shown last; None if it had only nulls."""
        return next(reversed(self._kinds.get(name, {})), None)

    def add_kind(self, name: str, kind: str | None) -> None:
        """Note a kind of values; None for nulls only."""
        known = self._kinds.setdefault(name, {})
        if kind is not None:
            known[kind] = None
        if len(known) > 1 and set(known) != {INTEGER, NUMBER}:
            self.mixed.add(name)

    def add_range(self, name: str, low: int, high: int) -> None:
        """Note the smallest and the largest of some integers."""
        known = self._ranges.get(name, (low, high))
        limits = self._ranges[name] = (min(low, known[0]), max(high, known[1]))
        if pa.types.is_string(_integer_type(limits)):
            self.mixed.add(name)

    def add_nested(self, name: str, kind: pa.DataType) -> None:
        """Note the type of some lists or objects; those that have no type in common become texts."""
        known = self._nested.get(name)
        found = kind if known is None or known == kind else _unified(known, kind)
        if found is None:
            self.mixed.add(name)
        else:
            self._nested[name] = found

    def nested(self, name: str) -> Any:
        """The type of the lists or objects of a column so far; None without any."""
        return self._nested.get(name)

    def clashes(self, name: str, kind: pa.DataType) -> bool:
        """Whether no type holds some lists or objects and those before."""
        known = self._nested.get(name)
        return name not in self.mixed and known is not None and known != kind and _unified(known, kind) is None

    def add_large(self, name: str, kind: pa.DataType) -> None:
        """Note the type of some lists or objects that have integers which no float64 equals."""
        self._large.setdefault(name, []).append(kind)

    def types(self) -> dict[str, Any]:
        """The type of each column, as far as it is known."""
        return {name: self._type(name) for name in self._kinds} | dict.fromkeys(self.mixed, pa.string())

    def learned(self) -> Iterable[str]:
        """The columns of rows that say no types, in the order in which they appear first."""
        return self._kinds

    def settle(self) -> None:
        """Decide, once every row is known, which columns are JSON texts because no number holds all of their values."""
        self.mixed |= {
            name for name in self._kinds if pa.types.is_string(self._type(name)) and TEXT not in self._kinds[name]
        }
        self.mixed |= {
            name for name, kinds in self._large.items() if any(_are_floats(kind, self._type(name)) for kind in kinds)
        }

    def so_far(self) -> dict[str, Any]:
        """The types to parse with while rows are still being learned: those that the parser does not find itself."""
        types = {name: self._type(name) for name, kinds in self._kinds.items() if kinds.keys() == {INTEGER}}
        wide = {name: kind for name, kind in types.items() if kind != pa.int64()}
        return wide | self.texts | dict.fromkeys(self.mixed, pa.string())

    def explicit(self) -> dict[str, Any]:
        """The types to parse with once every row is known: nothing is inferred but columns of nulls."""
        return {name: kind for name, kind in self.types().items() if not pa.types.is_null(kind)}

    def _type(self, name: str) -> Any:
        kinds = self._kinds[name]
        if name in self.mixed or TEXT in kinds:
            return pa.string()
        if BOOLEAN in kinds:
            return pa.bool_()
        if NUMBER in kinds:
            low, high = self._ranges.get(name, (0, 0))
            return pa.float64() if low >= -EXACT_LIMIT and high <= EXACT_LIMIT else pa.string()
        if INTEGER in kinds:
            return _integer_type(self._ranges.get(name, (0, 0)))
        return without_nulls(self._nested[name]) if name in self._nested else pa.null()


def is_kind_of(code: str, kind: str) -> bool:
    """Whether a column of this code has the type that values of this kind have without a code."""
    found = arrow_type(code)
    return kind == kind_of_type(found) and (found in _KINDS or pa.types.is_nested(found))


_KINDS: Final = frozenset({pa.bool_(), pa.int64(), pa.uint64(), pa.float64(), pa.string()})


def kind_of_type(kind: pa.DataType) -> str | None:
    """The kind of JSON values for which the parser finds this type; None for nulls."""
    if pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind):
        return BOOLEAN
    if pa.types.is_floating(kind):
        return NUMBER
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return INTEGER
    if pa.types.is_list(kind):
        return LIST
    return OBJECT if pa.types.is_struct(kind) else TEXT


def _unified(first: pa.DataType, second: pa.DataType) -> Any:
    try:
        return (
            pa.unify_schemas([pa.schema([("", one)]) for one in (first, second)], promote_options="permissive")
            .field(0)
            .type
        )
    except MISMATCH:
        return None


def _are_floats(kind: pa.DataType, final: pa.DataType) -> bool:
    """Whether integers somewhere in a type are floats in the final one."""
    if pa.types.is_list(kind) and pa.types.is_list(final):
        return _are_floats(kind.value_type, final.value_type)
    if pa.types.is_struct(kind) and pa.types.is_struct(final):
        return any(_are_floats(one.type, final.field(one.name).type) for one in kind)
    return bool(pa.types.is_integer(kind) and pa.types.is_floating(final))


def _integer_type(limits: tuple[int, int]) -> Any:
    for (low, high), kind in ((_INT64, pa.int64()), (_UINT64, pa.uint64()), (_DECIMAL, pa.decimal128(38, 0))):
        if low <= limits[0] and limits[1] <= high:
            return kind
    return pa.string()
