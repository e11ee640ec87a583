"""The Arrow type of lists and objects, found value by value.

`pyarrow.json` finds it faster, but it drops nulls at the beginning of inner lists (then the array is not valid, which
`json_table.py` notices), and takes integers that need more than 64 bits for floats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from .json_table import EXACT_LIMIT, MOST_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["nested_type", "without_nulls"]

_decode: Final = msgspec.json.decode
_TEXT: Final = re.compile(rb'"[^"]*"')
"""A text of JSON without escaped quotes: a pattern that knows them takes a hundred times the memory of a long text."""
_OPEN: Final = list(b"{[")
_CLOSE: Final = list(b"}]")
_INT64: Final = (-(2**63), 2**63 - 1)


@dataclass(slots=True)
class _Shape:
    """What some values have been."""

    kinds: set[type] = field(default_factory=set)
    low: int = 0
    high: int = 0
    items: _Shape | None = None
    fields: dict[str, _Shape] = field(default_factory=dict)

    def add(self, value: Any) -> None:
        if value is None:
            return
        self.kinds.add(type(value))
        if isinstance(value, list):
            self.items = self.items or _Shape()
            for one in value:
                self.items.add(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                self.fields.setdefault(name, _Shape()).add(one)
        elif type(value) is int:
            self.low, self.high = min(self.low, value), max(self.high, value)

    def type(self) -> Any:
        """The type of all values; None if there is none."""
        if self.kinds == {list} and self.items is not None:
            inner = self.items.type()
            return None if inner is None else pa.list_(inner)
        if self.kinds == {dict}:
            fields = [(name, shape.type()) for name, shape in self.fields.items()]
            return None if any(kind is None for _, kind in fields) else pa.struct(fields)
        if float in self.kinds and self.kinds <= {int, float}:
            return pa.float64() if self.low >= -EXACT_LIMIT and self.high <= EXACT_LIMIT else None
        if self.kinds == {int}:
            return pa.int64() if _INT64[0] <= self.low and self.high <= _INT64[1] else None
        return _SCALARS.get(frozenset(self.kinds))


_SCALARS: Final = {frozenset({str}): pa.string(), frozenset({bool}): pa.bool_(), frozenset(): pa.null()}


def nested_type(values: Iterable[bytes]) -> Any:
    """The type of lists or objects, each as JSON text; None if no type holds all of them as they are, or it is deep."""
    shape = _Shape()
    for value in values:
        if _is_deep(value):
            return None
        shape.add(_decode(value))
    return shape.type()


def _is_deep(value: bytes) -> bool:
    """Whether JSON has more than `MOST_DEPTH` levels."""
    value = bytes(value)
    if value.count(b"{") + value.count(b"[") <= MOST_DEPTH:
        return False
    brackets = np.frombuffer(_TEXT.sub(b"", value.replace(b"\\\\", b"").replace(b'\\"', b"")), np.uint8)
    steps = np.isin(brackets, _OPEN).astype(np.int64) - np.isin(brackets, _CLOSE)
    return bool(steps.cumsum().max(initial=0) > MOST_DEPTH)


def without_nulls(kind: pa.DataType) -> pa.DataType:
    """A type with texts where only nulls have been seen: a type of nulls in a list cannot be parsed."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(without_nulls(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(one.name, without_nulls(one.type)) for one in kind])
    return kind
