"""What is wrong with a part of a request in OTLP/JSON that cannot be read; the sentences quote no data.

`ParseDict` with `ignore_unknown_fields`, which the encoding needs, drops some wrong values without an error: a text or
a list in place of an object is read as names of unknown fields, and what is not base64 in a text is left out of the
bytes. `check_types` finds these before the conversion; `fault_of` makes sentences of the errors of the others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor

__all__ = ["JsonFaultError", "check_types", "fault_of"]

MOST_LEVELS: Final = 48
"""Arrays and maps in a value that can be read: `ParseDict` reads 100 messages in each other, and a list takes two."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_FIELD: Final = re.compile(r"Failed to parse (\w{1,64}) field")
_MOST_SHOWN: Final = 6


class JsonFaultError(ValueError):
    """A part of a request that cannot be read; its text is what it has, and what to do."""


class _Field(NamedTuple):
    """A field, as far as `check_types` needs it."""

    message: Descriptor | None
    is_repeated: bool
    is_bytes: bool


@lru_cache(maxsize=64)
def _fields(message: Descriptor) -> Mapping[str, _Field]:
    """The fields of a message whose values are checked, by their names in JSON."""
    fields = {}
    for field in message.fields:
        label: Any = field
        is_repeated = field.is_repeated if hasattr(field, "is_repeated") else label.label == label.LABEL_REPEATED
        is_bytes = field.type == FieldDescriptor.TYPE_BYTES
        if field.message_type is not None or is_bytes:
            fields[field.json_name] = _Field(field.message_type, is_repeated, is_bytes)
    return fields


def check_types(value: Any, message: Descriptor, where: str = "") -> None:
    """Check that `value`, in lowerCamelCase and with ids in base64, has objects, lists and base64 where they belong.

    Raises:
        JsonFaultError: it has something else there.
    """
    if not isinstance(value, dict):
        raise JsonFaultError(f"{_kind(value)} in place of an object{where}; correct the sender")
    fields = _fields(message)
    for key, inner in value.items():
        field = fields.get(key)
        if field is None or inner is None:
            continue
        if field.is_bytes:
            if isinstance(inner, str) and _BASE64.fullmatch(inner) is None:
                raise JsonFaultError(f"a text in {key} that is not base64; correct the sender")
        elif not field.is_repeated:
            check_types(inner, field.message, f" in {key}")  # type: ignore[arg-type]
        elif isinstance(inner, list):
            for item in inner:
                check_types(item, field.message, f" in {key}")  # type: ignore[arg-type]
        else:
            raise JsonFaultError(f"{_kind(inner)} in place of a list in {key}; correct the sender")


def fault_of(error: Exception) -> str:
    """What is wrong, from the error of a conversion."""
    if isinstance(error, JsonFaultError):
        return str(error)
    text = str(error)
    if isinstance(error, RecursionError) or "too deep" in text:
        return f"values that nest more than {MOST_LEVELS} levels deep; send them flatter, or as JSON in a text"
    where = ".".join(_FIELD.findall(text)[:_MOST_SHOWN])
    if not where:
        return "values of other types than OTLP has; correct the sender"
    if "out of range" in text or "non-integer" in text:
        return f"a number in {where} that its field cannot hold; send an integer of 64 bits, or another type"
    return f"a value of another type than OTLP has in {where}; correct the sender"


def _kind(value: Any) -> str:
    kinds = {str: "a text", list: "a list", dict: "an object", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
