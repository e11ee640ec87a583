"""OTLP/JSON: the same message in both encodings is the same request.

The input is a message in Protocol Buffers, which the official `json_format` prints as JSON, or, where it begins with
`{` or `[`, any text.

- The printed message is read as the message, in both spellings of the keys.
- Of any text, every record that a JSON parser sees is in the request, or the request is refused as a whole.
- What is refused quotes nothing of the request.
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from fuzz_target import FuzzTarget, changed_bytes
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from target_otlp_mapper import TARGET as MAPPER
from target_otlp_mapper import WORDS
from wire_messages import records_of, with_a_change

from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.listeners.otlp_json import JSON_LOGS, request_of

if TYPE_CHECKING:
    import random

__all__ = ["TARGET"]

_IDS = {"traceId", "spanId", "trace_id", "span_id"}
_LISTS = (("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"), ("logRecords", "log_records"))
_JSON_WORDS = (
    *(b'"' + word + b'"' for word in WORDS if b'"' not in word and len(word) < 100 and word.isascii()),
    *(f'"{name}":'.encode() for names in _LISTS for name in names),
    *(b'"traceId":null,', b'"trace_id":"zz",', b'"intValue":"9223372036854775808"', b'"intValue":1e300', b'"body":'),
    *(b'"time_unix_nano":"1",', b'"timeUnixNano":1.5,', b'{"kvlistValue":{"values":[]}}', b"null,", b"[],", b"{},"),
    *(b'"\\ud800"', b'"bytesValue":"AA=="', b"NaN", b"Infinity", b"-0.0", b'"stringValue":"x"', b'"logRecords":[{}],'),
)


def check(given: bytes) -> None:
    """The oracle; see above."""
    if given[:1] in {b"{", b"["}:
        _check_text(given)
        return
    try:
        message = ExportLogsServiceRequest.FromString(given)
    except DecodeError:
        return
    if _has_no_json(message):
        return
    for keeps_names in (False, True):
        document = _with_hex_ids(MessageToDict(message, preserving_proto_field_name=keeps_names))
        read = ExportLogsServiceRequest.FromString(_converted(json.dumps(document).encode()))
        assert _comparable(read) == _comparable(message), f"another message: {document}"


def _converted(text: bytes) -> bytes:
    return request_of(text, JSON_LOGS)


def _check_text(text: bytes) -> None:
    try:
        request = _converted(text)
    except UndecodableError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("undecodable request: expected OTLP in JSON, got a body of"), refusal
        return
    found = records_of(request)
    assert found is not None, "no request in Protocol Buffers"
    assert len(request) <= 8 * len(text) + 1024, f"{len(text)} bytes of JSON become {len(request)}"
    expected = _count(json.loads(text.decode("utf-8", "surrogateescape")), 0)
    assert len(found) == expected, f"{expected} records in JSON, {len(found)} in the request"


def _count(message: Any, level: int) -> int:
    """How many records a JSON document has, in either spelling of the keys."""
    if level == len(_LISTS):
        return 1
    if message is None:
        return 0
    lists = [message.get(name) or [] for name in _LISTS[level]]
    return sum(_count(inner, level + 1) for inner in (*lists[0], *lists[1]))


def _with_hex_ids(value: Any) -> Any:
    """`value` with ids in hexadecimal, the one difference of OTLP/JSON to the JSON of Protocol Buffers."""
    if isinstance(value, list):
        return [_with_hex_ids(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(inner).hex() if key in _IDS and isinstance(inner, str) else _with_hex_ids(inner)
        for key, inner in value.items()
    }


def _has_no_json(message: ExportLogsServiceRequest) -> bool:
    """Whether JSON cannot express it: an enumeration's number that is not known is text of a newer version."""
    return any(
        one.severity_number not in range(25)
        for of_resource in message.resource_logs
        for scope in of_resource.scope_logs
        for one in scope.log_records
    )


def _comparable(message: ExportLogsServiceRequest) -> object:
    """A message without unknown fields, which JSON does not have; NaN has one form."""
    return json.dumps(_one_nan(MessageToDict(message)), sort_keys=True)


def _one_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_one_nan(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _one_nan(inner) for key, inner in value.items()}
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _mutate(given: bytes, chance: random.Random) -> bytes:
    if given[:1] in {b"{", b"["}:
        return changed_bytes(given, chance, _JSON_WORDS)
    return with_a_change(given, chance, WORDS)


def _printed(request: bytes) -> bytes:
    message = ExportLogsServiceRequest.FromString(request)
    return json.dumps(_with_hex_ids(MessageToDict(message))).encode()


_DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([name for names in _LISTS for name in names] + ["body", "attributes", "traceId"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
).map(lambda document: json.dumps({"resourceLogs": document}).encode())

TARGET = FuzzTarget(
    name="otlp_json",
    about="OTLP/JSON -> the request that the official encoder printed; any text -> no record is lost silently",
    check=check,
    mutate=_mutate,
    inputs=MAPPER.inputs | MAPPER.inputs.map(_printed) | _DOCUMENTS,
    runs=8_000,
)
