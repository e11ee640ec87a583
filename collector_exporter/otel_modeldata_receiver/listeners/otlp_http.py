"""OTLP over HTTP: `POST /v1/logs` and `/v1/traces`, in Protocol Buffers or JSON, answered in the encoding it came in.

The receiver's own way in is gRPC; this is for SDKs and gateways that speak HTTP only. Statuses are those of OTLP/HTTP:
200 with the service's answer, 429 and 503 with Retry-After where the sender should come back, and any other where it
must not, each with a `google.rpc.Status` that says why.
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
from ..ingest.pipeline import Form
from ..mapping.signal import LOGS
from . import otlp_json
from .http_request import client_of, is_packed, media_type, read_body

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import LogsService
    from ..mapping.signal import Signal
    from .http_request import HttpRefusal

__all__ = ["OtlpRoute", "otlp_routes"]

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"


def otlp_routes(service: LogsService, config: ReceiverConfig) -> dict[str, OtlpRoute]:
    """The routes of both signals, by path (OTLP/HTTP "Request")."""
    limit = config.max_message_bytes
    logs = OtlpRoute(service, LOGS, otlp_json.JSON_LOGS, ExportLogsServiceResponse, max_bytes=limit)
    spans = OtlpRoute(service, service.spans, otlp_json.JSON_SPANS, ExportTraceServiceResponse, max_bytes=limit)
    return {"/v1/logs": logs, "/v1/traces": spans}


class OtlpRoute:
    """The route of one signal.

    Args:
        service: makes requests durable.
        signal: what comes in.
        json: the same in JSON.
        response: the message that an answer is.
        max_bytes: the largest body, packed or unpacked.
    """

    def __init__(
        self,
        service: LogsService,
        signal: Signal,
        json: otlp_json.JsonSignal,
        response: type[ExportLogsServiceResponse | ExportTraceServiceResponse],
        *,
        max_bytes: int,
    ) -> None:
        self._service = service
        self._signal = signal
        self._json = json
        self._response = response
        self._max_bytes = max_bytes

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 with the encoded answer of the service when everything is durable."""

        async def read() -> bytes:
            _check_type(request)
            return await read_body(request, self._max_bytes)

        as_json = media_type(request) == _JSON
        form = Form(
            signal=self._signal,
            compressed=is_packed(request),
            client=client_of(request, self._service.clients),
            request_of=partial(otlp_json.request_of, signal=self._json) if as_json else None,
        )
        answer = await self._service.take(read, form)
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
