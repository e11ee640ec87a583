"""The names of a frame's columns in JSON, cached per set of columns.

A label that is not text is converted to text (`0` -> `"0"`, as in Azure's own scripts). The levels of a MultiIndex are
joined by `_`. A repeated name gets `_1`, `_2`... A lone surrogate becomes `?`.

`collect` reads the labels (`kept_labels`), because an index may share memory with an array of the application, and a
label may be an object whose text changes. The delivery thread makes the names.

Names that are equal up to case, and `correlationid`, make Azure's consumer refuse a whole window of lines. These are
logged, or renamed if the settings say so.
"""

from __future__ import annotations

import enum
import logging
import math
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd

from ..exceptions import UnsupportedValueError
from ..log_throttle import LogThrottle
from .short_floats import shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

Labels = Any
"""The labels of a frame's columns, which cannot change: a range, a tuple of text or integers, or `ArrowLabels`."""

logger = logging.getLogger(__name__)

_MAX_CACHED = 32
"""Maximum number of cached sets of columns; a collection has one or two."""
_ROW_ID: Final = "correlationid"
"""The column to which Azure's consumer writes its row ids. Its names are equal up to case."""

_RANGE: Final[Any] = pd.RangeIndex
_TEXT: Final[Any] = pd.arrays.ArrowStringArray
_PYTHON_TEXT: Final[Any] = pd.arrays.StringArray

_ADVICE: Final = "choose another, or set OTEL_MODELDATA_COLUMN_CASE=rename"


class ColumnNames:
    """The names of one set of columns.

    Args:
        labels: of the columns, in order.
        rename: names that Azure's consumer takes for equal get names of their own.

    Attributes:
        names: the keys of a row's JSON object.
        row: makes the object of a row from its values; half the time of a dict to make, and half to encode.
        warnings: what would break Azure's consumer of the lines, one sentence each.
    """

    __slots__ = ("names", "row", "warnings")

    def __init__(self, labels: Sequence[object], *, rename: bool = False) -> None:
        names = _unique([_text_of_label(label) for label in labels])
        self.names = _unique_up_to_case(names) if rename else names
        self.row = _row_maker(self.names)
        self.warnings = _what_breaks_consumers(self.names)


class ArrowLabels(msgspec.Struct, eq=False, gc=False):
    """Text of Arrow, its type in pandas, and the bytes of its buffers."""

    memory: Any
    dtype: Any
    nbytes: int

    def is_whole(self) -> bool:
        """Whether it is in one piece: pieces may share their memory, and it takes longer to look whether they do."""
        return getattr(self.memory, "num_chunks", 1) == 1

    def texts(self) -> tuple[str, ...]:
        """The text of each label; it depends on the type which text a gap has."""
        texts = self.memory.to_pylist()
        if None in texts:
            gap = str(self.dtype.na_value)
            texts = [gap if text is None else text for text in texts]
        return tuple(texts)


class ColumnNameCache:
    """The column names of one collection. The collecting thread and the delivery thread may call it.

    Args:
        collection: its name, for warnings.
        rename: as in `ColumnNames`.
    """

    def __init__(self, collection: str, *, rename: bool = False) -> None:
        self._collection = collection
        self._rename = rename
        self._known: dict[Hashable, ColumnNames] = {}
        self._once = LogThrottle(logger, math.inf)

    def names_of(self, labels: Labels) -> ColumnNames:
        """The names of a frame's columns; logs what would break Azure's consumer, once.

        Args:
            labels: as `kept_labels` returned them.
        """
        key = labels.texts() if type(labels) is ArrowLabels else labels
        columns = self._known.get(key)
        if columns is None:
            columns = ColumnNames(key, rename=self._rename)
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[key] = columns
            for sentence in columns.warnings:
                self._once.log(logging.WARNING, sentence, "collection %s: %s", self._collection, sentence)
        return columns


def kept_labels(index: pd.Index[Any]) -> Labels:
    """The labels of an index as they are now.

    They are equal only if their texts are. Labels themselves may be equal and have different texts: False, 0 and 0.0,
    or one moment in two zones.

    Raises:
        UnsupportedValueError: the text of a label cannot be had.
    """
    # Internals of pandas: the public ways take several times as long.
    if type(index) is _RANGE:
        return index._range  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    memory: Any = getattr(index, "_data", None)
    if type(memory) is _TEXT:
        # The index may get other memory, but the memory itself does not change. Pandas 2.0 has another name for it.
        text = getattr(memory, "_pa_array", None)
        text = memory.__arrow_array__() if text is None else text
        return ArrowLabels(text, memory._dtype, text.get_total_buffer_size())  # noqa: SLF001 - see above
    labels = tuple(memory._ndarray.tolist() if type(memory) is _PYTHON_TEXT else index.tolist())  # noqa: SLF001 - as above
    if _are_texts(labels) or (isinstance(index.dtype, np.dtype) and index.dtype.kind in "iu"):
        return labels
    try:
        return tuple(_texts(index))
    except Exception as error:  # a label is an object of the application, with its own code
        raise UnsupportedValueError(
            f"expected names of columns that convert to text, got {type(error).__name__} from one: rename the columns"
        ) from error


def most_characters(labels: Labels, width: int) -> int:
    """At least the characters of the names of a frame's columns, if that is known at once; else more than any name has.

    Args:
        labels: as `kept_labels` returned them.
        width: number of columns.
    """
    if type(labels) is ArrowLabels:
        size: int = labels.nbytes if labels.is_whole() else labels.memory.nbytes
        return size - 4 * width
    if type(labels) is tuple and labels and isinstance(labels[0], str):  # so all of them are text
        return len("".join(labels)) + width * len(f"_{2 * width + 2}")  # names that are repeated get a number
    return sys.maxsize


def _row_maker(names: list[str]) -> Callable[..., object]:
    fields = {f"c{number}": name for number, name in enumerate(names)}
    try:
        return msgspec.defstruct("Row", [(field, Any) for field in fields], rename=fields, gc=False)
    except ValueError:  # msgspec writes keys unescaped: it refuses a quote, a backslash or a control character in one
        return lambda *cells: dict(zip(names, cells, strict=True))


def _are_texts(labels: Iterable[Any]) -> bool:
    try:
        "".join(labels)  # the fastest test
    except TypeError:
        return False
    return True


def _texts(index: pd.Index[Any]) -> list[str]:
    dtype = getattr(index.dtype, "numpy_dtype", index.dtype)  # that of nullable and Arrow types
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8 and not index.hasnans:
        return [str(label) for label in shortest(index.to_numpy(dtype=dtype)).tolist()]
    return [_text_of_label(label) for label in index.tolist()]


def _text_of_label(label: object) -> str:
    if isinstance(label, tuple):
        return "_".join(part for part in map(_text_of_label, label) if part)
    if isinstance(label, enum.Enum):
        label = label.value
    text = str.__str__(label) if isinstance(label, str) else str(label)
    # A lone surrogate becomes "?": a name must never fail a frame that was already accepted.
    return text.encode(errors="replace").decode()


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


def _unique_up_to_case(names: list[str]) -> list[str]:
    """Give names that are equal up to case a number; the first one in alphabetical order keeps its name.

    The result does not depend on the order of the columns.
    """
    taken = set(map(_folded, names))
    if len(taken) == len(names) and _ROW_ID not in taken:
        return names
    seen = {_ROW_ID}
    result = {}
    for name in sorted(names):
        unique, number = name, 0
        while _folded(unique) in seen or (number and _folded(unique) in taken):
            number += 1
            unique = f"{name}_{number}"
        seen.add(_folded(unique))
        result[name] = unique
    return [result[name] for name in names]


def _folded(name: str) -> str:
    """Equal for names that Spark's comparison without case may take for equal."""
    return name.upper().casefold()


def _what_breaks_consumers(names: list[str]) -> tuple[str, ...]:
    """One sentence for each kind of problem, about its first columns: a frame may have hundreds of them."""
    found, dotted, equal = [], [], []
    by_case: dict[str, str] = {}
    for name in names:
        folded = _folded(name)
        if folded == _ROW_ID:
            found.append(f"column {name!r} has the name that Azure's consumer gives its row ids: {_ADVICE}")
        if "." in name:
            dotted.append(name)
        first = by_case.setdefault(folded, name)
        if first != name:
            equal.append((first, name))
    if dotted:
        have = f" and {len(dotted) - 1} more columns have" if len(dotted) > 1 else " has"
        found.append(f"column {dotted[0]!r}{have} a '.', which Azure's data quality and drift monitors refuse")
    if equal:
        more = f", and {len(equal) - 1} more pairs" if len(equal) > 1 else ""
        one, other = equal[0]
        found.append(f"columns {one!r} and {other!r} are equal up to case{more}, which Spark refuses: {_ADVICE}")
    return tuple(found)
