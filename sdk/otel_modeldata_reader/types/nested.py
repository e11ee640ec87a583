"""Arrow arrays of nested and encoded types, made of their parts."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_dictionary", "is_list", "is_run_end_encoded", "is_view", "list_of", "run_end_encoded", "unique"]


def is_view(kind: Any, name: str) -> bool:
    """Whether `kind` is the view type of this name, which old releases of Arrow do not have."""
    return bool(getattr(types, f"is_{name}", lambda _: False)(kind))


def is_list(kind: Any) -> bool:
    """Whether `kind` is a list of any form."""
    is_plain = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_plain or is_view(kind, "list_view") or is_view(kind, "large_list_view")


def is_run_end_encoded(kind: Any) -> bool:
    """Whether `kind` has runs of equal values."""
    return bool(kind.id == getattr(pa.lib, "Type_RUN_END_ENCODED", None))


def as_dictionary(values: Any, kind: Any) -> Any:
    """A dictionary array of the type `kind` with these values."""
    encoded = values.dictionary_encode()
    indices = encoded.indices.cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary, ordered=kind.ordered)


def run_end_encoded(values: Any, kind: Any) -> Any:
    """An array of the type `kind` with these values."""
    return pc.run_end_encode(values, run_end_type=kind.run_end_type)


def list_of(lengths: Sequence[int | None], elements: Any, kind: Any) -> Any:
    """A list array of the type `kind`.

    Args:
        lengths: of each list; None for a null.
        elements: of all lists that are no null, one after the other.
        kind: the type.

    Raises:
        ValueError: the type has another length.
    """
    gaps = pa.array([length is None for length in lengths], pa.bool_())
    if types.is_fixed_size_list(kind):
        return _fixed_size_list(gaps, elements, kind)
    starts = [0, *accumulate(length or 0 for length in lengths)]
    if types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), elements, type=kind, mask=gaps)
    if types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(pa.array(starts, pa.int64()), elements, type=kind, mask=gaps)
    is_large = is_view(kind, "large_list_view")
    size = pa.int64() if is_large else pa.int32()
    make: Any = pa.LargeListViewArray if is_large else pa.ListViewArray
    sizes = pa.array([length or 0 for length in lengths], size)
    return make.from_arrays(pa.array(starts[:-1], size), sizes, elements, type=kind, mask=gaps)


def _fixed_size_list(gaps: Any, elements: Any, kind: Any) -> Any:
    """Such a list has room for its elements also where it is null."""
    positions: list[int | None] = []
    first = 0
    for gap in gaps.to_pylist():
        positions += [None] * kind.list_size if gap else range(first, first + kind.list_size)
        first += 0 if gap else kind.list_size
    if first != len(elements):
        raise ValueError(f"expected lists of {kind.list_size} elements, got others")
    spread = elements.take(pa.array(positions, pa.int64()))
    return pa.FixedSizeListArray.from_arrays(spread, type=kind, mask=gaps)


def unique(names: Sequence[str]) -> list[str]:
    """Names of fields as rows have them: a repeated one gets `_1`, `_2`..."""
    taken, seen, result = set(names), set[str](), []
    for name in names:
        free, number = name, 0
        while free in seen or (number and free in taken):
            number += 1
            free = f"{name}_{number}"
        seen.add(free)
        result.append(free)
    return result
