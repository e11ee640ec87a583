"""The code of a categorical column, with its categories where the cells do not say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from .cell_kinds import AS_JSON, kind_code, types_of
from .dtype_code import dtype_code
from .quoting import OTHER, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

MOST_CHARS: Final = 1024
_MOST_CATEGORIES: Final = 256
"""A longer list of categories is left out."""
_MOST_KNOWN: Final = 64


class KnownCategories(msgspec.Struct, eq=False, gc=False):
    """What follows from a categorical dtype alone.

    Attributes:
        dtype: the dtype: held, so that its identity is not used again.
        plain: the code without the categories.
        listed: the code with them, if they are not too long.
        is_sorted: whether readers would find them in this order.
    """

    dtype: pd.CategoricalDtype
    plain: str
    listed: str
    is_sorted: bool


_known: dict[int, KnownCategories] = {}
"""By the identity of the dtype."""


def category_code(dtype: pd.CategoricalDtype, rows: int, used: Callable[[], int]) -> str:
    """The code of a categorical column.

    The categories are left out if they are the values of the cells in ascending order: that is what `astype` makes of
    every frame anew, and a text that differs from frame to frame would be slow to read and to receive.

    Args:
        dtype: of the column.
        rows: the number of its cells.
        used: counts the categories that occur.
    """
    known = _known.get(id(dtype))
    if known is None or known.dtype is not dtype:
        known = _read(dtype)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[id(dtype)] = known
    count = len(dtype.categories)
    if known.is_sorted and count <= rows and used() == count:
        return known.plain
    return known.listed


def _read(dtype: pd.CategoricalDtype) -> KnownCategories:
    categories: Any = dtype.categories
    kind = categories.dtype
    is_object = isinstance(kind, np.dtype) and kind.kind == "O"
    code = kind_code(types_of(categories), categories.tolist()) if is_object else dtype_code(kind)
    plain = "c" if code == "s" else f"c[{code}]"
    listed = plain
    if len(categories) <= _MOST_CATEGORIES:
        listed = _listed(code, categories.array, "<" if dtype.ordered else "|") or plain
    if dtype.ordered and (listed == plain or len(listed) > MOST_CHARS):
        listed = f"c[{code}<*]"
    elif len(listed) > MOST_CHARS:
        listed = plain
    return KnownCategories(dtype, plain, listed, not dtype.ordered and bool(categories.is_monotonic_increasing))


def _listed(code: str, categories: Any, mark: str) -> str:
    from ..columns import cells_of  # noqa: PLC0415 - columns consist of cells, and these have kinds

    as_json = code in AS_JSON or code.startswith(OTHER)
    texts = [
        cell if isinstance(cell, str) and not as_json else _encoder.encode(cell).decode()
        for cell in cells_of(categories)
    ]
    return f"c[{code}{''.join(mark + quoted(text) for text in texts)}]" if texts else ""


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
