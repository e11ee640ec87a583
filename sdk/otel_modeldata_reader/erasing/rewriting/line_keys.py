"""The keys of a line that an erasure reads; every other key stays as it is."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from ...index.line_ids import MARK, span_ids_of

__all__ = ["LineKeys", "Members", "ids_of_lines", "keys_of", "members_of", "sequence_of"]

Members = dict[str, msgspec.Raw]
_OWN_AGENT: Final = "otel-modeldata/"
_MOST_DIGITS: Final = 18


class _Ids(msgspec.Struct, frozen=True, gc=False):
    """What tells whether a line may have chosen rows."""

    id: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class LineKeys(NamedTuple):
    """The keys of a line; empty where the line has none.

    Attributes:
        id: the event's id.
        source: the deployment.
        type: `azureml.inference.{collection}`.
        correlation_id: the id of its request; None if there is none.
        trace_id: 32 hex digits.
        data: the rows as JSON.
        dataref: where the rows are; None if they are in the line.
        is_binary: whether `data` is the URL of a binary payload.
        erased: the rows that are erased already.
        producer: the process that numbered the event.
        sequence: its number; -1 if there is none.
    """

    id: str
    source: str
    type: str
    correlation_id: str | None
    trace_id: str
    data: bytes
    dataref: str | None
    is_binary: bool
    erased: str | None
    producer: str
    sequence: int


_ids: Final = msgspec.json.Decoder(_Ids)
_members: Final = msgspec.json.Decoder(Members)
_any: Final = msgspec.json.Decoder()


def ids_of_lines(content: bytes, count: int) -> list[tuple[str | None, str | None, str, msgspec.Raw]] | None:
    """Event id, correlation id, trace id and rows of each of some whole lines; None if one is unusual or damaged."""
    try:
        found = _ids.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(found) != count:
        return None
    return [(one.id, one.correlationid, span_ids_of(one.traceparent)[0], one.data) for one in found]


def members_of(line: bytes) -> Members | None:
    """All keys of a line with their values as they are; None if it is no JSON object in UTF-8."""
    try:
        line.decode()
        return _members.decode(line.removeprefix(MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def keys_of(members: Members) -> LineKeys:
    """The keys that an erasure reads. A value that is no text is read as its JSON, as other readers do."""
    texts = {key: _text(members[key]) for key in _TEXTS if key in members}
    producer = texts.get("producer") or ""
    older = texts.get("sequence") if (texts.get("agent") or "").startswith(_OWN_AGENT) else None
    return LineKeys(
        id=texts.get("id") or "",
        source=texts.get("source") or "",
        type=texts.get("type") or "",
        correlation_id=texts.get("correlationid"),
        trace_id=span_ids_of(texts.get("traceparent"))[0],
        data=bytes(members.get("data", b"")),
        dataref=texts.get("dataref"),
        is_binary=(texts.get("datainblob") or "").lower() == "true",
        erased=texts.get("erasedrows"),
        producer=producer,
        sequence=sequence_of(texts.get("producersequence") or older or "") if producer else -1,
    )


def sequence_of(text: str) -> int:
    """The sequence number in a text; -1 if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else -1


_TEXTS: Final = (
    "id", "source", "type", "correlationid", "traceparent", "dataref", "datainblob", "erasedrows", "producer",
    "producersequence", "sequence", "agent",
)  # fmt: skip


def _text(value: msgspec.Raw) -> str | None:
    content = bytes(value)
    if content == b"null":
        return None
    if not content.startswith(b'"'):
        return content.decode(errors="replace")
    decoded: Any = _any.decode(content)
    return str(decoded)
