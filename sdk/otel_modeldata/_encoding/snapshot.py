"""Copies of frames that are encoded later, and that no later change of the frame reaches.

Only of frames of which no cell can be refused, because a refusal has to be known while `collect` runs: text is checked
for lone surrogates here. What can change is copied: the memory of numbers, times and codes, arrays and lists in cells.
What cannot is shared: cells that are text, categories, and text of Arrow (`arrow_text.py`).

Scoring waits for this, in a process that just woke up: what takes the time is not the work but the memory that is not
in the processor's cache, code included. So few different functions are called, and as little as possible is computed
here. This reads internals of pandas, because its public methods take up to a hundred times as long. Where one of them
is missing the frame is encoded at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd

from ..exceptions import UnsupportedValueError
from .cells import NUMBERS
from .column_names import ArrowLabels, kept_labels
from .columns import MASKED, block_cells, place
from .datatypes.category_code import without_categories
from .kept.arrow_memory import watch
from .kept.arrow_text import (
    HELD_BYTES,
    HELD_BYTES_OF_ROW,
    NOT_UTF8,
    OFFSET_BYTES,
    first_damaged,
    keep_array,
    keep_text,
    shared_lists,
)
from .kept.categories import chosen_lists, keep_categories, known_categories
from .kept.memory import (
    ARRAY_BYTES,
    OBJECT_BYTES,
    PART_BYTES,
    PLACE_BYTES,
    TYPE_BYTES,
    labels_bytes,
    part_bytes,
    text_labels_bytes,
)
from .kept.objects import keep_objects
from .kept.part import FEW_BLOCKS, FEW_ROWS, UNEQUAL, CannotKeepError, Kept, Places
from .refusals import REFUSED
from .text_size import category_bytes
from .times import check_zoned, zoned_time_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .column_names import Labels

_LAST_NUMBER: Final = np.dtype("f8").num
"""NumPy numbers its types: truths, integers and the usual floats come first."""
_FLOATS: Final = np.dtype("f8")
_INTEGERS: Final = np.dtype("i8")
"""NumPy has one object for each of these types, but for frames that were pickled."""
_OBJECTS: Final = np.dtype(object)
_ARRAY: Final = np.ndarray
_CATEGORIES: Final[Any] = pd.Categorical
_RANGE: Final[Any] = pd.RangeIndex
_ZONED: Final = pd.DatetimeTZDtype
_INDEX: Final[Any] = pd.Index
_HAS_PA_ARRAY: Final = tuple(map(int, pd.__version__.split(".")[:2])) >= (2, 1)
_TEXT: Final[Any] = pd.arrays.ArrowStringArray if _HAS_PA_ARRAY else None
"""Text of Arrow, if its memory has this name; `_keep_other` reads it in the public way."""
_PYTHON_TEXT: Final[Any] = pd.arrays.StringArray
_IS_WITHOUT_ARROW: Final = sys.modules.get("pyarrow") is None
_TIMES: Final[Any] = pd.arrays.DatetimeArray


class Snapshot(msgspec.Struct, eq=False, gc=False):
    """A copy of a frame.

    Attributes:
        labels: of its columns.
        count: number of its rows.
        kept: its parts, each with the positions of its columns.
        nbytes: what it holds, about.
        labels_bytes: what the labels take.
        memory: what it takes, its labels included.
        dtypes: of its parts.
    """

    labels: Labels
    count: int
    kept: list[tuple[Any, Kept]]
    nbytes: int
    labels_bytes: int
    memory: int
    dtypes: list[Any]

    def width(self) -> int:
        """Number of columns."""
        return sum([len(placement) for placement, _ in self.kept])

    def lists(self, rows: slice, pause: Callable[[], object]) -> list[list[Any]]:
        """The cells of every column, in the order of the columns.

        Args:
            rows: which of them, because all may take long to read.
            pause: called after each part of the frame, and each column of text of Arrow.
        """
        watch.is_encoded = True
        lists: list[list[Any]] = [[]] * self.width()
        for placement, (_, make, *held) in self.kept:
            try:
                cells = shared_lists(held[0], rows, pause) if make is shared_lists else make(*held, rows)
                place(cells, placement.indexer, lists)
            except IndexError:
                raise ValueError(UNEQUAL) from None
            pause()
        return lists

    def is_unchecked(self) -> bool:
        """Whether the copy shares text, which has not been checked by `snapshot_of`."""
        return any(part[1] is shared_lists for _, part in self.kept)

    def check(self, names: Sequence[str], pause: Callable[[], object]) -> None:
        """Check text that is shared.

        Args:
            names: of the columns.
            pause: called after each column.

        Raises:
            UnsupportedValueError: text is not UTF-8.
        """
        for placement, part in self.kept:
            if part[1] is shared_lists:
                for number, array in enumerate(part[2]):
                    row = first_damaged(array)
                    if row is not None:
                        name = np.array(names, object)[placement.indexer][number]
                        raise UnsupportedValueError(f"column {name!r}, row {row}: {NOT_UTF8}")
                    pause()


def snapshot_of(frame: pd.DataFrame, max_bytes: int) -> Snapshot | None:  # noqa: PLR0912, PLR0915 - see the loop
    """A copy of a frame; None when a cell could be refused, or the copy is too large.

    Args:
        frame: the frame.
        max_bytes: limit for the copy.
    """
    kept: list[tuple[Any, Kept]] = []
    dtypes: list[Any] = []
    size = objects = 0
    part: Kept
    try:
        manager: Any = frame._mgr  # noqa: SLF001 - see above
        labels, index = manager.axes
        count = len(index._range if type(index) is _RANGE else index)  # noqa: SLF001 - see above
        blocks = manager.blocks
        if _IS_WITHOUT_ARROW and count <= FEW_ROWS and len(blocks) > FEW_BLOCKS:
            blocks, cells, places, types = _share_texts(blocks)
            if places:
                part = keep_objects(cells, count, max_bytes)
                size, objects = part[0], len(part[2]) * OBJECT_BYTES + len(places) * PLACE_BYTES
                kept.append((Places(places), part))
                dtypes.append(types)
        # Text of Arrow has one part, because to make a part takes as long as to read a column.
        texts: list[Any] = []
        places, types = [], []
        if watch.left > 0:
            watch.left -= 1
            most_held = HELD_BYTES + HELD_BYTES_OF_ROW * count
        else:
            watch.look()
            most_held = -1
        for block in blocks:
            values = block.values
            kind = type(values)
            # Not in functions: in a process that just woke up a call costs more than what it does.
            if kind is _TEXT:
                array = values._pa_array  # noqa: SLF001 - the public way takes several times as long
                held = array.get_total_buffer_size()
                if held <= most_held and array.num_chunks == 1:
                    size += held - OFFSET_BYTES
                    texts.append(array)
                    places.append(block._mgr_locs)  # noqa: SLF001 - placements are immutable
                    types.append(values._dtype)  # noqa: SLF001 - see above
                    continue
                part = keep_text(array, count, max_bytes)
                dtype = values._dtype  # noqa: SLF001 - see above
                if part[1] is shared_lists:
                    size += part[0]
                    texts += part[2]
                    places.append(block._mgr_locs)  # noqa: SLF001 - placements are immutable
                    types.append(dtype)
                    continue
            elif kind is _ARRAY:
                dtype = values.dtype
                if count == 1 and (dtype is _FLOATS or dtype is _INTEGERS):
                    raw = values.tobytes()
                    part = len(raw), _number_lists, raw, dtype, 1, "C"
                elif dtype.num <= _LAST_NUMBER:
                    nbytes = values.size * 8
                    if nbytes > max_bytes:
                        return None
                    if count > 1 and values.flags.fnc:
                        part = nbytes, _number_lists, values.T.tobytes(), dtype, count, "F"
                    else:
                        part = nbytes, _number_lists, values.tobytes(), dtype, count, "C"
                else:
                    part = _keep_array(values, count, max_bytes)
            elif kind is _TIMES:
                part = _keep_times(values, count, max_bytes)
                dtype = part[3]
                objects += TYPE_BYTES
            else:
                part = _KEEPERS.get(kind, _keep_other)(values, count, max_bytes)
                dtype = values.dtype
                if kind is _CATEGORIES and id(dtype) not in known_categories:
                    if part[1] is chosen_lists:
                        objects += len(part[-1]) * OBJECT_BYTES + sum(map(category_bytes, part[-1]))
                    dtype = without_categories(dtype)
            held = part[2]
            if part[1] is shared_lists:
                objects += ARRAY_BYTES
            elif type(held) is list:
                objects += len(held) * OBJECT_BYTES
            elif type(held) is not bytes or kind is _CATEGORIES:
                objects += part_bytes(part)
            size += part[0]
            if size > max_bytes:
                return None
            kept.append((block._mgr_locs, part))  # noqa: SLF001 - placements are immutable
            dtypes.append(dtype)
        if texts:
            if size > max_bytes:
                return None
            kept.append((Places(places), (0, shared_lists, texts)))
            dtypes.append(types)
            objects += len(texts) * (ARRAY_BYTES + PLACE_BYTES)
    except (CannotKeepError, *REFUSED):  # encoding it now names the cell
        return None
    memory: Any = labels._data if type(labels) is _INDEX else None  # noqa: SLF001 - as `kept_labels`, without a call
    if type(memory) is _TEXT:
        array = memory._pa_array  # noqa: SLF001 - see above
        names = ArrowLabels(array, memory._dtype, array.get_total_buffer_size())  # noqa: SLF001 - see above
        of_labels = names.nbytes + ARRAY_BYTES
    else:
        names, of_labels = _labels_with_bytes(labels, memory)
    return Snapshot(names, count, kept, size, of_labels, size + objects + of_labels + len(kept) * PART_BYTES, dtypes)


def _labels_with_bytes(index: Any, memory: Any) -> tuple[Labels, int]:
    """The labels of an index and what they take; of text without pyarrow, each is looked at once."""
    kind = type(memory)
    if kind is _PYTHON_TEXT or (kind is _ARRAY and memory.dtype is _OBJECTS):
        labels = tuple((memory if kind is _ARRAY else memory._ndarray).tolist())  # noqa: SLF001 - as `kept_labels`
        try:
            return labels, text_labels_bytes(labels)
        except TypeError:  # not only text
            pass
    labels = kept_labels(index)
    return labels, labels_bytes(labels)


def _share_texts(blocks: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """All text of pandas without pyarrow: to make a part takes longer than to read a few cells.

    Returns:
        The other blocks; the cells of all columns of text, their positions and their types.
    """
    others, cells, places, dtypes = [], [], [], []
    for block in blocks:
        values = block.values
        if type(values) is _PYTHON_TEXT:
            cells += values._ndarray.tolist()  # noqa: SLF001 - `np.asarray` takes longer
            places.append(block._mgr_locs)  # noqa: SLF001 - placements are immutable
            dtypes.append(values._dtype)  # noqa: SLF001 - as above
        else:
            others.append(block)
    return others, cells, places, dtypes


def _keep_array(values: Any, count: int, max_bytes: int) -> Kept:
    dtype = values.dtype
    if dtype.num <= _LAST_NUMBER or dtype.kind in NUMBERS:
        return _numbers(values, dtype, _number_lists, count, max_bytes)
    if dtype.kind == "O":
        return keep_objects(values.ravel().tolist(), count, max_bytes)
    return _keep_other(values, count, max_bytes)


def _numbers(values: Any, dtype: Any, make: Callable[..., list[list[Any]]], count: int, max_bytes: int) -> Kept:
    """A copy of memory. One that keeps the order of the memory takes a tenth of the time of another one."""
    size = values.size * 8
    if size > max_bytes:
        raise CannotKeepError
    if count > 1 and values.flags.fnc:
        return size, make, values.T.tobytes(), dtype, count, "F"
    return size, make, values.tobytes(), dtype, count, "C"


def _array(raw: bytes, dtype: Any, count: int, order: Any, rows: slice) -> Any:
    """Some rows of the memory that `_numbers` copied, by column and row."""
    return np.frombuffer(raw, dtype).reshape((-1, count) if count else (0, 0), order=order)[:, rows]


def _number_lists(raw: bytes, dtype: Any, count: int, order: str, rows: slice) -> list[list[Any]]:
    return block_cells(_array(raw, dtype, count, order, rows))


def _keep_times(values: Any, count: int, max_bytes: int) -> Kept:
    numbers, dtype = values._ndarray, values._dtype  # noqa: SLF001 - see above
    is_zoned = type(dtype) is _ZONED
    make = _zoned_lists if is_zoned else _number_lists
    if count == 1:
        kept: Kept = numbers.size * 8, make, numbers.tobytes(), dtype, 1, "C"
    else:
        kept = _numbers(numbers, dtype, make, count, max_bytes)
    if is_zoned and not check_zoned(kept[2], dtype):
        raise CannotKeepError
    return kept


def _keep_durations(values: Any, count: int, max_bytes: int) -> Kept:
    numbers = values._ndarray  # noqa: SLF001 - see above
    return _numbers(numbers, numbers.dtype, _number_lists, count, max_bytes)


def _zoned_lists(raw: bytes, dtype: Any, count: int, order: str, rows: slice) -> list[list[Any]]:
    kind: Any = pd.arrays.DatetimeArray
    moments = _array(raw, f"M8[{dtype.unit}]", count, order, rows)
    return [zoned_time_texts(kind._simple_new(column, dtype=dtype)) for column in moments]  # noqa: SLF001 - as above


def _keep_masked(values: Any, count: int, _: int) -> Kept:
    numbers, mask = values._data, values._mask  # noqa: SLF001 - `to_numpy` takes a hundred times as long
    return count * 9, _masked_lists, numbers.tobytes(), numbers.dtype, mask.tobytes()


def _masked_lists(raw: bytes, dtype: Any, mask: bytes, rows: slice) -> list[list[Any]]:
    (cells,), gaps = block_cells(np.frombuffer(raw, dtype)[rows]), mask[rows]
    return [[None if gap else cell for cell, gap in zip(cells, gaps, strict=True)]] if any(gaps) else [cells]


def _keep_python_text(values: Any, count: int, max_bytes: int) -> Kept:
    """The usual text of pandas without pyarrow."""
    return keep_objects(values._ndarray.tolist(), count, max_bytes)  # noqa: SLF001 - `np.asarray` takes longer


def _keep_other(values: Any, count: int, max_bytes: int) -> Kept:
    """The types of pandas whose classes differ from release to release."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        if dtype.storage == "python":
            return keep_objects(np.asarray(values, dtype=object).tolist(), count, max_bytes)
        return keep_array(values.__arrow_array__(), count, max_bytes)
    if isinstance(dtype, pd.PeriodDtype) and values.size * 8 <= max_bytes:
        return values.size * 8, lambda copy, rows: block_cells(copy[..., rows]), values.copy()
    raise CannotKeepError


_KEEPERS: Final[dict[type, Callable[[Any, int, int], Kept]]] = {
    np.ndarray: _keep_array,
    pd.arrays.TimedeltaArray: _keep_durations,
    pd.Categorical: keep_categories,
    _PYTHON_TEXT: _keep_python_text,
    **dict.fromkeys(MASKED, _keep_masked),
}
"""By the exact type, for speed."""
