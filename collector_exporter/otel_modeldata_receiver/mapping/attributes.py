"""The attributes of a span or an event as flat JSON values.

Spark makes one table of all lines of a window, with a column for each attribute name. Names in one map that differ only
in case would fail the whole window, and unlimited names would be unlimited columns. So only the first names are kept,
and `otel.dropped_attributes_count` is the number of dropped ones. Values are kept flat: any value that is neither a
scalar nor an array of scalars is JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

from . import body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["DROPPED", "MAX_ATTRIBUTES", "MAX_ID_CHARS", "id_in", "plain", "value"]

MAX_ATTRIBUTES: Final = 256
"""Names in one map; OTel's SDKs stop at 128."""
MAX_ID_CHARS: Final = 256
"""Of a correlation or request id; a longer one is ignored."""
DROPPED: Final = "otel.dropped_attributes_count"
"""The name in OTel's specification for this count where a format has no field for it."""
_ADDRESSES: Final = frozenset({"url.full", "url.query", "http.target", "http.url"})
_SCALARS: Final = frozenset({"string_value", "int_value", "double_value", "bool_value"})

_encoder: Final = msgspec.json.Encoder()


def plain(pairs: Sequence[KeyValue], dropped: int) -> dict[str, object]:
    """The attributes `pairs`, of which the sender dropped `dropped` more.

    Raises:
        BadRecordError: a value nests too deep.
    """
    values: dict[str, object] = {}
    seen: set[str] = set()
    for pair in pairs:
        key = pair.key
        if key in values:  # OTLP: "Attribute keys MUST be unique"; the last one wins, as in every SDK
            values[key] = _readable(key, pair.value)
            continue
        folded = key.lower()
        if not key or folded in seen or len(seen) >= MAX_ATTRIBUTES:
            dropped += 1
            continue
        seen.add(folded)
        values[key] = _readable(key, pair.value)
    if dropped:
        values[DROPPED] = dropped
    return values


def _readable(key: str, sent: AnyValue) -> object:
    """The value of an attribute; an address without its secrets, because many people read the store."""
    found = value(sent)
    return semconv.without_secrets(found) if key in _ADDRESSES and isinstance(found, str) else found


def value(sent: AnyValue) -> object:
    """A scalar or an array of scalars; any other value as JSON text; None for an unset one.

    Raises:
        BadRecordError: it nests too deep.
    """
    kind = sent.WhichOneof("value")
    if kind in _SCALARS:
        scalar: object = getattr(sent, kind)
        return scalar
    found = body.plain(sent)
    if isinstance(found, (bytes, dict)):
        return _encoder.encode(found).decode()
    if isinstance(found, list) and any(isinstance(item, (bytes, dict, list)) for item in found):
        return _encoder.encode(found).decode()
    return found


def id_in(attributes: Mapping[str, object], name: str) -> str | None:
    """The attribute `name` where it is an id that a line can hold."""
    found = attributes.get(name)
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID_CHARS and found.isprintable() else None
