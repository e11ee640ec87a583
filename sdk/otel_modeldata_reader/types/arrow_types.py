"""The Arrow type of a code."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from .grammar import TypesError, categories_in, parsed, text_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from .grammar import Code

__all__ = ["JSON_TEXT", "arrow_type", "has_json_text", "is_json_text"]

JSON_TEXT: Final = frozenset({"O[mixed]", "O[dict]", "O[list]", "O[tuple]", "O[bigint]", "O[decimal]"})
"""Codes of columns whose cells Arrow has no exact type for: text columns that hold the JSON of each cell."""

_NUMBERS: Final[dict[str, Any]] = {
    "b": pa.bool_(),
    "f2": pa.float16(),
    "f4": pa.float32(),
    "f8": pa.float64(),
    **{f"{sign[0]}{bits // 8}": getattr(pa, f"{sign}{bits}")() for sign in ("int", "uint") for bits in (8, 16, 32, 64)},
}
_ARROW: Final[dict[str, Any]] = {
    **_NUMBERS,
    "null": pa.null(),
    "date32": pa.date32(),
    "date64": pa.date64(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "month_day_nano_interval": pa.month_day_nano_interval(),
    **{name: getattr(pa, name)() for name in ("string_view", "binary_view") if hasattr(pa, name)},
}
_PANDAS: Final[dict[str, Any]] = {
    **_NUMBERS,
    "f16": pa.float64(),
    "s": pa.string(),
    "boolean": pa.bool_(),
    **{
        f"{sign}{bits}": _NUMBERS[f"{sign[0].lower()}{bits // 8}"]
        for sign in ("Int", "UInt")
        for bits in (8, 16, 32, 64)
    },
    **{f"Float{bits}": _NUMBERS[f"f{bits // 8}"] for bits in (32, 64)},
}
_OBJECTS: Final[dict[str, Any]] = {
    **_NUMBERS,
    "f16": pa.float64(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    **dict.fromkeys(("time", "datetime", "timedelta", "Timestamp", "Timedelta", "uuid"), pa.string()),
    **dict.fromkeys((code[len("O[") : -1] for code in JSON_TEXT), pa.string()),
}
_BAD_PARAMETERS: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError, pa.ArrowException)
_MOST_DIMENSIONS: Final = 32
"""Of an array of NumPy before 2.0."""
_UNITS: Final = frozenset({"s", "ms", "us", "ns"})
_OFFSET: Final = re.compile(r"(?:UTC)?([+-]\d{2}:\d{2})")


def is_json_text(code: str) -> bool:
    """Whether a column of this code holds the JSON of its cells."""
    return code in JSON_TEXT or parsed(code).word == "other"


def has_json_text(code: str) -> bool:
    """The same, or its categories are such cells."""
    parts = parsed(code)
    return is_json_text(categories_in(parts).code if parts.word == "c" else code)


@lru_cache(maxsize=1024)
def arrow_type(code: str) -> Any:
    """The Arrow type of a column.

    Raises:
        TypesError: there is no such code.
    """
    parts = parsed(code)
    if not parts.items and parts.word.removeprefix(">") in _PANDAS:
        return _PANDAS[parts.word.removeprefix(">")]
    make = _MAKERS.get(parts.word.removeprefix(">"))
    try:
        if make is not None:
            return make(parts)
    except _BAD_PARAMETERS as error:
        raise TypesError(f"types of columns: expected the parameters of {parts.word!r}, got {code[:80]!r}") from error
    raise TypesError(f"types of columns: expected a type, got {code[:80]!r}: a later release may know it")


def zone_of(text: str) -> str:
    """A time zone by the name that Arrow has for it."""
    offset = _OFFSET.fullmatch(text)
    return offset[1] if offset else text


def _unit(text: str) -> str:
    if text not in _UNITS:
        raise ValueError(text)
    return text


def _object(parts: Code) -> Any:
    if not parts.items:
        return pa.string()
    (item,) = parts.items
    inner = parsed(item)
    if inner.word == "list" and inner.items:
        return pa.list_(_ELEMENTS[inner.items[0]])
    if inner.word == "array":
        kind = _NUMBERS[inner.items[0].removeprefix(">")]
        dimensions = int(inner.items[1]) if len(inner.items) > 1 else 1
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise ValueError(item)
        for _ in range(dimensions):
            kind = pa.list_(kind)
        return kind
    return _OBJECTS[item]


_ELEMENTS: Final[dict[str, Any]] = {"s": pa.string(), "b": pa.bool_(), "i8": pa.int64(), "f8": pa.float64()}
"""Of lists of Python."""


def _category(parts: Code) -> Any:
    categories = categories_in(parts)
    return pa.dictionary(pa.int32(), arrow_type(categories.code), ordered=categories.ordered)


def _sparse(parts: Code) -> Any:
    subtype, _ = parts.items
    return arrow_type(subtype)


def _named(parts: Code) -> Any:
    (_,) = parts.items
    return pa.string()


def _interval(parts: Code) -> Any:
    subtype, closed = parts.items
    if closed not in _CLOSED or (parsed(subtype).word not in _TIMES and subtype not in _NUMBERS):
        raise ValueError(subtype)
    arrow_type(subtype)
    return pa.string()


_CLOSED: Final = frozenset({"left", "right", "both", "neither"})
_TIMES: Final = frozenset({"M8", "m8", "datetime64"})


def _text(parts: Code) -> Any:
    (storage,) = parts.items
    return {"python": pa.string(), "pyarrow": pa.string()}[storage]


def _time(parts: Code) -> Any:
    unit, *zone = parts.items
    return pa.timestamp(_unit(unit), *map(zone_of, map(text_in, zone)))


_MAKERS: Final[dict[str, Callable[[Code], Any]]] = {
    "M8": _time,
    "datetime64": _time,
    "m8": lambda parts: pa.duration(_unit(*parts.items)),
    "c": _category,
    "O": _object,
    "Sparse": _sparse,
    **dict.fromkeys(("period", "other"), _named),
    "interval": _interval,
    **dict.fromkeys(("s", "string"), _text),
    "arrow": lambda parts: _nested(*parts.items),
}
"""By the word of the code of a column."""


def _nested(item: str) -> Any:
    """The type of a code in `arrow[...]`."""
    parts = parsed(item)
    if not parts.items and item in _ARROW:
        return _ARROW[item]
    return _NESTED[parts.word](*parts.items)


def _field(item: str, name: str | None = None) -> Any:
    """A field: `[name:]code[!]`; names have no colon of their own, and codes have them in brackets only."""
    head, colon, rest = item.partition(":")
    if colon and "[" not in head:
        name, item = text_in(head), rest
    if name is None:
        raise ValueError(item)
    return pa.field(name, _nested(item.removesuffix("!")), nullable=not item.endswith("!"))


def _map(key: str, item: str, *keys_sorted: str) -> Any:
    return pa.map_(_nested(key), _field(item, "value"), keys_sorted=keys_sorted == ("sorted",))


def _decimal(bits: int) -> Callable[[str, str], Any]:
    return lambda precision, scale: getattr(pa, f"decimal{bits}")(int(precision), int(scale))


def _list(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda item, *size: make(_field(item, "item"), *map(_size, size))


def _size(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _extension(name: str, storage: str) -> Any:
    make = {"arrow.uuid": "uuid", "arrow.json": "json_", "arrow.bool8": "bool8"}[name]
    return getattr(pa, make)(*([_nested(storage)] if make == "json_" else []))


_NESTED: Final[dict[str, Callable[..., Any]]] = {
    "timestamp": lambda unit, *zone: pa.timestamp(_unit(unit), *map(text_in, zone)),
    "duration": lambda unit: pa.duration(_unit(unit)),
    "time32": lambda unit: pa.time32(_unit(unit)),
    "time64": lambda unit: pa.time64(_unit(unit)),
    "binary": lambda size: pa.binary(int(size)),
    **{f"decimal{bits}": _decimal(bits) for bits in (32, 64, 128, 256)},
    "struct": lambda *items: pa.struct([_field(item) for item in items]),
    "map": _map,
    "dictionary": lambda index, value, *ordered: pa.dictionary(
        _nested(index), _nested(value), ordered=ordered == ("ordered",)
    ),
    "run_end_encoded": lambda ends, value: pa.run_end_encoded(_nested(ends), _nested(value)),
    "list": _list(pa.list_),
    "large_list": _list(pa.large_list),
    "fixed_size_list": _list(pa.list_),
    **{name: _list(getattr(pa, name)) for name in ("list_view", "large_list_view") if hasattr(pa, name)},
    "extension": _extension,
}
