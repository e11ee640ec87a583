"""Requests that cost a receiver far more than they cost their sender, by name; each is made when it is sent."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otlp_requests import DEPLOYMENT, field, raw_request, record, resource, span

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["ATTACKS", "Attack"]

_EVIL: Final = {**DEPLOYMENT, semconv.AZUREML_ENDPOINT_NAME: "evil"}
_RESOURCE: Final = resource(_EVIL).SerializeToString()
_LOGS: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_SPANS: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_CLOUD_EVENT: Final = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "http://x",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-inferenceservicename": "evil",
}
_SIDECAR: Final = {"ce-type": "azureml.inference.model_inputs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A request that is sent again and again.

    Attributes:
        body: makes its body.
        path: a method of gRPC, or a path of HTTP.
        listener: for HTTP, the setting of the listener.
        headers: for HTTP.
        is_compressed: whether it is sent as gzip.
    """

    body: Callable[[], bytes]
    path: str = _LOGS
    listener: str = "listen"
    headers: Mapping[str, str] | None = None
    is_compressed: bool = True

    def message(self) -> bytes:
        """Its body as it is sent."""
        body = self.body()
        return gzip.compress(body, 1) if self.is_compressed else body


def _records(records: Iterable[bytes]) -> bytes:
    return raw_request(records, _RESOURCE)


def _record(body: object, **values: object) -> bytes:
    return record(body, **values).SerializeToString()  # type: ignore[arg-type]


def _row(content: str) -> bytes:
    return _records([_record('[{"a":[' + content + "1]}]")])


def _many(count: int, body: str = "[{}]", **values: object) -> bytes:
    return _records([_record(body, event_id=f"e{n}", **values) for n in range(count)])


def _resources(count: int, attributes: Callable[[int], Mapping[str, object]], one: bytes) -> bytes:
    return b"".join(raw_request([one], resource({**_EVIL, **attributes(n)}).SerializeToString()) for n in range(count))


def _many_folders() -> bytes:
    records = [_record("[{}]", collection=f"c{n}") for n in range(4)]
    names = [{**_EVIL, semconv.AZUREML_ENDPOINT_NAME: f"evil{n}"} for n in range(2000)]
    return b"".join(raw_request(records, resource(name).SerializeToString()) for name in names)


def _many_values() -> bytes:
    pairs = b"".join(field(6, field(1, b"k%d" % n) + field(2, field(1, b"v"))) for n in range(95_000))
    return _records([_record("[{}]") + pairs] * 10)


def _many_events() -> bytes:
    content = field(3, field(1, b"content") + field(2, field(1, b"x")))
    event = field(11, field(2, b"gen_ai.user.message") + content)
    return _records([span(end_time_unix_nano=time.time_ns()).SerializeToString() + event * 40_000] * 10)


def _json(records: bytes) -> bytes:
    return b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + records + b"]}]}]}"


_JSON: Final = {"Content-Type": "application/json"}
_BATCH: Final = {"Content-Type": "application/cloudevents-batch+json"}

ATTACKS: Final[dict[str, Attack]] = {
    "one row of 60 MB": Attack(body=lambda: _row("12345," * 10_000_000)),
    "one row of quoted text": Attack(body=lambda: _row('"\\\\","e000",' * 3_000_000)),
    "one row of long numbers": Attack(body=lambda: _row(("1" * 305 + ",") * 100_000)),
    "100,000 records": Attack(body=lambda: _many(100_000)),
    "60 MB of records": Attack(body=lambda: _many(100_000, '[{"a":"' + "x" * 450 + '"}]')),
    "100,000 old records": Attack(body=lambda: _many(100_000, time_ns=10**18)),
    "100,000 records without JSON": Attack(body=lambda: _many(100_000, "no")),
    "1,000 large resources": Attack(
        body=lambda: _resources(1000, lambda n: {"k": f"{n}" + "v" * 60_000}, _record("no"))
    ),
    "8,000 long resource ids": Attack(
        body=lambda: _resources(8000, lambda n: {semconv.CLOUD_RESOURCE_ID: f"/{n}/" + "é" * 2000}, _record("[{}]"))
    ),
    "1,000,000 scopes": Attack(
        body=lambda: field(1, field(1, _RESOURCE) + b"\x12\x00" * 1_000_000 + field(2, field(2, _record("[{}]"))))
    ),
    "8,000 folders": Attack(body=_many_folders),
    "95,000 attributes": Attack(body=_many_values),
    "40,000 span events": Attack(body=_many_events, path=_SPANS),
    "text to escape": Attack(body=lambda: _records([_record("\x01" * 10_000_000, collection="request")])),
    "structured rows": Attack(body=lambda: _records([_record([{"a": 1}] * 20_000)] * 20)),
    "100,000 records in JSON": Attack(
        body=lambda: _json(b"{}," * 100_000 + b"{}"), path="/v1/logs", listener="http_listen", headers=_JSON
    ),
    "100,000 CloudEvents": Attack(
        body=lambda: b"[" + b"{}," * 100_000 + b"{}]", path="/", listener="http_listen", headers=_BATCH
    ),
    "48 MB of KServe's rows": Attack(
        body=lambda: b'{"instances":[' + b'{"a":1},' * 6_000_000 + b"1]}",
        path="/",
        listener="http_listen",
        headers=_CLOUD_EVENT,
    ),
    "64 MB to the sidecar": Attack(
        body=lambda: b"[" + b'{"a":1},' * 8_000_000 + b'{"a":1e400}]',
        path="/modeldata/log",
        listener="old_protocol_listen",
        headers=_SIDECAR,
    ),
    "gzip of zeros": Attack(body=lambda: bytes(500 << 20)),
}
"""By what it has; a record of 60 MB is within the limit of a request (72 MiB)."""
