"""The HTTP listeners: the bytes of a connection become an answer, and what is stored.

The bytes go through aiohttp's own parser, the routes, the pipeline and a sink on a store in memory. The routes are
those of both listeners: OTLP/HTTP, KServe's logger and the old protocol of azureml-ai-monitoring.

- The answer is one of those that the module `http_request.py` documents; never 500 or 503.
- After 200 every line is what readers rely on, and an event has the payload and the headers that were sent.
- After 400 from a route the body is in quarantine, byte for byte.
- After any other answer, or none, nothing is stored.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import web
from event_loop import run
from fuzz_target import FuzzTarget, changed_bytes
from google.protobuf import json_format
from hypothesis import strategies as st
from memory_store import INSTANCE, MemoryStore, sink_on
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp_requests import NOON, record, request
from stored_lines import check_line, check_quarantine_line

from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.listeners.http_listeners import http_listeners
from otel_modeldata_receiver.listeners.http_server import HttpServer

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

__all__ = ["TARGET"]

_STATUSES = {200, 400, 404, 405, 413, 415, 417}
_TURNS = 4000
_IDLE_TURNS = 60
_CONFIG = {
    "http_listen": "127.0.0.1:0",
    "old_protocol_listen": "127.0.0.1:0",
    "max_message_bytes": 100_000,
    "max_in_flight_bytes": 1_000_000,
}
_QUIET = logging.getLogger("fuzz.quiet")
_QUIET.disabled = True


class _Socket(asyncio.Transport):
    """The side of the client: keeps what the server writes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closed = False

    @property
    def answer(self) -> bytes:
        """What was written, without the invitation to send a body."""
        return self.written.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class _Outcome:
    """What became of one connection.

    Attributes:
        answer: what the server wrote.
        bodies: the path, headers and body of each request that reached a route.
        store: what is stored.
    """

    def __init__(self) -> None:
        self.answer = b""
        self.requests: list[tuple[str, Mapping[str, list[str]], bytes | None]] = []
        self.store = MemoryStore()


def check(given: bytes) -> None:
    """The oracle; see above."""
    outcome = run(_served(given))
    status = int(outcome.answer[9:12]) if re.match(rb"HTTP/\d\.\d \d{3} ", outcome.answer) else 0
    assert not outcome.answer or status in _STATUSES, f"the answer {outcome.answer[:200]!r}"
    lines, kept = _stored(outcome.store)
    if status == 200:
        ((path, headers, body),) = outcome.requests
        assert body is not None, "200 for a body that was not read"
        rejected = _rejected(path, outcome.answer, headers)
        # Two equal records are one line of quarantine.
        assert bool(kept) == bool(rejected), f"{len(kept)} records are in quarantine, the answer says {rejected}"
        assert len(kept) <= rejected, f"{len(kept)} records are in quarantine, the answer says {rejected}"
        if path == "/modeldata/log":
            _check_old_event(headers, lines, _plain(body, headers), outcome.store)
        elif path == "/" and "cloudevents" not in headers.get("content-type", [""])[0].lower():
            _check_kserve_event(headers, lines, _plain(body, headers), outcome.store)
    elif status == 400 and outcome.requests:
        _, headers, body = outcome.requests[0]
        assert body is not None, "400 for a body that was not read"
        parts = [part for line in kept for key in ("record", "request") if (part := line.get(key))]
        found = [*parts, *outcome.store.objects.values()]
        content_type = headers.get("content-type", [""])[0].lower()
        is_kept = any(body in one or _plain(body, headers) in one for one in found)
        if "batch" in content_type:
            is_kept = is_kept or 0 < len(lines) + len(kept) <= _events_in(_plain(body, headers))
        elif "cloudevents" in content_type:
            is_kept = is_kept or len(kept) == 1
        assert is_kept or not body, f"a refused body is not in quarantine: {body[:80]!r}"
    else:
        assert not lines, f"a line is stored, and the answer is {status}"
        assert not kept, f"something is in quarantine, and the answer is {status}"


def _events_in(batch: bytes) -> int:
    """How many events a batch in JSON has; 0 where it is none. Equal ones are stored once."""
    try:
        return len(json.loads(batch.decode("utf-8", "surrogateescape")))
    except (ValueError, TypeError, RecursionError):
        return 0


def _rejected(path: str, answer: bytes, headers: Mapping[str, list[str]]) -> int:
    """How many records an answer of OTLP/HTTP reports as rejected; 0 for the other routes."""
    if path not in {"/v1/logs", "/v1/traces"}:
        return 0
    body = answer.partition(b"\r\n\r\n")[2]
    response = ExportLogsServiceResponse() if path == "/v1/logs" else ExportTraceServiceResponse()
    if "json" in headers["content-type"][0].lower():
        json_format.Parse(body, response)
    else:
        response.ParseFromString(body)
    partial = response.partial_success
    return partial.rejected_log_records if path == "/v1/logs" else partial.rejected_spans


async def _served(given: bytes) -> _Outcome:
    """Feed a connection with bytes, until its first request is answered."""
    outcome, socket = _Outcome(), _Socket()
    outcome.store.latency = 0.0
    config = ReceiverConfig(**_CONFIG)
    pipeline = Pipeline(sink_on(outcome.store), config, telemetry.instruments(), clock_ns=lambda: NOON)
    routes = {path: route for server in http_listeners(pipeline, config) for path, route in server._routes.items()}
    answering = HttpServer("http_listen", "127.0.0.1:0", routes)

    async def answer(request: web.BaseRequest) -> web.Response:
        response = await answering._answer(request)
        if request.method == "POST" and request.path in routes:
            headers: dict[str, list[str]] = {}
            for name, value in request.headers.items():
                headers.setdefault(name.lower(), []).append(value)
            outcome.requests.append((request.path, headers, bodies[-1] if bodies else None))
        return response

    bodies: list[bytes] = []
    receive = pipeline.receive

    async def received(read: Any, info: Any, convert: Any = None) -> bytes:
        async def reading() -> object:
            bodies.append(await read())
            return bodies[-1]

        return await receive(reading, info, convert)

    pipeline.receive = received  # type: ignore[method-assign]
    server = web.Server(answer, auto_decompress=False, access_log=None, logger=_QUIET, lingering_time=0)
    connection = server()
    connection.connection_made(socket)
    connection.data_received(given)
    idle = 0
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        idle = 0 if pipeline._tasks else idle + 1
        if socket.answer or socket.closed or idle > _IDLE_TURNS:
            break
    await asyncio.sleep(0)
    outcome.answer = socket.answer
    if not outcome.answer:
        outcome.requests.clear()
    connection.connection_lost(None)
    pipeline.stop()
    await pipeline.drain()
    await server.shutdown(0)
    return outcome


def _stored(store: MemoryStore) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All lines and all lines of quarantine, after every check."""
    lines, kept = [], []
    for name, content in store.contents.items():
        folder, _, file = name.rpartition("/")
        assert file == f"{INSTANCE}000000.jsonl", name
        for line in content.splitlines(keepends=True):
            if folder.startswith("_quarantine/"):
                kept.append(check_quarantine_line(folder, line))
            else:
                lines.append(check_line(folder, line) | {"raw": line})
    return lines, kept


def _check_old_event(
    headers: Mapping[str, list[str]], lines: list[dict[str, Any]], body: bytes, store: MemoryStore
) -> None:
    assert len(lines) == 1, f"{len(lines)} lines for one event"
    _check_payload(lines[0], body, store)
    sent = {"id": "trace-id", "correlationid": "ce-x-request-id", "modelversion": "ce-model-version"}
    for key, name in sent.items():
        values = headers.get(name, [])
        if len(values) == 1 and values[0].isascii() and values[0]:
            assert lines[0][key] == values[0], (key, values, lines[0][key])
    assert [lines[0]["type"]] == headers["ce-type"][-1:], headers["ce-type"]


def _check_kserve_event(
    headers: Mapping[str, list[str]], lines: list[dict[str, Any]], body: bytes, store: MemoryStore
) -> None:
    assert len(lines) == 1, f"{len(lines)} lines for one event"
    _check_payload(lines[0], body, store)
    sent = headers.get("ce-id", [])
    if len(sent) == 1 and sent[0].isalnum() and sent[0].isascii():
        assert lines[0]["correlationid"] == sent[0], (sent, lines[0]["correlationid"])


def _check_payload(line: dict[str, Any], body: bytes, store: MemoryStore) -> None:
    """The payload is in the line, as JSON or as text, or in the object that the line names."""
    if store.objects:
        assert body in store.objects.values(), "an object with other bytes"
        return
    in_one_line = body.replace(b"\n", b" ").replace(b"\r", b" ")
    raw = line["raw"]
    if b'"data":%b,' % in_one_line in raw or b'"data":[%b],' % in_one_line in raw:
        return
    text = json.loads(raw)["data"]
    assert isinstance(text, str), f"another payload: {raw[:200]!r}"
    assert text.encode() == body, f"another text: {text[:80]!r}"


def _plain(body: bytes, headers: Mapping[str, list[str]]) -> bytes:
    """A body decompressed, as `Content-Encoding` states."""
    encoding = headers.get("content-encoding", [""])[0].strip().lower()
    try:
        if encoding in {"gzip", "x-gzip"}:
            return gzip.decompress(body)
        return zlib.decompress(body) if encoding == "deflate" else body
    except (OSError, EOFError, zlib.error):
        return body


_EVENT = {"Content-Type": "application/json", "ce-type": "azureml.inference.model_inputs", "trace-id": "7d1f"}
_KSERVE = {
    "Content-Type": "application/json",
    "Ce-Specversion": "1.0",
    "Ce-Id": "12ab",
    "Ce-Type": "org.kubeflow.serving.inference.request",
    "Ce-Inferenceservicename": "iris",
    "Ce-Namespace": "default",
    "Ce-Time": "2026-11-22T12:00:00.5Z",
}
_WORDS = (
    *(f"{name}: {value}\r\n".encode() for name, value in {**_EVENT, **_KSERVE}.items()),
    *(b"ce-time: 1795348800.5\r\n", b"ce-x-request-id: 5\r\n", b"ce-agent: a/1\r\n", b"Content-Encoding: gzip\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Content-Encoding: deflate\r\n", b"/v1/logs"),
    *(b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/x-protobuf"),
    *(b"ce-traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", b"%00", b"%ff", b"\xff"),
    *(b"image/png", b"text/plain; charset=latin-1", b'"data_base64":"AA=="', b'"data":null', b"1969-12-31T23:59:59Z"),
    *(b"azureml.inference.request", b"azureml.inference...", b"/v1/traces", b"POST /", b"GET /", b'[{"a":1}]'),
)


def _mutate(given: bytes, chance: random.Random) -> bytes:
    head, _, body = given.partition(b"\r\n\r\n")
    if chance.random() < 0.5:
        head = changed_bytes(head, chance, _WORDS)
    else:
        body = changed_bytes(body, chance, _WORDS)
    return _with_length(head, body) if chance.random() < 0.95 else head + b"\r\n\r\n" + body


def _with_length(head: bytes, body: bytes) -> bytes:
    """A request whose `Content-Length` is right."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def _post(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: a", *(f"{name}: {value}" for name, value in headers.items())]
    return _with_length("\r\n".join(head).encode("latin-1"), body)


_TEXTS = st.sampled_from(["", "x", "a b", '"q"', "%41", "\xe9", "azureml.inference.request", "0", "image/png"])
_BODIES = st.sampled_from(
    [
        b'[{"a":1}]',
        b'{"a":\r\n1}',
        b"no json",
        b"\xff\xfe",
        b"",
        gzip.compress(b'[{"a":2}]', mtime=0),
        request(record(event_id="1", time_ns=NOON)),
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"[{}]"}}]}]}]}',
        b'[{"specversion":"1.0","type":"org.kubeflow.serving.inference.request","inferenceservicename":"a","data":{}}]',
    ]
)
_TYPES = {
    "/v1/logs": ("application/json", "application/x-protobuf"),
    "/": ("application/json", "application/cloudevents-batch+json", "application/cloudevents+json", "image/png"),
    "/modeldata/log": ("application/json", "text/plain"),
}


@st.composite
def _posts(draw: st.DrawFn) -> bytes:
    path = draw(st.sampled_from(sorted(_TYPES)))
    known = {**(_KSERVE if path == "/" else _EVENT), "Content-Type": draw(st.sampled_from(_TYPES[path]))}
    names = st.sampled_from([*known, "ce-time", "ce-tenant", "traceparent", "Content-Encoding"])
    return _post(path, known | draw(st.dictionaries(names, _TEXTS, max_size=2)), draw(_BODIES))


TARGET = FuzzTarget(
    name="http_listeners",
    about="bytes of an HTTP connection -> the answer, and exactly what was sent in the store or in quarantine",
    check=check,
    mutate=_mutate,
    inputs=_posts(),
    runs=8_000,
)
