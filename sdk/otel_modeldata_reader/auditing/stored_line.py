"""Reads a stored line for an audit, and compares its rows with its `contentrange`.

Only the keys that an audit needs are decoded. The rows are checked for syntax and skipped, which runs at the speed of
the disk.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping.cloudevent import content_range
from otel_modeldata_receiver.mapping.http_attributes import UNKNOWN_TOTAL

from .number_ranges import MAX_SEQUENCE
from .summaries.hour_summary import Reference

__all__ = [
    "StoredLine",
    "decode",
    "number_of",
    "reference",
    "reference_of",
    "referenced_size_problem",
    "sequence_of",
    "size_problem",
]

_CONTENT_RANGE: Final = re.compile(r"bytes (?:0-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
_WHITESPACE: Final = b" \t\r\n"
_TRUE: Final = "true"
_OWN_AGENT: Final = "otel-modeldata/"
_LONGEST_SHOWN: Final = 80
"""Characters of a `contentrange` in messages; a right one is shorter."""


class StoredLine(msgspec.Struct, kw_only=True, gc=False):
    """The keys of a line that an audit needs; see `cloudevent.CloudEvent`.

    Attributes:
        timens: set in every line of the receiver, and never by Azure ML's own collector.
        datainblob: `"true"` where `data` is the URL of the payload.
        sequence: the name of `producersequence` in lines of versions before 0.2, which only events of this SDK had; in
            other lines it is CloudEvents' extension of that name.
    """

    id: str
    source: str
    type: str
    time: str
    data: msgspec.Raw | UnsetType = UNSET
    dataref: str | UnsetType = UNSET
    datainblob: str | UnsetType = UNSET
    contentrange: str | UnsetType = UNSET
    timens: str | UnsetType = UNSET
    producer: str = ""
    producersequence: str = ""
    sequence: str = ""
    agent: str = ""


_decoder: Final = msgspec.json.Decoder(StoredLine)
_text_decoder: Final = msgspec.json.Decoder(str)
_rows_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


def decode(line: bytes) -> StoredLine:
    """Decode a line strictly.

    Raises:
        ValueError: it is not JSON in UTF-8, or not a CloudEvent.
        RecursionError: it is nested too deeply.
    """
    if not line.isascii():
        line.decode()  # msgspec does not check the UTF-8 of values that it skips
    return _decoder.decode(line)


def sequence_of(line: StoredLine) -> int:
    """The sequence number of an event within its producer and collection; -1 without a number or a producer."""
    older = line.sequence if line.agent.startswith(_OWN_AGENT) else ""
    return number_of(line.producersequence or older) if line.producer else -1


def number_of(text: str) -> int:
    """The sequence number in a text, or -1 if it is not one."""
    number = int(text) if text.isdecimal() and len(text) < 20 else -1
    return number if number <= MAX_SEQUENCE else -1


def reference(line: StoredLine) -> str | None:
    """The URL of the payload of a line, if the payload is in an object of its own."""
    if not isinstance(line.dataref, UnsetType):
        return line.dataref
    if line.datainblob == _TRUE and not isinstance(line.data, UnsetType):
        try:
            return _text_decoder.decode(line.data)
        except msgspec.DecodeError:
            return None
    return None


def size_problem(line: StoredLine, raw: bytes) -> str | None:
    """How the rows in a line differ from its `contentrange`, or None.

    The range counts the bytes of the body as it was collected. Other writers escape the text again when they write the
    line, so its size is lost. Only lines of the receiver are checked.
    """
    given, data = line.contentrange, line.data
    if isinstance(data, UnsetType) or isinstance(given, UnsetType) or given == content_range(len(data)):
        return None
    if isinstance(line.timens, UnsetType) or line.datainblob == _TRUE:
        return None
    sizes = _possible_sizes(line.type, bytes(data), raw)
    size = range_size(given)
    if size in sizes and (given == content_range(size) or not _is_tabular(line.type)):
        return None
    return f"expected a contentrange of {sizes[0]} bytes, got {given[:_LONGEST_SHOWN]!r}"


def reference_of(blob: str, number: int, line: StoredLine, url: str) -> Reference:
    """What a line says about the payload that it refers to.

    Args:
        blob: name of the blob of the line.
        number: of the line in its blob.
        line: the line.
        url: see `reference`.
    """
    is_binary = line.datainblob == _TRUE
    given = line.contentrange
    # Text that is not JSON became a JSON string, whose size is another one.
    is_checked = not isinstance(line.timens, UnsetType) and (is_binary or _is_tabular(line.type))
    content_range = None if isinstance(given, UnsetType) or not is_checked else given[:_LONGEST_SHOWN]
    return Reference(blob, number, url, content_range, is_binary)


def referenced_size_problem(reference: Reference, size: int) -> str | None:
    """How a payload object of `size` bytes differs from the line's `contentrange`, or None."""
    if reference.content_range is None:
        return None
    wrapped = size if reference.is_binary else size - 2  # a lone row was wrapped in brackets
    if range_size(reference.content_range) in {size, wrapped}:
        return None
    return f"expected a contentrange of {size} bytes, as the object has, got {reference.content_range!r}"


def range_size(text: str) -> int | None:
    """The number of collected bytes in a `contentrange`; None for a form that the receiver does not write.

    The payload may be longer: the total is a number or, if it is unknown, `*`.
    """
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        return None
    last, total = match.groups()
    size = 0 if last is None else int(last) + 1
    known = total if total == UNKNOWN_TOTAL else int(total)
    return size if text == content_range(size, known) and (known == UNKNOWN_TOTAL or int(known) >= size) else None


def _possible_sizes(event_type: str, data: bytes, raw: bytes) -> list[int]:
    """The sizes that the body of `data` may have had, the most likely first."""
    if not _is_tabular(event_type) and data.startswith(b'"'):  # text that is not JSON became a JSON string
        return [len(data), len(_text_decoder.decode(data).encode(errors="surrogatepass"))]
    whole = _with_whitespace(data, raw)
    if _is_tabular(event_type) and data.startswith(b"[") and len(_rows_decoder.decode(data)) == 1:
        return [whole, whole - 2]  # a lone row was wrapped in brackets
    return [whole]


def _with_whitespace(data: bytes, raw: bytes) -> int:
    """The length of `data` with the whitespace around it, which is a part of the body."""
    start = raw.find(b'"data":') + len(b'"data":')
    begin = raw.find(data, start)
    end = begin + len(data)
    while end < len(raw) and raw[end] in _WHITESPACE:
        end += 1
    return end - start if not raw[start:begin].strip(_WHITESPACE) else len(data)


def _is_tabular(event_type: str) -> bool:
    return event_type.removeprefix(semconv.EVENT_TYPE_PREFIX) not in semconv.PAYLOAD_COLLECTIONS
