"""KServe's inference logger: CloudEvents over HTTP become the collections `request` and `response`.

A model served by KServe is collected by `logger: {mode: all, url: http://{receiver}:4318/}` in its InferenceService.
The logger posts one event in binary mode (attributes in `ce-*` headers, the payload as body); brokers between it and
here may use the structured and the batched mode of the CloudEvents HTTP binding, which are read as well.

| event | line |
|---|---|
| `type` org.kubeflow.serving.inference.request, .response | collections `request`, `response` |
| `inferenceservicename`, `namespace` | endpoint `{name}.{namespace}`: two services of one name stay apart |
| `endpoint` (`canary`, or nothing) | deployment, `default` if there is none |
| `id` | `correlationid`: the logger gives a request and its response the same one |
| `time`, `traceparent`, the other attributes | `time`, `traceparent`, keys of their own names |

The line's `id` is made of all that tells two events apart, because neither the logger's id does (a request has it as
well as its response) nor one that a client chose (`Ce-Id`). The same event delivered again by a broker is recognized.
"""

from __future__ import annotations

import uuid
from base64 import b64decode
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_modeldata import semconv

from ..exceptions import UndecodableError
from ..ingest.pipeline import Form
from .external_event import ForeignEvent, request_of, time_of
from .http_request import client_of, is_packed, media_type, read_body, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import LogsService
    from .http_request import HttpRefusal

__all__ = ["PATH", "KServeLogger", "read"]

PATH: Final = "/"
_AGENT: Final = "kserve-logger"
_COLLECTIONS: Final = {
    "org.kubeflow.serving.inference.request": "request",
    "org.kubeflow.serving.inference.response": "response",
}
_CONTEXT: Final = frozenset(
    {
        *("specversion", "id", "type", "source", "time", "datacontenttype", "dataschema", "subject", "traceparent"),
        *("data", "data_base64"),
    }
)
_STRUCTURED: Final = "application/cloudevents+json"
_BATCHED: Final = "application/cloudevents-batch+json"
_FORM: Final = "application/x-www-form-urlencoded"
_PREFIX: Final = "ce-"
_ID_NAMESPACE: Final = uuid.UUID("2f1f4f6e-6f0e-5a6f-9c38-0d7c5c1b7a54")
T = TypeVar("T")
_event_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_batch_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read(headers: Mapping[str, str], content_type: str, body: bytes) -> list[ForeignEvent]:
    """The events of one request.

    Args:
        headers: by name in lower case, decoded as UTF-8 with surrogates for other bytes.
        content_type: media type of the body without parameters, in lower case.
        body: the payload, an event, or several.

    Raises:
        UndecodableError: it is no event of KServe's logger. Of a batch, such events are passed on as they came, to be
            kept in quarantine: the others are stored.
    """
    if content_type == _BATCHED:
        return [_of_batch(raw) for raw in _decoded(_batch_decoder.decode, body)]
    if content_type == _STRUCTURED:
        return [_decoded(_structured, body)]
    attributes = {
        name.removeprefix(_PREFIX): _header_text(value) for name, value in headers.items() if name.startswith(_PREFIX)
    }
    attributes.setdefault("traceparent", headers.get("traceparent", ""))
    attributes["datacontenttype"] = _header_text(headers.get("content-type", ""))
    return [_event(attributes, body)]


class KServeLogger:
    """The route of `PATH`.

    Args:
        service: makes events durable.
        config: the limit of size is taken from it.
    """

    def __init__(self, service: LogsService, config: ReceiverConfig) -> None:
        self._service = service
        self._max_bytes = config.max_message_bytes

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 when every event is durable; 400 with the reason when one is durable in quarantine only."""

        async def made_of(body: bytes) -> bytes:
            headers = {name.lower(): value for name, value in request.headers.items()}
            return request_of(read(headers, media_type(request), body))

        client = client_of(request, self._service.clients)
        form = Form(compressed=is_packed(request), request_of=made_of, client=client)
        answer = await self._service.take(lambda: read_body(request, self._max_bytes), form)
        rejected = ExportLogsServiceResponse.FromString(answer).partial_success
        if rejected.rejected_log_records:
            return web.Response(status=400, text=rejected.error_message + "\n")
        return web.Response()

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:  # noqa: ARG002
        """A sentence, which the logger writes into its log."""
        return refused(refusal)


def _event(attributes: Mapping[str, str], payload: bytes) -> ForeignEvent:
    collection = _COLLECTIONS.get(attributes.get("type", ""))
    name = attributes.get("inferenceservicename", "")
    if collection is None or not name:
        raise UndecodableError(
            f"undecodable CloudEvent: expected the type {' or '.join(_COLLECTIONS)} and an inferenceservicename, "
            f"got type {attributes.get('type', '')[:80]!r} and {name[:80]!r}; only KServe's logger posts here"
        )
    namespace = attributes.get("namespace")
    return ForeignEvent(
        body=payload,
        attributes={
            semconv.AZUREML_COLLECTION_NAME: collection,
            semconv.CLOUDEVENTS_EVENT_ID: _line_id(attributes),
            semconv.AZUREML_CORRELATION_ID: attributes.get("id", ""),
            semconv.AZUREML_DATA_CONTENT_TYPE: _content_type(attributes.get("datacontenttype", ""), payload),
            semconv.AZUREML_AGENT: _AGENT,
        },
        resource={
            semconv.AZUREML_ENDPOINT_NAME: f"{name}.{namespace}" if namespace else name,
            semconv.AZUREML_DEPLOYMENT_NAME: attributes.get("endpoint", ""),
        },
        extensions={key: text for key, text in attributes.items() if key not in _CONTEXT},
        time_ns=time_of(attributes["time"]) if attributes.get("time") else 0,
        traceparent=attributes.get("traceparent", ""),
    )


def _line_id(attributes: Mapping[str, str]) -> str:
    """The same for the same event, another for any other; empty where the event has no id, or no time."""
    if not (attributes.get("id") and attributes.get("time")):
        return ""
    keys = ("type", "namespace", "inferenceservicename", "component", "endpoint", "source", "id", "time")
    return str(uuid.uuid5(_ID_NAMESPACE, "\n".join(attributes.get(key, "") for key in keys)))


def _content_type(said: str, payload: bytes) -> str:
    """`said`, but what `curl -d` calls every body: KServe's models read that as JSON, and so do we where it is."""
    if said.partition(";")[0].strip().lower() != _FORM:
        return said
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return said
    return semconv.JSON_CONTENT_TYPE


def _of_batch(raw: msgspec.Raw) -> ForeignEvent:
    try:
        return _decoded(_structured, bytes(raw))
    except UndecodableError:
        # Without a collection it cannot become a line.
        return ForeignEvent(body=bytes(raw), attributes={}, resource={})


def _structured(text: bytes) -> ForeignEvent:
    members = _event_decoder.decode(text)
    attributes = {key: _text(value) for key, value in members.items() if key not in {"data", "data_base64"}}
    attributes.setdefault("datacontenttype", semconv.JSON_CONTENT_TYPE)
    return _event(attributes, _payload(members, attributes["datacontenttype"]))


def _payload(members: Mapping[str, msgspec.Raw], content_type: str) -> bytes:
    """The payload of an event in JSON (CloudEvents JSON format 3.1): base64, JSON, or a string that is the text."""
    if "data_base64" in members:
        try:
            return b64decode(_text(members["data_base64"]), validate=True)
        except ValueError:
            raise _no_event("data_base64 that is no base64") from None
    data = bytes(members.get("data", b""))
    if data.startswith(b'"') and "json" not in content_type.lower():
        return _text(msgspec.Raw(data)).encode()
    return data


def _text(value: msgspec.Raw) -> str:
    plain = msgspec.json.decode(value)
    if plain is None:  # CloudEvents JSON format 2.2: as if it were not there
        return ""
    return plain if isinstance(plain, str) else bytes(value).decode()


def _decoded(decode: Callable[[bytes], T], text: bytes) -> T:
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _no_event(type(error).__name__) from None


def _no_event(found: str) -> UndecodableError:
    return UndecodableError(
        f"undecodable CloudEvent: expected an event in the JSON format, got {found}; correct the sender"
    )


def _header_text(value: str) -> str:
    """A header as CloudEvents' HTTP binding (3.1.3.2) writes it: percent-encoded UTF-8, perhaps in double quotes."""
    if not value.isascii():
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(value, errors="replace") if "%" in value else value
