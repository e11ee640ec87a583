"""The body of a log record becomes the JSON text of `data`, or a reason why it cannot.

Text is checked and then passed on byte for byte. The check matters more than it seems: one line whose `data` is not an
array of objects ruins the whole time window for Azure's reader, and a broken line is dropped there without a word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from . import otlp
from .exceptions import BadRecordError

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

MAX_DEPTH: Final = 64
"""Arrays and maps that a structured body may nest. Protobuf itself stops near 48, so this is a second fence."""


class Body(NamedTuple):
    """JSON text and the size of what was collected.

    Attributes:
        json: for tabular collections an array of objects; without line breaks.
        size: bytes of the text as it arrived, before anything was wrapped around it; of a structured body, which has
            no text of its own, bytes of `json`.
    """

    json: bytes
    size: int


class _Row(msgspec.Struct):
    """Any JSON object: unknown fields are checked for syntax and skipped, which is a third of the cost of parsing."""


_rows_decoder: Final = msgspec.json.Decoder(list[_Row])
_row_decoder: Final = msgspec.json.Decoder(_Row)
_value_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_encoder: Final = msgspec.json.Encoder()
_LINE_BREAKS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")
_MAX_MEDIA_TYPE_CHARS: Final = 256
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/([\w!#$&^.+-]+)\s*(;[ -~]*)?", re.ASCII)
"""RFC 2045 section 5.1, and no control characters in the parameters."""


def read(body: AnyValue, *, tabular: bool, content_type: str) -> Body:
    """The JSON text of `body`.

    A string or bytes body is text: JSON as it stands when `content_type` is JSON; otherwise, allowed in payload
    collections only, it becomes a JSON string (CloudEvents JSON format 3.1.1). A structured body is mapped to JSON.
    In a tabular collection a single object stands for an array of one row.

    Raises:
        BadRecordError: the body is not JSON, not rows, or binary; the message never quotes it.
    """
    kind = body.WhichOneof("value")
    if kind == "string_value":
        text = body.string_value.encode()
    elif kind == "bytes_value":
        text = _utf8(body.bytes_value)
    else:
        return _structured(body, tabular=tabular)
    if tabular:
        _expect_json(content_type)
        json = _rows(text)
    else:
        json = _value(text) if is_json(content_type) else _encoder.encode(text.decode())
    if b"\n" in json or b"\r" in json:  # only between tokens: inside a JSON string they are not legal
        json = json.translate(_LINE_BREAKS_TO_SPACES)
    return Body(json, len(text))


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether `content_type` is `*/json` or `*/*+json` (CloudEvents JSON format 3.1).

    Raises:
        BadRecordError: it is no media type at all.
    """
    match = _MEDIA_TYPE.fullmatch(content_type) if len(content_type) <= _MAX_MEDIA_TYPE_CHARS else None
    if match is None:
        raise BadRecordError(
            f"content type: expected a media type such as application/json, got {content_type[:80]!r}; correct it"
        )
    subtype = match[1].lower()
    return subtype == "json" or subtype.endswith("+json")


def _expect_json(content_type: str) -> None:
    if not is_json(content_type):
        raise BadRecordError(
            f"content type: expected JSON rows in a tabular collection, got {content_type[:80]!r}; "
            "only the collections request and response take other payloads"
        )


def _utf8(raw: bytes) -> bytes:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise BadRecordError(
            "binary body: expected JSON text, got bytes that are not UTF-8; send the body as text"
        ) from None
    return raw


def _rows(text: bytes) -> bytes:
    try:
        _rows_decoder.decode(text)
    except msgspec.ValidationError as error:
        return _single_row(text, error)
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    return text


def _single_row(text: bytes, no_rows: msgspec.ValidationError) -> bytes:
    """A lone object as an array of one row; everything else is refused with the reason found for the array."""
    try:
        _row_decoder.decode(text)
    except msgspec.ValidationError:
        raise _no_rows(str(no_rows)) from None
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    return b"[%b]" % text


def _value(text: bytes) -> bytes:
    try:
        _value_decoder.decode(text)
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    return text


def _structured(body: AnyValue, *, tabular: bool) -> Body:
    value = _plain(body, MAX_DEPTH)
    if tabular:
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise _no_rows(f"got a structured body of type {body.WhichOneof('value')}")
    json = _encoder.encode(value)
    return Body(json, len(json))


def _plain(value: AnyValue, depth: int) -> object:
    """`value` as msgspec prints it: integers exact, doubles round-trip, NaN and infinities null, bytes in base64."""
    if depth < 0:
        raise _too_deep()
    kind = value.WhichOneof("value")
    if kind is None or kind == otlp.INDEX_OF_PROFILES:
        return None
    if kind == "array_value":
        return [_plain(item, depth - 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value, depth - 1) for pair in value.kvlist_value.values}
    plain: object = getattr(value, kind)
    return plain


def _not_json(error: msgspec.DecodeError) -> BadRecordError:
    return BadRecordError(f"body not JSON: expected valid JSON, got an error: {error}")


def _no_rows(found: str) -> BadRecordError:
    return BadRecordError(f"body not rows: expected a JSON array of objects in a tabular collection: {found}")


def _too_deep() -> BadRecordError:
    return BadRecordError("body too deep: expected a body of moderate nesting; flatten it")
