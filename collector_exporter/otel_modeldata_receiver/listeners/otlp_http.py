"""OTLP over HTTP: `POST /v1/logs` and `/v1/traces`, in Protocol Buffers or JSON; an answer has the request's encoding.

The receiver's main protocol is gRPC; this one is for SDKs and gateways that support HTTP only. Statuses are those of
OTLP/HTTP: 200 with the pipeline's answer, 429 and 503 with Retry-After where the sender should retry, and any other
where it must not, each with a `google.rpc.Status` that gives the reason.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..exceptions import UnsupportedError
from ..mapping.signal import LOGS
from . import otlp_json
from .http_request import media_type, read_body, request_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import Pipeline
    from ..mapping.signal import Signal
    from .http_request import HttpRefusal

__all__ = ["OtlpRoute", "otlp_routes"]

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"


def otlp_routes(pipeline: Pipeline, config: ReceiverConfig) -> dict[str, OtlpRoute]:
    """The routes of both signals, by path (OTLP/HTTP "Request")."""
    limit = config.max_message_bytes
    to_logs = partial(otlp_json.logs_of, limits=config.limits)
    to_spans = partial(otlp_json.spans_of, limits=config.limits)
    logs = OtlpRoute(pipeline, LOGS, to_logs, ExportLogsServiceResponse, max_bytes=limit)
    spans = OtlpRoute(pipeline, pipeline.spans, to_spans, ExportTraceServiceResponse, max_bytes=limit)
    return {"/v1/logs": logs, "/v1/traces": spans}


class OtlpRoute:
    """The route of one signal.

    Args:
        pipeline: makes requests durable.
        signal: log records or spans.
        convert: turns a request in JSON into an encoded one.
        response: the message type of an answer.
        max_bytes: the largest body, compressed or decompressed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        signal: Signal,
        convert: Callable[[bytes], bytes],
        response: type[ExportLogsServiceResponse | ExportTraceServiceResponse],
        *,
        max_bytes: int,
    ) -> None:
        self._pipeline = pipeline
        self._signal = signal
        self._convert = convert
        self._response = response
        self._max_bytes = max_bytes

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 with the encoded answer of the pipeline when everything is durable."""

        async def read() -> bytes:
            _check_type(request)
            return await read_body(request, self._max_bytes)

        as_json = media_type(request) == _JSON
        convert = self._convert if as_json else None
        info = request_info(request, self._signal, self._pipeline.clients)
        answer = await self._pipeline.receive(read, info, convert)
        if as_json:
            return _json_answer(self._response.FromString(answer))
        return web.Response(body=answer, content_type=_PROTOBUF)

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:
        """`refusal` as a `google.rpc.Status` (OTLP/HTTP "Failures")."""
        status = Status(code=refusal.code, message=refusal.message)
        if media_type(request) == _JSON:
            return _json_answer(status, refusal)
        return web.Response(
            status=refusal.status,
            body=status.SerializeToString(),
            content_type=_PROTOBUF,
            headers=refusal.headers,
        )


def _check_type(request: web.BaseRequest) -> None:
    if media_type(request) not in {_PROTOBUF, _JSON}:
        raise UnsupportedError(
            f"expected a Content-Type of {_PROTOBUF} or {_JSON}, got {media_type(request)[:80]!r}; correct the sender"
        )


def _json_answer(message: Message, refusal: HttpRefusal | None = None) -> web.Response:
    text = MessageToJson(message, indent=None)
    if refusal is None:
        return web.Response(text=text, content_type=_JSON)
    return web.Response(status=refusal.status, text=text, content_type=_JSON, headers=refusal.headers)
