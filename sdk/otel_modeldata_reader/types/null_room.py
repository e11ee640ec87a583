"""The memory that nulls take: a null of a list of a fixed size has room for all of its elements.

A line names its types. One that names a list of a billion elements, and has a null, would take gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import msgspec

__all__ = ["has_room", "has_room_for"]

_MOST_BYTES: Final = 64 << 20
"""Of the nulls of one column in some lines, which are a few megabytes."""
_SMALL_BYTES: Final = 64
"""About the JSON of a row. Smaller nulls take no more memory than their lines."""
_BITS: Final = 8


def has_room(kinds: Iterable[Any], datas: Sequence[bytes | memoryview | msgspec.Raw]) -> bool:
    """Whether the nulls that rows may have fit into memory.

    Args:
        kinds: the types of the columns.
        datas: the rows of each line.
    """
    widest = max(map(_null_bytes, kinds), default=0)
    if widest <= _SMALL_BYTES:
        return True
    rows = sum(bytes(data).count(b"null") + bytes(data).count(b"{") for data in datas)
    return rows * widest <= _MOST_BYTES


def has_room_for(rows: int, kind: Any) -> bool:
    """Whether a column of so many nulls fits into memory."""
    widest = _null_bytes(kind)
    return widest <= _SMALL_BYTES or rows * widest <= _MOST_BYTES


def _null_bytes(kind: Any) -> int:
    """How many bytes a null takes."""
    if types.is_fixed_size_list(kind):
        return int(kind.list_size) * max(1, _null_bytes(kind.value_type))
    if types.is_struct(kind):
        return sum(_null_bytes(kind.field(number).type) for number in range(kind.num_fields))
    if types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    if hasattr(kind, "storage_type"):
        return _null_bytes(kind.storage_type)
    try:
        return int(kind.bit_width) // _BITS
    except ValueError:  # of no fixed width: a null takes an offset
        return 0
