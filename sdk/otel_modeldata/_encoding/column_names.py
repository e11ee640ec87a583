"""The names of a frame's columns in JSON, cached per set of columns.

A label that is not text is converted to text (`0` -> `"0"`, as in Azure's own scripts). The levels of a MultiIndex are
joined by `_`. A repeated name gets `_1`, `_2`... A lone surrogate becomes `?`.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import msgspec

from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

logger = logging.getLogger(__name__)

_MAX_CACHED = 32
"""Maximum number of cached sets of columns; a collection has one or two."""


class ColumnNames:
    """The names of one set of columns.

    Attributes:
        names: the keys of a row's JSON object.
        row: makes the object of a row from its values; half the time of a dict to make, and half to encode.
        warnings: what would break Azure's consumer of the lines, one sentence each.
    """

    __slots__ = ("names", "row", "warnings")

    def __init__(self, labels: Sequence[object]) -> None:
        self.names = _unique([_text_of_label(label) for label in labels])
        self.row = _row_maker(self.names)
        self.warnings = _what_breaks_consumers(self.names)


class ColumnNameCache:
    """The column names of one collection. The collecting thread and the delivery thread may call it.

    Args:
        collection: its name, for warnings.
    """

    def __init__(self, collection: str) -> None:
        self._collection = collection
        self._known: dict[tuple[object, ...], ColumnNames] = {}
        self._once = LogThrottle(logger, math.inf)

    def names_of(self, index: pd.Index[Any]) -> ColumnNames:
        """The names of a frame's columns; logs what would break Azure's consumer, once."""
        labels = tuple(index.tolist())
        columns = self._known.get(labels)
        if columns is None:
            columns = ColumnNames(labels)
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[labels] = columns
            for sentence in columns.warnings:
                self._once.log(logging.WARNING, sentence, "collection %s: %s", self._collection, sentence)
        return columns


def _row_maker(names: list[str]) -> Callable[..., object]:
    fields = {f"c{number}": name for number, name in enumerate(names)}
    try:
        return msgspec.defstruct("Row", [(field, Any) for field in fields], rename=fields, gc=False)
    except ValueError:  # msgspec writes keys unescaped: it refuses a quote, a backslash or a control character in one
        return lambda *cells: dict(zip(names, cells, strict=True))


def _text_of_label(label: object) -> str:
    if isinstance(label, tuple):
        return "_".join(part for part in map(_text_of_label, label) if part)
    # A lone surrogate becomes "?": a name must never fail a frame that was already accepted.
    return str(label).encode(errors="replace").decode()


def _unique(names: list[str]) -> list[str]:
    taken = set(names)
    if len(taken) == len(names):
        return names
    seen: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 0
        while unique in seen or (number and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique)
        result.append(unique)
    return result


def _what_breaks_consumers(names: list[str]) -> tuple[str, ...]:
    found = []
    by_case: dict[str, str] = {}
    for name in names:
        if name.lower() == "correlationid":
            found.append(f"column {name!r} has the name that Azure's consumer gives its row ids: choose another")
        if "." in name:
            found.append(f"column {name!r} has a '.', which Azure's data quality and drift monitors refuse")
        if by_case.setdefault(name.lower(), name) != name:
            found.append(f"columns {by_case[name.lower()]!r} and {name!r} are equal up to case, which Spark refuses")
    return tuple(found)
