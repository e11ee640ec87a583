"""The wire contract of SDK and receiver: attribute names, reserved names and shared rules.

The SDK writes these names into OTLP log records, the receiver reads them, and the gateway routes on
`AZUREML_COLLECTION_NAME`. Any OpenTelemetry SDK in any language that sets `AZUREML_COLLECTION_NAME` on a log record
(and `service.name` on its resource) produces a valid event; everything else has a default.

Line keys come from CloudEvents 1.0 and from recorded output of Azure ML's own collector.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

# --- Resource attributes: the sender ----------------------------------------------------------------------------

CLOUD_RESOURCE_ID: Final = "cloud.resource_id"
"""ARM id of the deployment, `/subscriptions/../onlineEndpoints/{endpoint}/deployments/{deployment}`: the `source`."""
SERVICE_NAME: Final = "service.name"
"""OTel's own; the endpoint's name when `azureml.endpoint.name` is absent: `-` takes the place of characters that no
folder may have."""
SERVICE_INSTANCE_ID: Final = "service.instance.id"
"""OTel's own; one per process, the *producer*: sequence numbers count within it."""
AZUREML_ENDPOINT_NAME: Final = "azureml.endpoint.name"
"""First segment of the path. Default: `service.name` made legal, else `local`."""
AZUREML_DEPLOYMENT_NAME: Final = "azureml.deployment.name"
"""Second segment of the path. Default: `default`."""
AZUREML_ROLLING_RATE: Final = "azureml.data_collector.rolling_rate"
"""`Minute` to `Year`, sent only if the deployment YAML has one; the receiver's own setting has priority."""

# --- Log record attributes: the event ---------------------------------------------------------------------------

AZUREML_COLLECTION_NAME: Final = "azureml.collection.name"
"""The collection, third segment of the path. Required."""
CLOUDEVENTS_EVENT_ID: Final = "cloudevents.event_id"
"""A uuid made in `collect`: the idempotency key of every later hop. A gateway gives one to records that bring none."""
CLOUDEVENTS_EVENT_TYPE: Final = "cloudevents.event_type"
"""Equals `event_name`, which OTLP before 1.5 (opentelemetry 1.33) cannot carry."""
AZUREML_CORRELATION_ID: Final = "azureml.correlation.id"
"""Line key `correlationid`."""
AZUREML_REQUEST_ID: Final = "azureml.request.id"
"""The request's `x-request-id`; line key `xrequestid`. Absent: equals the correlation id, as Azure's lines do."""
AZUREML_MODEL_VERSION: Final = "azureml.model.version"
"""Line key `modelversion`. Default: `default`."""
AZUREML_DATA_TYPE: Final = "azureml.data.type"
"""Line key `collectdatatype`."""
AZUREML_DATA_CONTENT_TYPE: Final = "azureml.data.content_type"
"""Line key `datacontenttype`."""
AZUREML_DATA_TYPES: Final = "azureml.data.types"
"""The types of the columns of a frame, in their order, run-length coded: `f8*15,i8*4,s,c`; line key `datatypes`. See
`docs/reference/data-types.md`. A text that is not `is_data_types` is left out of the line."""
AZUREML_AGENT: Final = "azureml.agent"
"""`{name}/{version}` of the library that collected; line key `agent`."""
AZUREML_SAMPLING_RATE: Final = "azureml.sampling.rate"
"""The share of correlation ids that are collected, 0 < rate <= 1, as a double: one event stands for 1/rate."""
AZUREML_DATA_ROWS: Final = "azureml.data.rows"
"""Number of rows of a frame, on the request span."""
AZUREML_DATA_FOLDER: Final = "azureml.data.folder"
"""Where the event's line is, on the request span: `{endpoint}/{deployment}/{collection}/2026/11/22/10`, relative to the
store, unless the receiver has another destination for the collection."""
AZUREML_PRODUCER_SEQUENCE: Final = "azureml.producer.sequence"
"""Counts the events of one producer and collection from 0, as an int: a gap is a loss."""
AZUREML_DATA_TOTAL_BYTES: Final = "azureml.data.total_bytes"
"""Size of the whole body in bytes, an int, if the record holds only its beginning; `*` if unknown (RFC 9110, 14.4).
Absent: the record holds the whole body."""
HTTP_REQUEST_METHOD: Final = "http.request.method"
"""OTel's own; line key `method`."""
URL_PATH: Final = "url.path"
"""OTel's own; line key `path`, which ends with `?` and `URL_QUERY` if the query is not empty."""
URL_QUERY: Final = "url.query"
"""OTel's own; appended to `path`."""
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
"""OTel's own, an int; line key `statuscode`."""
AZUREML_RESPONSE_LATENCY_MS: Final = "azureml.response.latency_ms"
"""From the first byte of a request to the end of its response, a double; line key `latencyms`."""
CLOUDEVENTS_EXTENSION_PREFIX: Final = "cloudevents.extension."
"""`cloudevents.extension.tenant` becomes the line key `tenant` (a header of the caller's context)."""

# --- Values -----------------------------------------------------------------------------------------------------

EVENT_TYPE_PREFIX: Final = "azureml.inference."
DATAFRAME_TYPE: Final = "pandas.core.frame.DataFrame"
"""A literal: pandas 3 reports `pandas.DataFrame`, and consumers compare the old text."""
JSON_CONTENT_TYPE: Final = "application/json"
DEFAULT_MODEL_VERSION: Final = "default"
DEFAULT_ENDPOINT: Final = "local"
DEFAULT_DEPLOYMENT: Final = "default"

PAYLOAD_COLLECTIONS: Final = frozenset({"request", "response"})
"""Azure's payload logging: any JSON is allowed as `data`. Every other collection is tabular: an array of objects."""

TRACE_COLLECTION: Final = "app_traces"
"""Lines made of OTLP spans that carry a question and its answer; each element of `data` is one span."""
SPAN_COLLECTION: Final = "app_spans"
"""Lines made of all other OTLP spans, in the same form."""
EVENT_COLLECTION: Final = "app_events"
"""Lines made of OTLP log records whose event name starts with `gen_ai.`, for example the messages of a chat."""

RESERVED_LINE_KEYS: Final = frozenset({"data", "dataref", "correlationid"})
"""No other key of a line may equal one of these, ignoring case: Spark is case-insensitive, and the whole window
fails."""
ERASED_ROWS_KEY: Final = "erasedrows"
"""The line key that names the rows that were erased, such as `3,7-9`: these are `{}` in `data`, so that the others keep
their numbers. Only `erase` writes it."""

FOLDER_PATTERNS: Final = {
    "Minute": "%Y/%m/%d/%H/%M",
    "Hour": "%Y/%m/%d/%H",
    "Day": "%Y/%m/%d",
    "Month": "%Y/%m",
    "Year": "%Y",
}
"""Date part of a folder (UTC, `strftime`) for each rolling rate."""

# --- Rules ------------------------------------------------------------------------------------------------------

NAME_RULE: Final = "1 to 128 characters of A-Z a-z 0-9 . _ -, the first a letter or digit, no '..', no '.' at the end"
_NAME: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?<!\.)", re.ASCII)


def is_name(text: str) -> bool:
    """Whether `text` may become one segment of a blob path (endpoint, deployment, collection): see `NAME_RULE`.

    An allow-list, because `..` in a blob name crosses containers and a trailing dot is not portable.
    """
    return _NAME.fullmatch(text) is not None


_NAME_CHARS: Final = 128
_MARK_CHARS: Final = 8


def legal_name(text: str) -> str:
    """A name that follows `NAME_RULE`, made of one that was chosen for traces (`service.name`).

    A legal name stays as it is. In another one, accents are removed, each run of other characters becomes `-`, and `-`
    and `.` are removed at both ends, `_` at the beginning: `ms/cart` becomes `ms-cart`. If letters or digits are lost,
    because they are not Latin or the name is too long, the first 8 hex digits of the SHA-256 of the name's UTF-8 are
    appended, so that two such names stay different. Without any letter or digit, the name is `service-` and these
    digits; only an empty name, or one of spaces, becomes empty.
    """
    if is_name(text):
        return text
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    name = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", plain)).lstrip("-._").rstrip("-.")
    is_lossy = not name or len(name) > _NAME_CHARS or any(one.isalnum() and not one.isascii() for one in plain)
    if not is_lossy or not text.strip():
        return name
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_CHARS]
    return f"{name[: _NAME_CHARS - _MARK_CHARS - 1].rstrip('-.') or 'service'}-{mark}"


CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""CloudEvents 1.0, "Type System", does not allow these in strings: no attribute has them, a body may."""

_EXTENSION_NAME: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII)


def is_extension_name(text: str) -> bool:
    """Whether `text` may name a CloudEvents extension attribute.

    CloudEvents 1.0, "Naming Conventions": lower-case letters and digits, and SHOULD NOT exceed 20 characters.
    """
    return _EXTENSION_NAME.fullmatch(text) is not None


MAX_DATA_TYPES_CHARS: Final = 8192
"""Of the text of `AZUREML_DATA_TYPES`."""
_DATA_TYPES: Final = re.compile(r"[!#-\[\]-~](?:[ !#-\[\]-~]*[!#-\[\]-~])?", re.ASCII)


def is_data_types(text: str) -> bool:
    """Whether `text` may be the types of a line: printable ASCII without quotes, backslashes and spaces at the ends."""
    return len(text) <= MAX_DATA_TYPES_CHARS and _DATA_TYPES.fullmatch(text) is not None


def event_type(collection: str) -> str:
    """The CloudEvents `type` of a collection; consumers filter on this exact text."""
    return EVENT_TYPE_PREFIX + collection


def local_source(endpoint: str, deployment: str) -> str:
    """The CloudEvents `source` of a deployment that has no ARM id."""
    return f"/endpoints/{endpoint}/deployments/{deployment}"


def is_sampled(correlation_id: str, rate: float) -> bool:
    """Whether the events of a correlation id are collected at `rate` (0 to 1).

    They are if the first 8 bytes of the SHA-256 of the id's UTF-8, as a big-endian integer divided by 2^64, are below
    the rate. Every collector, process and language decides the same, so an input is collected exactly when its output
    is.
    """
    if rate >= 1:
        return True
    return int.from_bytes(hashlib.sha256(correlation_id.encode()).digest()[:8], "big") < rate * 2**64


_SECRET_VALUES: Final = re.compile(
    r"(?i)(^|[&?])(sig|signature|awsaccesskeyid|x-(?:goog|amz)-(?:signature|credential|security-token)"
    r"|(?:[a-z]+[_-])?(?:api[_-]?key|token|secret|password|subscription-key))=[^&#]*"
)


def without_secrets(url: str) -> str:
    """A URL or query with its keys, tokens and signatures redacted (OpenTelemetry's conventions for `url.query`)."""
    return _SECRET_VALUES.sub(r"\1\2=REDACTED", url)
