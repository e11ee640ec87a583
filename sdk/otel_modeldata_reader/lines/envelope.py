"""The envelope of a line: the keys of its event, with the rows as bytes that are not decoded.

Lines come from any writer, so decoding is strict first and tolerant second: Azure ML's readers accept a line that has
only `data`, and a number as correlation id.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

__all__ = ["Envelope", "decode_line", "decode_lines", "is_utf8"]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The keys of a line that a reader uses; None where the line has none.

    Attributes:
        id: the event's id.
        source: the deployment.
        type: `azureml.inference.{collection}`.
        time: `YYYY-MM-DDTHH:MM:SSZ`.
        timens: nanoseconds since the epoch.
        data: the rows as JSON, or another payload; empty if the line has none.
        dataref: where the rows are.
        datainblob: `"true"` if `data` is the URL of a binary payload.
        datatypes: the types of the columns, in their order.
        contentrange: how many bytes the payload has.
        erasedrows: the numbers of rows that were erased, see `erased_rows.py`.
        datacontenttype: the media type of the payload.
        contentencoding: how the body of a request was compressed.
        correlationid: joins the events of a request.
        modelversion: version of the model.
        traceparent: the span in which the event was collected.
        path: of a request, as are the following; `statuscode` is that of its response.
        method: HTTP method.
        statuscode: digits.
        latencyms: milliseconds until the end of the response.
    """

    id: str | None = None
    source: str | None = None
    type: str | None = None
    time: str | None = None
    timens: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    dataref: str | None = None
    datainblob: str | None = None
    datatypes: str | None = None
    contentrange: str | None = None
    erasedrows: str | None = None
    datacontenttype: str | None = None
    contentencoding: str | None = None
    correlationid: str | None = None
    modelversion: str | None = None
    traceparent: str | None = None
    path: str | None = None
    method: str | None = None
    statuscode: str | None = None
    latencyms: str | None = None


_TEXTS: Final = tuple(name for name in Envelope.__struct_fields__ if name != "data")
_NULL: Final = b"null"
_LAST_ASCII: Final = 0x7F
_decoder: Final = msgspec.json.Decoder(Envelope)
_tolerant: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)


def decode_lines(content: bytes | memoryview) -> list[Envelope] | None:
    """The envelopes of whole lines; None if one of them needs `decode_line`."""
    try:
        return _decoder.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_line(line: bytes) -> Envelope | None:
    """The envelope of one line; None if it is no JSON object in UTF-8."""
    try:
        return _decoder.decode(line)
    except (msgspec.ValidationError, UnicodeDecodeError):
        pass  # a key of another type
    except (msgspec.DecodeError, RecursionError):
        return None
    try:
        raw = _tolerant.decode(line)
        return Envelope(
            **{name: _as_text(bytes(raw[name])) for name in _TEXTS if name in raw}, data=raw.get("data", msgspec.Raw())
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_utf8(content: bytes | memoryview) -> bool:
    """Whether bytes are UTF-8; the parsers do not check the texts that they skip or keep as they are."""
    if _is_ascii(content):
        return True
    try:
        str(content, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_ascii(content: bytes | memoryview) -> bool:
    if isinstance(content, bytes):
        return content.isascii()
    return not len(content) or bool(np.frombuffer(content, np.uint8).max() <= _LAST_ASCII)


def _as_text(value: bytes) -> str | None:
    if value == _NULL:
        return None
    return _text.decode(value) if value.startswith(b'"') else value.decode()
