"""What a quarantine line says about the event in it: whose it was, of which collection, and its sequence number.

The record could not become a line, so every part of it may be damaged. Its attributes are looked at one by one: what is
wrong with its body does not hide them.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_modeldata import semconv

from ...exceptions import BadRecordError
from ...mapping import otlp
from ...mapping import resource as origin
from .stored_line import number_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Quarantined", "QuarantinedLine", "decode", "identify", "unbased"]

_LENGTH_DELIMITED: Final = 2
_RECORD_ATTRIBUTES: Final = LogRecord.DESCRIPTOR.fields_by_name["attributes"].number
_RESOURCE_ATTRIBUTES: Final = Resource.DESCRIPTOR.fields_by_name["attributes"].number


class QuarantinedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a quarantine line that lead to its event; see `quarantine.QuarantineLine`."""

    id: str
    record: str = ""
    recordref: str = ""
    resource: str = ""
    resourceref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Whose event is in quarantine, as far as it can be known.

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


def identify(record: bytes, resource: bytes) -> Quarantined:
    """Whose event an encoded `LogRecord` is, which came with an encoded `Resource`; either may be damaged."""
    of_record = _texts(record, _RECORD_ATTRIBUTES)
    of_resource = _texts(resource, _RESOURCE_ATTRIBUTES)
    event_type = of_record.get(semconv.CLOUDEVENTS_EVENT_TYPE) or _event_name(record)
    named_by_type = event_type.removeprefix(semconv.EVENT_TYPE_PREFIX) if event_type else ""
    try:
        read = origin.read(resource)
    except BadRecordError:
        read = None
    producer = of_resource.get(semconv.SERVICE_INSTANCE_ID, "")
    return Quarantined(
        producer=producer,
        collection=of_record.get(semconv.AZUREML_COLLECTION_NAME, named_by_type),
        number=number_of(of_record.get(semconv.AZUREML_PRODUCER_SEQUENCE, "")) if producer else -1,
        source=read.source if read is not None else "",
        tenant=(read.endpoint, read.deployment) if read is not None else None,
    )


def unbased(text: str) -> bytes:
    """The bytes that a quarantine line holds in base64; none when they are not base64."""
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
    """The attributes of a message, each read on its own, those that cannot be read left out."""
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
    """The contents of the length-delimited fields `number`: to a message without fields every field is unknown."""
    try:
        empty: Message = Empty.FromString(message)
    except DecodeError:
        return []
    return [
        field.data
        for field in UnknownFieldSet(empty)  # type: ignore[attr-defined] # its stubs know only the older access
        if field.field_number == number and field.wire_type == _LENGTH_DELIMITED
    ]
