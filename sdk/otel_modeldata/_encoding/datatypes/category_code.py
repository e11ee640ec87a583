"""The code of a categorical column, with its categories where the cells do not say them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from .cell_kinds import AS_JSON, MIXED, TEXT, kind_code, types_of
from .dtype_code import dtype_code
from .quoting import OTHER, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

_MOST_CHARS: Final = 1024
MOST_CATEGORIES: Final = 256
"""A longer list of categories is left out."""
_MOST_KNOWN: Final = 64
_COMPARED: Final = re.compile(
    r"b|[iuf]\d+|U?Int\d+|Float\d+|s(\[python\])?|string\[\w+\]|O(\[(int|float|date)\])?|M8\[\w+\]"
)
"""Codes of categories whose cells have the order of the categories."""


class CategoryType(msgspec.Struct, eq=False, gc=False):
    """A categorical dtype without its categories, which may take much memory.

    Attributes:
        code: of its categories.
        ordered: whether they have an order.
    """

    code: str
    ordered: bool


class _Codes(msgspec.Struct, eq=False, gc=False):
    """The codes that a dtype may have.

    Attributes:
        dtype: the dtype, held so that no other one gets its identity.
        plain: without the categories.
        listed: with them, if they are not too long.
        is_sorted: whether readers would find the categories in this order.
    """

    dtype: pd.CategoricalDtype | CategoryType
    plain: str
    listed: str
    is_sorted: bool


_known: dict[int, _Codes] = {}
"""By the identity of a dtype."""


def without_categories(dtype: pd.CategoricalDtype) -> CategoryType:
    """What is kept of a dtype that other frames may not have."""
    categories: Any = dtype.categories
    kind = categories.dtype
    if not isinstance(kind, np.dtype) or kind.kind != "O":
        code = dtype_code(kind)
    elif len(categories) <= MOST_CATEGORIES:
        code = kind_code(types_of(categories), categories.tolist())
    else:
        code = TEXT if categories.inferred_type == "string" else MIXED
    return CategoryType(code, bool(dtype.ordered))


def category_code(
    dtype: pd.CategoricalDtype | CategoryType,
    count: int,
    read: Callable[[], Sequence[Any]],
    rows: int,
    used: Callable[[], int],
) -> str:
    """The code of a categorical column.

    The categories are left out if they are the values of the column in ascending order: that is what `astype` makes for
    every frame anew, and a text that differs from frame to frame would be slow to receive and to read.

    Args:
        dtype: of the column.
        count: the number of categories.
        read: makes their cells in JSON.
        rows: the length of the column.
        used: counts the categories that occur.
    """
    codes = _known.get(id(dtype))
    if codes is None or codes.dtype is not dtype:
        codes = _codes(dtype, read() if count <= MOST_CATEGORIES else ())
        if type(dtype) is not CategoryType and count <= MOST_CATEGORIES:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[id(dtype)] = codes
    is_inferred = codes.is_sorted and count <= rows and codes.plain != codes.listed and used() == count
    return codes.plain if is_inferred else codes.listed


def _codes(dtype: pd.CategoricalDtype | CategoryType, cells: Sequence[Any]) -> _Codes:
    """The codes of a dtype with these categories; without any where there are too many."""
    kind = dtype if isinstance(dtype, CategoryType) else without_categories(dtype)
    plain = listed = "c" if kind.code == "s" else f"c[{kind.code}]"
    if cells:
        as_json = kind.code in AS_JSON or kind.code.startswith(OTHER)
        texts = [cell if isinstance(cell, str) and not as_json else _encoder.encode(cell).decode() for cell in cells]
        mark = "<" if kind.ordered else "|"
        listed = f"c[{kind.code}{''.join(mark + quoted(text) for text in texts)}]"
    if len(listed) > _MOST_CHARS:
        listed = plain
    if kind.ordered and listed == plain:
        listed = f"c[{kind.code}<*]"
    is_comparable = not kind.ordered and _COMPARED.fullmatch(kind.code) is not None
    return _Codes(dtype, plain, listed, is_comparable and all(one <= other for one, other in pairwise(cells)))


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
