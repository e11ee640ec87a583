"""The protocol of azureml-ai-monitoring 1.0.0, as Azure's sidecar takes it: `POST /modeldata/log`, one event a request.

An image that nobody can rebuild moves here by where it finds port 50011, and its lines become what Azure's own
collector made of them. The wheel's `worker/sender.py` is the only description of this protocol:

| header | becomes |
|---|---|
| `trace-id` | `id`, a uuid of the event |
| `ce-type` | `type`, `azureml.inference.{collection}` |
| `ce-time` | `time`, in seconds since 1970 |
| `ce-x-request-id` | `correlationid` and `xrequestid` |
| `ce-model-version`, `ce-agent`, `Content-Type` | `modelversion`, `agent`, `datacontenttype` |
| `ce-collect-data-type` | `collectdatatype`; of frames always the text that readers compare |
| `ce-{other}` | the key `{other}`, a header of the caller's context; what a line may not carry is left out |

Nothing says which deployment it is: that is a setting. And the wheel tries once: what it is refused is lost. While the
store is away or the receiver is full, its request is therefore held and tried again until the receiver's deadline. Its
one worker waits meanwhile, its queue of 1500 events fills, and the rest is up to the wheel.
"""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_modeldata import semconv
from otel_modeldata.config import read_deployment
from otel_modeldata.exceptions import ConfigError as DeploymentError

from ..exceptions import ConfigError, OverloadedError, StoreError, UndecodableError
from ..ingest.pipeline import Form
from .external_event import ForeignEvent, request_of, time_of
from .http_request import is_packed, read_body, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata.config import CollectorConfig

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import LogsService
    from .http_request import HttpRefusal

__all__ = ["PATH", "OldProtocol", "read", "resource_of"]

PATH: Final = "/modeldata/log"
MOST_HELD: Final = 32
"""Requests that may be held with their bodies: beside the bytes in flight, and each at most one message."""
_PAUSE_SECONDS: Final = 0.25
_EVENT_HEADERS: Final = frozenset(
    {"ce-type", "ce-time", "ce-collect-data-type", "ce-agent", "ce-x-request-id", "ce-model-version"}
)
_PREFIX: Final = "ce-"


def resource_of(config: ReceiverConfig) -> dict[str, str]:
    """The resource attributes of a deployment that cannot say itself which it is.

    Raises:
        ConfigError: its YAML cannot be read.
    """
    said = config.old_protocol
    known = _only_deployment(config.deployments)
    return {
        semconv.AZUREML_ENDPOINT_NAME: said.endpoint or (known.endpoint if known else None) or "",
        semconv.AZUREML_DEPLOYMENT_NAME: said.deployment or (known.deployment if known else None) or "",
        semconv.CLOUD_RESOURCE_ID: said.resource_id or "",
    }


def _only_deployment(paths: Sequence[str]) -> CollectorConfig | None:
    if len(paths) != 1 or not Path(paths[0]).is_file():
        return None
    try:
        return read_deployment(Path(paths[0]))
    except DeploymentError as error:
        raise ConfigError(*error.problems) from None


def read(headers: Mapping[str, str], body: bytes, resource: Mapping[str, str]) -> ForeignEvent:
    """The event that a request reports.

    Args:
        headers: by name in lower case, decoded as UTF-8 with surrogates for other bytes.
        body: as it was collected.
        resource: attributes of the deployment.

    Raises:
        UndecodableError: the request does not say of which collection it is, or when it was.
    """
    texts = {name: _latin_1(value) for name, value in headers.items()}
    event_type = texts.get("ce-type", "")
    if not event_type.startswith(semconv.EVENT_TYPE_PREFIX):
        raise UndecodableError(
            f"undecodable request: expected the header ce-type with {semconv.EVENT_TYPE_PREFIX} and a collection, "
            f"got {event_type[:80]!r}; correct the sender"
        )
    tabular = event_type.removeprefix(semconv.EVENT_TYPE_PREFIX) not in semconv.PAYLOAD_COLLECTIONS
    return ForeignEvent(
        body=body,
        attributes={
            semconv.CLOUDEVENTS_EVENT_TYPE: event_type,
            semconv.CLOUDEVENTS_EVENT_ID: texts.get("trace-id") or str(uuid.uuid4()),
            semconv.AZUREML_CORRELATION_ID: texts.get("ce-x-request-id", ""),
            semconv.AZUREML_MODEL_VERSION: texts.get("ce-model-version", ""),
            semconv.AZUREML_DATA_TYPE: semconv.DATAFRAME_TYPE if tabular else texts.get("ce-collect-data-type", ""),
            semconv.AZUREML_DATA_CONTENT_TYPE: texts.get("content-type", ""),
            semconv.AZUREML_AGENT: texts.get("ce-agent", ""),
        },
        resource=resource,
        extensions={
            name.removeprefix(_PREFIX): text
            for name, text in texts.items()
            if name.startswith(_PREFIX) and name not in _EVENT_HEADERS
        },
        time_ns=time_of(texts["ce-time"]) if "ce-time" in texts else 0,
        traceparent=texts.get("ce-traceparent", ""),
    )


class OldProtocol:
    """The route of `PATH`.

    Args:
        service: makes events durable.
        config: limits of size and time, and whose events they are.
    """

    def __init__(self, service: LogsService, config: ReceiverConfig) -> None:
        self._service = service
        self._max_bytes = config.max_message_bytes
        self._deadline_seconds = config.deadline_seconds
        self._resource = resource_of(config)
        self._held = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 when the event is durable; 400 with the reason when it is durable in quarantine."""
        made: list[bytes] = []

        async def made_of(body: bytes) -> bytes:
            headers = {name.lower(): value for name, value in request.headers.items()}
            made.append(request_of([read(headers, body, self._resource)]))
            return made[0]

        started = asyncio.get_running_loop().time()
        form = Form(compressed=is_packed(request), request_of=made_of)
        try:
            answer = await self._service.take(lambda: read_body(request, self._max_bytes), form)
        except (OverloadedError, StoreError) as error:
            if not made:
                raise
            answer = await self._hold(made[0], error, started + self._deadline_seconds)
        rejected = ExportLogsServiceResponse.FromString(answer).partial_success
        if rejected.rejected_log_records:
            return web.Response(status=400, text=rejected.error_message + "\n")
        return web.Response()

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:  # noqa: ARG002
        """A sentence, which the wheel writes into the log of the scoring container."""
        return refused(refusal)

    async def _hold(self, request: bytes, error: Exception, deadline: float) -> bytes:
        """Try again until it is durable or the deadline has come."""
        if self._held >= MOST_HELD:
            raise error
        self._held += 1
        try:
            while asyncio.get_running_loop().time() < deadline - _PAUSE_SECONDS:
                await asyncio.sleep(_PAUSE_SECONDS)
                try:
                    return await self._service.accept(request)
                except (OverloadedError, StoreError) as again:
                    error = again
            raise error
        finally:
            self._held -= 1


def _latin_1(value: str) -> str:
    """`value` as the wheel meant it: its HTTP client sends headers in Latin-1."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
