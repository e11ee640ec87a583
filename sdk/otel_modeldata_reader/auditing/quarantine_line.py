"""Reads a quarantine line: the producer, the collection and the sequence number of the event in it.

The record could not become a line, so every part of it may be damaged. Its attributes are decoded one by one, so a
damaged body or attribute does not hide the others.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.mapping import otlp
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.otlp_messages import KeyValue, LogRecord, Resource

from .quarantine_keys import QuarantinedLine
from .stored_line import number_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = [
    "Origin",
    "QuarantinedEvent",
    "QuarantinedLine",
    "decode",
    "decode_base64",
    "event_of",
    "identify",
    "origin_of",
    "texts_of",
]

_LENGTH_DELIMITED: Final = 2
_RECORD_ATTRIBUTES: Final = LogRecord.DESCRIPTOR.fields_by_name["attributes"].number
_RESOURCE_ATTRIBUTES: Final = Resource.DESCRIPTOR.fields_by_name["attributes"].number


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who sent a record, as far as its resource can be read.

    Attributes:
        producer: the process; empty when unknown.
        source: the CloudEvents source; empty when unknown.
        tenant: endpoint and deployment, if both are known.
    """

    producer: str = ""
    source: str = ""
    tenant: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedEvent:
    """An event in quarantine, as far as it can be read.

    Attributes:
        producer: the process that sent it; empty when unknown.
        collection: its collection; empty when unknown.
        number: its sequence number; -1 when unknown.
        source: its CloudEvents source; empty when unknown.
        tenant: endpoint and deployment, if both are known.
    """

    producer: str = ""
    collection: str = ""
    number: int = -1
    source: str = ""
    tenant: tuple[str, str] | None = None


decode: Final = msgspec.json.Decoder(QuarantinedLine).decode


def identify(record: bytes, resource: bytes | None) -> QuarantinedEvent:
    """The event of an encoded `LogRecord` and its encoded `Resource`; either may be damaged, and the resource lost."""
    return event_of(record, texts_of(record), origin_of(resource))


def origin_of(resource: bytes | None) -> Origin:
    """Who sent the records of an encoded `Resource`; None if it is lost."""
    try:
        read = resources.read(resource) if resource is not None else None
    except BadRecordError:
        read = None
    return Origin(
        producer=_texts(resource or b"", _RESOURCE_ATTRIBUTES).get(semconv.SERVICE_INSTANCE_ID, ""),
        source=read.source if read is not None else "",
        tenant=(read.endpoint, read.deployment) if read is not None else None,
    )


def texts_of(record: bytes) -> dict[str, str]:
    """The text attributes of an encoded `LogRecord`, as far as they can be read."""
    return _texts(record, _RECORD_ATTRIBUTES)


def event_of(record: bytes, texts: dict[str, str], origin: Origin) -> QuarantinedEvent:
    """The event of an encoded `LogRecord` with these attributes."""
    event_type = texts.get(semconv.CLOUDEVENTS_EVENT_TYPE) or _event_name(record)
    named_by_type = event_type.removeprefix(semconv.EVENT_TYPE_PREFIX) if event_type else ""
    return QuarantinedEvent(
        producer=origin.producer,
        collection=texts.get(semconv.AZUREML_COLLECTION_NAME, named_by_type),
        number=number_of(texts.get(semconv.AZUREML_PRODUCER_SEQUENCE, "")) if origin.producer else -1,
        source=origin.source,
        tenant=origin.tenant,
    )


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text; empty when it is not base64."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _event_name(record: bytes) -> str:
    try:
        return LogRecord.FromString(record).event_name
    except DecodeError:
        return ""


def _texts(message: bytes, attributes: int) -> dict[str, str]:
    """The text attributes of a message; each is decoded on its own, and undecodable ones are left out."""
    texts = {}
    for raw in _members(message, attributes):
        try:
            pair = KeyValue.FromString(raw)
            text = otlp.text_of(pair.key, pair.value)
        except (DecodeError, BadRecordError):
            continue
        if text is not None:
            texts[pair.key] = text
    return texts


def _members(message: bytes, number: int) -> list[bytes]:
    """The contents of the length-delimited fields `number`, read as unknown fields of an empty message type."""
    try:
        empty: Message = Empty.FromString(message)
    except DecodeError:
        return []
    return [
        field.data
        for field in UnknownFieldSet(empty)  # type: ignore[attr-defined] # its stubs have only the older API
        if field.field_number == number and field.wire_type == _LENGTH_DELIMITED
    ]
