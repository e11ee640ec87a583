"""KServe's inference logger: CloudEvents over HTTP become the collections `request` and `response`.

The setting `logger: {mode: all, url: http://{receiver}:4318/}` in an InferenceService sends its data here. The logger
posts one event in binary mode (attributes in `ce-*` headers, the payload as body); brokers between KServe and the
receiver may use the structured and the batched mode of the CloudEvents HTTP binding, which are supported as well.

| event | line |
|---|---|
| `type` org.kubeflow.serving.inference.request, .response | collections `request`, `response` |
| `inferenceservicename`, `namespace` | endpoint `{name}.{namespace}`: services with the same name do not mix |
| `endpoint` (`canary`, or absent) | deployment, `default` if there is none |
| `id` | `correlationid`: the logger gives a request and its response the same one |
| `time`, `traceparent`, the other attributes | `time`, `traceparent`, keys of their own names |

The line's `id` is made of everything that distinguishes two events. The logger's id is not enough (a request and its
response share it), nor is an id that a client chose (`Ce-Id`). An event that a broker delivers twice is recognized,
unless it has no id or no time.
"""

from __future__ import annotations

import uuid
from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

import msgspec

from otel_modeldata import semconv
from otel_modeldata.validation.media_type import type_of_body

from ..exceptions import UndecodableError
from ..mapping.bounds.json_bounds import check_json, check_json_size
from ..mapping.signal import LOGS
from .external_event import ExternalEvent, request_of, time_of
from .http_request import media_type, plain_answer, plain_refusal, read_body, request_info

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from ..config.limits import LimitsConfig
    from ..config.receiver import ReceiverConfig
    from ..ingest.pipeline import Pipeline
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
_PREFIX: Final = "ce-"
_ID_NAMESPACE: Final = uuid.UUID("2f1f4f6e-6f0e-5a6f-9c38-0d7c5c1b7a54")
T = TypeVar("T")
_event_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_batch_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read(headers: Mapping[str, str], content_type: str, body: bytes) -> list[ExternalEvent]:
    """The events of one request.

    Args:
        headers: by name in lower case, decoded as UTF-8 with surrogates for other bytes.
        content_type: media type of the body without parameters, in lower case.
        body: the payload, an event, or several.

    Raises:
        UndecodableError: it is not an event of KServe's logger. In a batch, such an event is passed on as it arrived
            and ends in quarantine; the others are stored.
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


def converted(body: bytes, *, headers: Mapping[str, str], content_type: str, limits: LimitsConfig) -> bytes:
    """The events of one request as an encoded `ExportLogsServiceRequest`; see `read`.

    Raises:
        TooLargeError: the body is too large for its encoding.
        UndecodableError: it has too many values, or is not an event of KServe's logger.
    """
    if content_type == _STRUCTURED:
        check_json_size(body, limits)
    if content_type == _BATCHED:
        check_json(body, limits)
    return request_of(read(headers, content_type, body))


class KServeLogger:
    """The route of `PATH`.

    Args:
        pipeline: makes events durable.
        config: the size limit.
    """

    def __init__(self, pipeline: Pipeline, config: ReceiverConfig) -> None:
        self._pipeline = pipeline
        self._max_bytes = config.max_message_bytes
        self._limits = config.limits

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """200 when every event is durable; 400 with the reason when one is durable in quarantine only."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        convert = partial(converted, headers=headers, content_type=media_type(request), limits=self._limits)
        info = request_info(request, LOGS, self._pipeline.clients)
        return plain_answer(await self._pipeline.receive(lambda: read_body(request, self._max_bytes), info, convert))

    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:  # noqa: ARG002
        """A sentence, which KServe's logger writes to its log."""
        return plain_refusal(refusal)


def _event(attributes: Mapping[str, str], payload: bytes) -> ExternalEvent:
    collection = _COLLECTIONS.get(attributes.get("type", ""))
    name = attributes.get("inferenceservicename", "")
    if collection is None or not name:
        raise UndecodableError(
            f"undecodable CloudEvent: expected the type {' or '.join(_COLLECTIONS)} and an inferenceservicename, "
            f"got type {attributes.get('type', '')[:80]!r} and {name[:80]!r}; only KServe's logger posts here"
        )
    namespace = attributes.get("namespace")
    return ExternalEvent(
        body=payload,
        attributes={
            semconv.AZUREML_COLLECTION_NAME: collection,
            semconv.CLOUDEVENTS_EVENT_ID: _line_id(attributes),
            semconv.AZUREML_CORRELATION_ID: attributes.get("id", ""),
            semconv.AZUREML_DATA_CONTENT_TYPE: type_of_body(attributes.get("datacontenttype", ""), payload),
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
    """Equal for the same event and different for any other; empty where the event has no id, or no time."""
    if not (attributes.get("id") and attributes.get("time")):
        return ""
    keys = ("type", "namespace", "inferenceservicename", "component", "endpoint", "source", "id", "time")
    return str(uuid.uuid5(_ID_NAMESPACE, "\n".join(attributes.get(key, "") for key in keys)))


def _of_batch(raw: msgspec.Raw) -> ExternalEvent:
    try:
        return _decoded(_structured, bytes(raw))
    except UndecodableError:
        # Without a collection it cannot become a line.
        return ExternalEvent(body=bytes(raw), attributes={}, resource={})


def _structured(text: bytes) -> ExternalEvent:
    members = _event_decoder.decode(text)
    attributes = {key: _text(value) for key, value in members.items() if key not in {"data", "data_base64"}}
    attributes.setdefault("datacontenttype", semconv.JSON_CONTENT_TYPE)
    return _event(attributes, _payload(members, attributes["datacontenttype"]))


def _payload(members: Mapping[str, msgspec.Raw], content_type: str) -> bytes:
    """The payload of an event in JSON (CloudEvents JSON format 3.1): base64, JSON, or text in a JSON string."""
    if "data_base64" in members:
        try:
            return b64decode(_text(members["data_base64"]), validate=True)
        except ValueError:
            raise _no_event("data_base64 that is not base64") from None
    data = bytes(members.get("data", b""))
    if data.startswith(b'"') and "json" not in content_type.lower():
        return _text(msgspec.Raw(data)).encode()
    return data


def _text(value: msgspec.Raw) -> str:
    plain = msgspec.json.decode(value)
    if plain is None:  # CloudEvents JSON format 2.2: null means absent
        return ""
    return plain if isinstance(plain, str) else bytes(value).decode()


def _decoded(decode: Callable[[bytes], T], text: bytes) -> T:
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _no_event(type(error).__name__) from None


def _no_event(actual: str) -> UndecodableError:
    return UndecodableError(
        f"undecodable CloudEvent: expected an event in the JSON format, got {actual}; correct the sender"
    )


def _header_text(value: str) -> str:
    """A header in the format of CloudEvents' HTTP binding (3.1.3.2): percent-encoded UTF-8, maybe in double quotes."""
    if not value.isascii():
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(value, errors="replace") if "%" in value else value
