"""The table of the receiver's settings, made from the structs that they decode into.

Each field of such a struct carries a `Doc`: its unit and its meaning are written once, beside its type and its default,
for `otel-modeldata receive --help`, `otel-modeldata check` and the documentation.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

__all__ = ["MIB", "Doc", "Setting", "settings_of", "with_overrides"]

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """The documentation of a setting, in the annotation of its field.

    Attributes:
        unit: what the setting takes: `HOST:PORT`, `bytes`, `seconds`.
        meaning: what it does.
        default: the default as text, where the default of the field does not show it.
    """

    unit: str
    meaning: str
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of the configuration file.

    Attributes:
        key: with dots for the keys of a mapping: `tls.cert_file`. `NAME` is a name that the user chooses.
        unit: what it takes.
        default: the default as text; "required" where the mapping needs it.
        meaning: what it does.
    """

    key: str
    unit: str
    default: str
    meaning: str


def settings_of(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[Setting]:
    """Every setting of a struct; a setting that is a mapping is followed by the settings in it."""
    for field in msgspec.structs.fields(kind):
        doc = next(mark for mark in _marks(field.type) if isinstance(mark, Doc))
        key = f"{prefix}{field.name}"
        yield Setting(key=key, unit=doc.unit, default=doc.default or _default(field, doc), meaning=doc.meaning)
        for inner, name in _structs(field.type):
            yield from settings_of(inner, f"{key}.{name}")


def _default(field: msgspec.structs.FieldInfo, doc: Doc) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value == () or isinstance(value, msgspec.Struct):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, enum.Enum):
        return str(value.value)
    return (
        f"{value} ({value // MIB} MiB)"
        if doc.unit == "bytes"
        else f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
    )


def _marks(hint: Any) -> tuple[Any, ...]:
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


def _structs(hint: Any) -> Iterator[tuple[type[msgspec.Struct], str]]:
    """The structs inside a type, each with the part of the key between the field and its own keys."""
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _structs(hint.__origin__)
    elif origin in (Union, types.UnionType):
        for member in get_args(hint):
            yield from _structs(member)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from ((inner, f"NAME.{name}") for inner, name in _structs(get_args(hint)[1]))
    elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint, ""


def with_overrides(settings: dict[object, object], overrides: Mapping[str, object]) -> dict[object, object]:
    """`settings` with `overrides` on top; a key with a dot is a setting in a mapping."""
    merged = dict(settings)
    for key, value in overrides.items():
        outer, dot, inner = key.partition(".")
        within = merged.get(outer)
        merged[outer] = {**(within if isinstance(within, dict) else {}), inner: value} if dot else value
    return merged
