"""Maps the body of a log record to the JSON text of `data`, or rejects it with a reason.

Text is checked and then passed on byte for byte. The check matters: one line whose `data` is not an array of objects
fails the whole time window in Azure's reader, which drops a broken line without a message.

The payload collections (`request` and `response`) are different: they show what a client sent, and invalid requests are
the ones that people look for. Only a body that nests too deep is rejected there: text that is not JSON becomes a JSON
string, and bytes that are not text are binary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from otel_modeldata import semconv
from otel_modeldata.validation import media_type

from ..exceptions import BadRecordError
from . import otlp
from .bounds.rows_check import DECIMAL_EXPONENT, LINE_BREAKS, check_numbers, check_rows

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

MAX_DEPTH: Final = 64
"""Arrays and maps that a structured body may nest. Protocol Buffers stop near 48, so this is a second limit."""
_MOST_IN_TEXT: Final = "about 1,000"
"""What the JSON decoder reads before it gives up, which depends on Python."""


BINARY: Final = "application/octet-stream"
"""The media type of bytes of an unknown type (RFC 9110 section 8.3)."""


class RowsText(NamedTuple):
    """JSON text and the size of what was collected.

    Attributes:
        json: for tabular collections an array of objects; without line breaks.
        size: bytes of the text as it arrived, without added brackets; of a structured body, which is not text, bytes
            of `json`.
    """

    json: bytes
    size: int


class PayloadContent(NamedTuple):
    """The payload of a request or a response.

    Attributes:
        content: JSON text without line breaks, or, of a binary payload, its bytes.
        size: bytes of the payload as it arrived.
        content_type: its media type.
        binary: whether it is stored as bytes.
    """

    content: bytes
    size: int
    content_type: str
    binary: bool


class _Row(msgspec.Struct):
    """Any JSON object: unknown fields are checked for syntax and skipped, in a third of the time of parsing."""


_row_decoder: Final = msgspec.json.Decoder(_Row)
_value_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_encoder: Final = msgspec.json.Encoder()
_LF, _CR = LINE_BREAKS
_LINE_BREAKS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


def rows(body: AnyValue, content_type: str, *, is_own: bool = False, text: bytes | None = None) -> RowsText:
    """The rows of `body`, for a tabular collection: an array of objects; a single object is one row.

    A string or bytes body is JSON text and is passed on as it is; a structured body is mapped to JSON.

    Args:
        body: the body.
        content_type: its media type.
        is_own: whether this project's SDK wrote it.
        text: its string or bytes, if they were cut out (`bounds/large_text.py`).

    Raises:
        BadRecordError: the body is not JSON, not rows, or binary; the message never quotes it.
    """
    kind = body.WhichOneof("value")
    if kind == "string_value":
        text = body.string_value.encode() if text is None else text
    elif kind == "bytes_value":
        text = _utf8(body.bytes_value if text is None else text)
    else:
        return _structured_rows(body)
    if not is_json(content_type):
        raise BadRecordError(
            f"content type: expected JSON rows in a tabular collection, got {content_type[:80]!r}; "
            "only the collections request and response take other payloads"
        )
    return RowsText(rows_of(text, is_own=is_own), len(text))


def rows_of(text: bytes, *, is_own: bool = False) -> bytes:
    """Text, in UTF-8, as JSON rows without line breaks.

    Raises:
        BadRecordError: see `rows`.
    """
    try:
        check_rows(text)
    except (msgspec.DecodeError, RecursionError) as error:
        text = _single_row(text, error)
    if not is_own or DECIMAL_EXPONENT in text:
        check_numbers(text)
    return _in_one_line(text)


def payload(body: AnyValue, content_type: str | None, text: bytes | None = None) -> PayloadContent:
    """The payload in `body`, for the payload collections: JSON, text or bytes.

    A string is text. Bytes are text where `content_type` is one of text and they are UTF-8, else binary. Text that is
    JSON and has that type is passed on as it is; any other text, including a JSON document that is cut off or
    broken, becomes a JSON string (CloudEvents JSON format 3.1.1). A structured body is mapped to JSON.

    Args:
        body: a string, bytes or a structured value.
        content_type: as it was sent; an invalid one counts as `application/octet-stream`; without one the payload is
            JSON if the bytes allow it.
        text: its string or bytes, if they were cut out (`bounds/large_text.py`).

    Raises:
        BadRecordError: a structured body nests too deep.
    """
    kind = body.WhichOneof("value")
    if kind not in {"string_value", "bytes_value"}:
        json = _encoder.encode(plain(body))
        return PayloadContent(json, len(json), semconv.JSON_CONTENT_TYPE, binary=False)
    raw = text if text is not None else body.string_value.encode() if kind == "string_value" else body.bytes_value
    named = semconv.JSON_CONTENT_TYPE if content_type is None else _known(content_type)
    if kind == "bytes_value" and media_type.utf8_of(raw, media_type.parse(named)) != raw:
        return PayloadContent(raw, len(raw), BINARY if content_type is None else named, binary=True)
    return PayloadContent(_in_one_line(_json_of(raw, named)), len(raw), named, binary=False)


def is_json(content_type: str) -> bool:
    """Whether `content_type` is `*/json` or `*/*+json` (CloudEvents JSON format 3.1).

    Raises:
        BadRecordError: it is not a media type.
    """
    parsed = media_type.parse(content_type)
    if parsed is None:
        raise BadRecordError(
            f"content type: expected a media type such as application/json, got {content_type[:80]!r}; correct it"
        )
    return parsed.is_json


def _known(content_type: str) -> str:
    """`content_type`, or `BINARY` where it is not a media type."""
    return BINARY if media_type.parse(content_type) is None else content_type


def _json_of(text: bytes, content_type: str) -> bytes:
    """`text` as it is where it is JSON and has that type, else as a JSON string."""
    if is_json(content_type):
        try:
            _value_decoder.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return text
    return _encoder.encode(text.decode())


def _in_one_line(json: bytes) -> bytes:
    if _LF in json or _CR in json:  # only between tokens: inside a JSON string they are not legal
        return json.translate(_LINE_BREAKS_TO_SPACES)
    return json


def _utf8(raw: bytes) -> bytes:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise BadRecordError(
            "binary body: expected JSON text, got bytes that are not UTF-8; send the body as text"
        ) from None
    return raw


def _single_row(text: bytes, no_rows: Exception) -> bytes:
    """A single object as an array of one row; anything else is rejected with the reason for the array."""
    if isinstance(no_rows, RecursionError):
        raise _too_deep(_MOST_IN_TEXT) from None
    if not isinstance(no_rows, msgspec.ValidationError):
        raise _not_json(no_rows) from None
    try:
        _row_decoder.decode(text)
    except msgspec.ValidationError:
        raise _no_rows(str(no_rows)) from None
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise _too_deep(_MOST_IN_TEXT) from None
    return b"[%b]" % text


def _structured_rows(body: AnyValue) -> RowsText:
    value = plain(body)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise _no_rows(f"got a structured body of type {body.WhichOneof('value')}")
    json = _encoder.encode(value)
    return RowsText(json, len(json))


def plain(value: AnyValue, depth: int = MAX_DEPTH) -> object:
    """`value` as msgspec prints it: integers exact, doubles round-trip, NaN and infinities null, bytes in base64."""
    if depth < 0:
        raise _too_deep(str(MAX_DEPTH))
    kind = value.WhichOneof("value")
    if kind is None or kind == otlp.INDEX_OF_PROFILES:
        return None
    if kind == "array_value":
        return [plain(item, depth - 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value, depth - 1) for pair in value.kvlist_value.values}
    scalar: object = getattr(value, kind)
    return scalar


def _not_json(error: Exception) -> BadRecordError:
    return BadRecordError(f"body not JSON: expected valid JSON, got an error: {error}")


def _no_rows(found: str) -> BadRecordError:
    return BadRecordError(f"body not rows: expected a JSON array of objects in a tabular collection: {found}")


def _too_deep(most: str) -> BadRecordError:
    return BadRecordError(f"body too deep: expected {most} arrays and objects in each other at most; flatten it")
