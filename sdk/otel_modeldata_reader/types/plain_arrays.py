"""Arrow arrays of NumPy arrays and of texts, made of their bytes, and the way back.

`array`, `scalar` and `to_numpy` of pyarrow import pandas when they are first called, to know its objects.
That takes a fifth of a second, and more than a second where Python has no bytecode of it: in most images of containers,
for example. What a command or Studio reads before its first answer is made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["floats_of", "numbers_array", "numbers_of", "text_scalar", "texts_array", "truths_array", "truths_of"]

_TYPES: Final[dict[Any, Any]] = {
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.uint64(): np.dtype(np.uint64),
    pa.float64(): np.dtype(np.float64),
}
_KINDS: Final = {dtype: kind for kind, dtype in _TYPES.items()}
_MOST_BYTES: Final = 2**31 - 1
"""Of the texts of an array with offsets of 32 bits."""


def numbers_array(values: Any, nulls: Any = None) -> pa.Array:
    """An array of the same numbers.

    Args:
        values: a NumPy array of int32, int64, uint64 or float64; it must not be changed later.
        nulls: which ones are null, as a NumPy array of booleans; None is none.
    """
    kind = _KINDS[values.dtype]
    return pa.Array.from_buffers(kind, len(values), [_validity(nulls), pa.py_buffer(np.ascontiguousarray(values))])


def numbers_of(column: pa.Array | pa.ChunkedArray) -> Any:
    """The NumPy array of such numbers, of which none is null. It may be read-only."""
    parts = [_values(one) for one in _chunks(column)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, _TYPES[column.type])


def floats_of(column: pa.Array | pa.ChunkedArray) -> Any:
    """A new NumPy array of float64 numbers; NaN where one is null."""
    parts = [
        np.where(_set_bits(one, one.buffers()[0]), _values(one), np.nan) if one.null_count else _values(one)
        for one in _chunks(column)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def truths_array(values: Any, nulls: Any = None) -> pa.Array:
    """An array of the same booleans; the arguments are those of `numbers_array`."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(nulls), _bits(values)])


def truths_of(column: pa.Array | pa.ChunkedArray) -> Any:
    """The NumPy array of booleans of which none is null."""
    parts = [_set_bits(one, one.buffers()[1]) for one in _chunks(column)]
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def texts_array(values: Sequence[str | None]) -> pa.Array:
    """An array of texts; None is null.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
    """
    count = len(values)
    if not count:
        return pa.nulls(0, pa.string())
    nulls = np.fromiter((one is None for one in values), np.bool_, count) if None in values else None
    text = "\0".join(["" if one is None else one for one in values]).encode()
    zeros = np.flatnonzero(np.frombuffer(text, np.uint8) == 0)
    if len(zeros) != count - 1 or len(text) > _MOST_BYTES:  # a text has a zero itself, or they are very long
        return pa.array(values, pa.string())
    # The texts and the zeros between them, by turns, of which every second one is taken.
    offsets = np.zeros(2 * count + 1, np.int32)
    offsets[1:-2:2], offsets[2:-1:2], offsets[-2:] = zeros, zeros + 1, len(text)
    parts = pa.StringArray.from_buffers(2 * count, pa.py_buffer(offsets), pa.py_buffer(text))
    return parts.take(numbers_array(np.arange(0, 2 * count, 2, dtype=np.int32), nulls))


def text_scalar(value: str) -> pa.Scalar:
    """A text as a scalar."""
    return texts_array([value])[0]


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return [one for one in (column.chunks if isinstance(column, pa.ChunkedArray) else [column]) if len(one)]


def _values(array: pa.Array) -> Any:
    dtype = _TYPES[array.type]
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _set_bits(array: pa.Array, buffer: pa.Buffer) -> Any:
    """The bits of the cells of an array as booleans."""
    skipped, end = array.offset % 8, array.offset + len(array)
    some = np.frombuffer(buffer, np.uint8)[array.offset // 8 : -(-end // 8)]  # a slice has the bits of its parent
    return np.unpackbits(some, count=skipped + len(array), bitorder="little")[skipped:].view(np.bool_)


def _validity(nulls: Any) -> pa.Buffer | None:
    return None if nulls is None or not nulls.any() else _bits(~nulls)


def _bits(values: Any) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
