"""The protocol of azureml-ai-monitoring 1.0.0 to Azure's sidecar: `POST /modeldata/log`, one event per request.

An image that cannot be rebuilt sends to this receiver on port 50011. The lines are the same as those of Azure's own
collector. The wheel's `worker/sender.py` is the only description of this protocol:

| header | becomes |
|---|---|
| `trace-id` | `id`, a uuid of the event |
| `ce-type` | `type`, `azureml.inference.{collection}` |
| `ce-time` | `time`, in seconds since 1970 |
| `ce-x-request-id` | `correlationid` and `xrequestid` |
| `ce-model-version`, `ce-agent`, `Content-Type` | `modelversion`, `agent`, `datacontenttype` |
| `ce-collect-data-type` | `collectdatatype`; for frames always the text that readers compare |
| `ce-{other}` | the key `{other}`, a header of the caller's context; keys that no line may contain are left out |

No header names the deployment: that is a setting. The wheel sends each event once and drops it when it is refused.
While the store is down or the receiver is full, its request is therefore held and retried until the receiver's
deadline. Meanwhile its single worker waits and its queue of 1500 events fills; when it is full, the wheel drops events
by its own rules.
"""

from __future__ import annotations

import asyncio
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata.config import read_deployment
from otel_modeldata.exceptions import ConfigError as DeploymentError

from ..exceptions import ConfigError, OverloadedError, StoreError, UndecodableError
from ..mapping.signal import LOGS
from .external_event import ExternalEvent, request_of, time_of
from .http_request import plain_answer, plain_refusal, read_body, request_info

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiohttp import web

    from otel_modeldata.config import CollectorConfig

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import Pipeline
    from .http_request import HttpRefusal

__all__ = ["PATH", "AzureMLSidecar", "read", "resource_of"]

PATH: Final = "/modeldata/log"
MOST_HELD: Final = 32
"""Limit for held requests; their bodies are in addition to the bytes in flight, each at most one message."""
_PAUSE_SECONDS: Final = 0.25
_EVENT_HEADERS: Final = frozenset(
    {"ce-type", "ce-time", "ce-collect-data-type", "ce-agent", "ce-x-request-id", "ce-model-version"}
)
_PREFIX: Final = "ce-"


def resource_of(config: ReceiverConfig) -> dict[str, str]:
    """The resource attributes of a deployment whose requests do not name it.

    Raises:
        ConfigError: its YAML cannot be read.
    """
    settings = config.old_protocol
    known = _only_deployment(config.deployments)
    return {
        semconv.AZUREML_ENDPOINT_NAME: settings.endpoint or (known.endpoint if known else None) or "",
        semconv.AZUREML_DEPLOYMENT_NAME: settings.deployment or (known.deployment if known else None) or "",
        semconv.CLOUD_RESOURCE_ID: settings.resource_id or "",
    }


def _only_deployment(paths: Sequence[str]) -> CollectorConfig | None:
    if len(paths) != 1 or not Path(paths[0]).is_file():
        return None
    try:
        return read_deployment(Path(paths[0]))
    except DeploymentError as error:
        raise ConfigError(*error.problems) from None


def read(headers: Mapping[str, str], body: bytes, resource: Mapping[str, str]) -> ExternalEvent:
    """The event that a request reports.

    Args:
        headers: by name in lower case, decoded as UTF-8 with surrogates for other bytes.
        body: the collected data.
        resource: attributes of the deployment.

    Raises:
        UndecodableError: the request has no collection, or an invalid time.
    """
    texts = {name: _latin_1(value) for name, value in headers.items()}
    event_type = texts.get("ce-type", "")
    if not event_type.startswith(semconv.EVENT_TYPE_PREFIX):
        raise UndecodableError(
            f"undecodable request: expected the header ce-type with {semconv.EVENT_TYPE_PREFIX} and a collection, "
            f"got {event_type[:80]!r}; correct the sender"
        )
    tabular = event_type.removeprefix(semconv.EVENT_TYPE_PREFIX) not in semconv.PAYLOAD_COLLECTIONS
    return ExternalEvent(
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


def converted(body: bytes, *, headers: Mapping[str, str], resource: Mapping[str, str]) -> bytes:
    """The event that a request reports as an encoded `ExportLogsServiceRequest`; see `read`.

    Raises:
        UndecodableError: the request has no collection, or an invalid time.
    """
    return request_of([read(headers, body, resource)])


class AzureMLSidecar:
    """The route of `PATH`.

    Args:
        pipeline: makes events durable.
        config: limits of size and time, and the deployment of the events.
    """

    def __init__(self, pipeline: Pipeline, config: ReceiverConfig) -> None:
        self._pipeline = pipeline
        self._max_bytes = config.max_message_bytes
        self._deadline_seconds = config.deadline_seconds
        self._resource = resource_of(config)
        self._held = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 when the event is durable; 400 with the reason when it is durable in quarantine."""
        body: bytes | None = None

        async def read_whole() -> bytes:
            nonlocal body
            body = await read_body(request, self._max_bytes)
            return body

        started = asyncio.get_running_loop().time()
        info = request_info(request, LOGS)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.setdefault("trace-id", str(uuid.uuid4()))  # also when it is tried again
        convert = partial(converted, headers=headers, resource=self._resource)
        try:
            answer = await self._pipeline.receive(read_whole, info, convert)
        except (OverloadedError, StoreError) as error:
            if body is None:
                raise
            retry = partial(self._pipeline.accept, body, info, convert)
            answer = await self._hold(retry, error, started + self._deadline_seconds)
        return plain_answer(answer)

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:  # noqa: ARG002
        """A sentence, which the wheel writes to the log of the scoring container."""
        return plain_refusal(refusal)

    async def _hold(self, retry: Callable[[], Awaitable[bytes]], error: Exception, deadline: float) -> bytes:
        """Retry until the request is durable or the deadline is reached."""
        if self._held >= MOST_HELD:
            raise error
        self._held += 1
        try:
            while asyncio.get_running_loop().time() < deadline - _PAUSE_SECONDS:
                await asyncio.sleep(_PAUSE_SECONDS)
                try:
                    return await retry()
                except (OverloadedError, StoreError) as latest:
                    error = latest
            raise error
        finally:
            self._held -= 1


def _latin_1(value: str) -> str:
    """`value` as the wheel's HTTP client encoded it: in Latin-1."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
