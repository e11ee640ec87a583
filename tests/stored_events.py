"""What a store holds, read as a stranger would: the code under test shares nothing with it but the wire contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_modeldata import semconv

Store = Path | Mapping[str, bytes] | Iterable[bytes | dict[str, Any]]
"""A local store's folder; blobs by name (names relative to the store); or lines alone, of which no path is known."""
_ATTRIBUTES: Final = {"id": semconv.CLOUDEVENTS_EVENT_ID, "correlationid": semconv.AZUREML_CORRELATION_ID}


@dataclass(slots=True)
class Found:
    """What a store holds.

    Attributes:
        key: the line key that tells events apart.
        lines: events with their blob; what `key` says is their `id`.
        quarantined: ids of the records in quarantine.
        unreadable: what could not be read, and where.
        unreasoned: where a line in quarantine has no reason.
    """

    key: str
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unreasoned: list[str] = field(default_factory=list)


def read(store: Store, *, torn_tails: bool, key: str) -> Found:
    """Everything that `store` holds."""
    found = Found(key)
    for blob, content in sorted(_blobs(store).items()):
        *lines, rest = content.split(b"\n")
        if rest and not torn_tails:
            found.unreadable.append(f"{blob} ends without LF: {rest[:60]!r}")
        for number, line in enumerate(lines, 1):
            _read_line(found, blob, number, line)
    return found


def _blobs(store: Store) -> dict[str, bytes]:
    if isinstance(store, Path):
        return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*.jsonl")}
    if isinstance(store, Mapping):
        return dict(store)
    lines = (json.dumps(line).encode() if isinstance(line, dict) else line.removesuffix(b"\n") for line in store)
    return {"": b"".join(line + b"\n" for line in lines)}


def _read_line(found: Found, blob: str, number: int, line: bytes) -> None:
    where = f"{blob}:{number}"
    try:
        event = json.loads(line.decode())
    except ValueError as error:
        found.unreadable.append(f"{where} {error}")
        return
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        found.unreadable.append(f"{where} is no object with an id")
    elif blob.startswith("_quarantine/"):
        found.quarantined.append(_quarantined_id(event, found.key))
        if not event.get("reason"):
            found.unreasoned.append(where)
    else:
        found.lines.append((blob, event | {"id": str(event.get(found.key))}))


def _quarantined_id(line: dict[str, Any], key: str) -> str:
    """The event id of a record in quarantine, or the id of the quarantine line where the record has none."""
    try:
        record = LogRecord.FromString(base64.b64decode(line.get("record", "")))
    except (DecodeError, ValueError):
        return str(line["id"])
    ids = (one.value.string_value for one in record.attributes if one.key == _ATTRIBUTES[key])
    return next(filter(None, ids), str(line["id"]))
