"""The categories that a code lists, as the dictionary of a column."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .arrow_types import arrow_type, is_json_text
from .grammar import categories_in, parsed
from .json_cells import array_of

__all__ = ["categories_of", "with_categories"]


def with_categories(array: Any, code: str) -> Any:
    """A column with the dictionary that its code lists; others as they are.

    Raises:
        ValueError: a value is none of the categories.
    """
    categories = categories_of(code)
    if categories is None:
        return array
    positions = pc.index_in(array.dictionary, categories)
    indices = positions.take(array.indices)
    if indices.null_count > array.null_count:
        raise ValueError("expected one of the categories, got another value")
    return pa.DictionaryArray.from_arrays(indices, categories, ordered=array.type.ordered)


@lru_cache(maxsize=256)
def categories_of(code: str) -> Any:
    """The categories that a code lists, as an Arrow array; None without a list, and for other columns."""
    parts = parsed(code)
    if parts.word != "c":
        return None
    categories = categories_in(parts)
    if categories.texts is None:
        return None
    if is_json_text(categories.code):
        return pa.array(categories.texts, pa.string())
    kind = arrow_type(categories.code)
    for in_quotes in (True, False):  # JSON has text for most types
        cells = [msgspec.Raw(msgspec.json.encode(text) if in_quotes else text.encode()) for text in categories.texts]
        try:
            return array_of(cells, kind)
        except (ArithmeticError, LookupError, TypeError, ValueError, msgspec.DecodeError, pa.ArrowException) as error:
            last = error
    raise ValueError("expected categories of the type of the code") from last
