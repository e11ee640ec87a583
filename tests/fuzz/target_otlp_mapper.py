"""The OTLP mapper: the bytes of a whole request become lines, with and without line templates.

The oracle reads the request by itself: with `wire_messages.py` and with the official messages, which decode a request
as a whole or not at all.

- A request that the official messages decode is mapped.
- Every record becomes a line, a large payload or a rejection; rejected bytes are those that were sent.
- Every line is what readers rely on, and has the values that its record has.
- An ordinary record is never rejected.
- Templates change nothing.
- Within small bounds every record is stored too: as a line, alone in quarantine, or together with others.
- What is stored is bounded in proportion to the request.

The largest line is 4 KiB here, so that small inputs reach the bound.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fuzz_target import FuzzTarget
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from otlp_requests import DEPLOYMENT, NOON, raw_request, record, resource
from stored_lines import check_line, json_of
from template_records import BODIES, KEYS, ORDINARY, SPANS, VALUES
from wire_messages import records_of, with_a_change

from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import cloudevent
from otel_modeldata_receiver.mapping.request import decode, map_records
from otel_modeldata_receiver.mapping.signal import LogRecords

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.mapping.request import Mapped
    from otel_modeldata_receiver.mapping.signal import Signal

    Sent = tuple[Iterable[KeyValue], LogRecord]
    """The attributes of the resource of a record, and the record."""

__all__ = ["TARGET", "WORDS", "check_mapped", "mapped"]

_COLLECTION, _ID = "azureml.collection.name", "cloudevents.event_id"
_KEYS = {
    "id": _ID,
    "correlationid": "azureml.correlation.id",
    "xrequestid": "azureml.request.id",
    "modelversion": "azureml.model.version",
    "agent": "azureml.agent",
    "samplingrate": "azureml.sampling.rate",
    "producersequence": "azureml.producer.sequence",
}
"""Line keys by attribute, from `docs/reference/wire-attributes.md`."""
_ORDINARY_KEYS = {_COLLECTION, *_KEYS.values(), "azureml.data.type", "code.line"}
_PLAIN = re.compile(r"[ -!#-\[\]-~]{1,128}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}(?<!_block_blob)")
_MOST_BYTES = 4096
_SMALL = LimitsConfig(max_request_records=2, max_request_parts=3, max_growth=2.0, max_record_values=20)
_GROWTH = 64
_LINE_ROOM = 8192
_TEXTS = (
    *ORDINARY,
    *DEPLOYMENT,
    *("service.name", "service.instance.id", "cloud.resource_id", "azureml.data_collector.rolling_rate", "Minute"),
    *("azureml.data.types", "f8*2,s"),
    *("azureml.request.id", "azureml.data.total_bytes", "url.path", "http.request.method", "model_inputs", "request"),
    *("cloudevents.extension.tenant", "cloudevents.extension.id", "gen_ai.client.inference.operation.details"),
    *("../../etc", "_quarantine", "x_block_blob", "text/plain", "image/png", "[1]", "[{}]", '[{"a":1,"a":2}]'),
    *('{"a":1}', '[{"a":1e400}]', '[{"a":"\\ud800"}]', '[{"a":\r\n1}]'),
    "/subscriptions/s/onlineEndpoints/other/deployments/blue",
)
WORDS = (
    *(text.encode() for text in _TEXTS),
    *(b"\xff", b"t" * 16, b"s" * 8, bytes(16), b"a" * 5000, b"[" * 2000),
)


def mapped(request: bytes, signal: Signal) -> Mapped | UndecodableError:
    """What the mapper makes of a request."""
    try:
        return map_records(decode(request, signal), arrival_ns=NOON + 1, destinations=Destinations())
    except UndecodableError as error:
        return error


@contextmanager
def short_lines() -> Iterator[None]:
    """Lines of 4 KiB at most, in place of 4 MiB."""
    before = cloudevent.MAX_LINE_BYTES, cloudevent.MAX_HEAD_BYTES
    cloudevent.MAX_LINE_BYTES, cloudevent.MAX_HEAD_BYTES = _MOST_BYTES, _MOST_BYTES - 512  # type: ignore[misc]
    try:
        yield
    finally:
        cloudevent.MAX_LINE_BYTES, cloudevent.MAX_HEAD_BYTES = before  # type: ignore[misc]


def check(request: bytes) -> None:
    """The oracle; see above."""
    with short_lines():
        _check(request)


def _check(request: bytes) -> None:
    plain = mapped(request, LogRecords(templates=None))
    signal = LogRecords()
    for _ in range(4):  # repeated shapes get templates
        templated = mapped(request, signal)
    try:
        official = ExportLogsServiceRequest.FromString(request)
    except DecodeError:
        official = None
    if isinstance(plain, UndecodableError):
        assert isinstance(templated, UndecodableError), "templates decode what is undecodable"
        has_groups = records_of(request) is None  # old Protocol Buffers, no part of OTLP
        assert official is None or has_groups, f"a request of {len(request)} bytes that decodes is refused"
        return
    assert not isinstance(templated, UndecodableError), "templates do not decode"
    known = check_mapped(request, plain)
    _check_bounded(request)
    sent = _records(official)
    ids = {_texts(one.attributes).get(_ID) for _, one in sent} - {None}
    assert _values(plain, ids) == _values(templated, ids), "a template changes the outcome"
    if official is not None:
        _check_values(sent, known, plain)


def check_mapped(request: bytes, outcome: Mapped, *, keeps_bytes: bool = True) -> dict[str, dict[str, Any]]:
    """Check that nothing is lost or made up; the lines by their ids."""
    assert not outcome.defects, f"a bug: {outcome.defects[0]!r}"
    lines = [(folder, line) for folder, group in outcome.lines.items() for line in group]
    known = {line.id: check_line(folder, line.data, line.id) | {"folder": folder} for folder, line in lines}
    longest = max((len(line.data) for _, line in lines), default=0)
    assert longest <= cloudevent.MAX_LINE_BYTES, f"a line of {longest} bytes"
    for large in outcome.large:
        known[large.event.line.id] = check_line(large.event.folder, large.line_at("https://a/b"))
    rejected = sum(one.records for one in outcome.rejected)
    count = len(lines) + len(outcome.large) + rejected + outcome.left_out
    assert count == outcome.records, f"{outcome.records} records, {count} outcomes"
    sent = records_of(request)
    if sent is not None:
        assert outcome.records == len(sent), f"{len(sent)} records were sent, {outcome.records} are counted"
        kept = Counter((one.resource, one.record) for one in outcome.rejected if one.record)
        if keeps_bytes:
            made_up = [one for one in kept if kept[one] > sent.count(one)]
            assert not made_up, f"rejected bytes that were not sent: {made_up[0]}"
    for one in outcome.rejected:
        assert re.match(r"[a-zA-Z ]+: expected ", one.reason), one.reason
    size = sum(len(line.data) for _, line in lines) + sum(len(one.record) for one in outcome.rejected)
    bound = _GROWTH * len(request) + _LINE_ROOM * outcome.records
    assert size <= bound, f"{len(request)} bytes and {outcome.records} records become {size} bytes"
    return known


def _check_bounded(request: bytes) -> None:
    """Check that what is beyond a bound is kept, and nothing is kept twice."""
    sent = records_of(request)
    if sent is None:
        return
    outcome = map_records(
        decode(request, LogRecords()), arrival_ns=NOON + 1, destinations=Destinations(), limits=_SMALL
    )
    alone = [one.record for one in outcome.rejected if one.record or not one.request]
    together = [records_of(one.request) for one in outcome.rejected if one.request]
    kept = Counter([*alone, *(raw for part in together for _, raw in part or ())])
    assert kept <= Counter(raw for _, raw in sent), "a record is kept that was not sent, or twice"
    stored = sum(len(group) for group in outcome.lines.values()) + len(outcome.large)
    assert stored + kept.total() == len(sent), f"{len(sent)} records: {stored} are stored, {kept.total()} are kept"
    rejected = sum(one.records for one in outcome.rejected)
    assert outcome.records == stored + rejected, f"{outcome.records} are counted, {stored} stored, {rejected} rejected"


def _values(outcome: Mapped, sent: set[str | None]) -> object:
    """What a request becomes, to compare; ids that the receiver makes may be other ones each time."""

    def same(line_id: str, data: bytes) -> bytes:
        return data if line_id in sent else data.replace(line_id.encode(), b"made")

    return (
        {folder: [same(one.id, one.data) for one in group] for folder, group in outcome.lines.items()},
        [(one.event.folder, same(one.event.line.id, one.line_at("u")), one.content) for one in outcome.large],
        [(one.reason, one.record, one.resource, one.endpoint, one.collection, one.time_ns) for one in outcome.rejected],
        outcome.records,
    )


def _records(request: ExportLogsServiceRequest | None) -> list[Sent]:
    return [
        (of_resource.resource.attributes, one)
        for of_resource in (request.resource_logs if request else ())
        for scope in of_resource.scope_logs
        for one in scope.log_records
    ]


def _texts(attributes: Any) -> dict[str, str | None]:
    """The last text of each attribute; None where the last value is no text or number."""
    return {one.key: _text(one) for one in attributes if one.value.WhichOneof("value") is not None}


def _text(attribute: KeyValue) -> str | None:
    kind = attribute.value.WhichOneof("value")
    if kind == "string_value":
        return attribute.value.string_value
    if kind == "bool_value":
        return "true" if attribute.value.bool_value else "false"
    if kind == "int_value":
        return str(attribute.value.int_value)
    return repr(attribute.value.double_value) if kind == "double_value" else None


def _check_values(sent: list[Sent], known: dict[str, Any], outcome: Mapped) -> None:
    """Check the lines of records whose id no other record has."""
    times = Counter(_texts(one.attributes).get(_ID) for _, one in sent)
    large = {one.event.line.id for one in outcome.large}
    raw = {line.id: line.data for group in outcome.lines.values() for line in group}
    for resource_attributes, one in sent:
        of_resource, texts = _texts(resource_attributes), _texts(one.attributes)
        line_id = texts.get(_ID)
        if not line_id or times[line_id] != 1:
            continue
        event = known.get(line_id)
        if event is None:
            assert not _is_ordinary(resource_attributes, one), f"an ordinary record is rejected: {line_id}"
            continue
        if line_id in large or one.event_name.startswith("gen_ai."):
            continue
        expected = {key: texts[name] for key, name in _KEYS.items() if texts.get(name)}
        expected |= {"timens": str(one.time_unix_nano or one.observed_time_unix_nano or NOON + 1)}
        expected.setdefault("correlationid", line_id)
        expected.setdefault("xrequestid", expected["correlationid"])
        expected.setdefault("modelversion", "default")
        found = {key: event.get(key) for key in expected}
        assert found == expected, f"sent {expected}, stored {found}"
        names = event["folder"].split("/")
        for place, name in enumerate(("azureml.endpoint.name", "azureml.deployment.name")):
            assert of_resource.get(name) in {None, names[place]}, (of_resource, event["folder"])
        assert texts.get(_COLLECTION) in {None, names[2]}, (texts, event["folder"])
        if one.body.WhichOneof("value") == "string_value" and names[2] not in {"request", "response"}:
            body = one.body.string_value.encode().replace(b"\n", b" ").replace(b"\r", b" ")
            assert b'"data":%b,' % body in raw[line_id] or b'"data":[%b],' % body in raw[line_id], "other rows"


def _is_ordinary(resource_attributes: Iterable[KeyValue], one: LogRecord) -> bool:
    """Whether a record is one that every receiver must store."""
    of_resource, texts = _texts(resource_attributes), _texts(one.attributes)
    names = [{**dict.fromkeys(DEPLOYMENT, "x"), **of_resource}[key] for key in DEPLOYMENT]
    kinds = {attribute.value.WhichOneof("value") for attribute in one.attributes}
    return (
        all(text is not None and _PLAIN.fullmatch(text) for text in (*of_resource.values(), *texts.values()))
        and all(_NAME.fullmatch(str(name)) for name in (*names, texts.get(_COLLECTION, "")))
        and "service.name" not in of_resource
        and texts.keys() <= _ORDINARY_KEYS
        and _are_unique(resource_attributes)
        and _are_unique(one.attributes)
        and kinds <= {"string_value", "int_value", "double_value"}
        and not one.event_name.startswith("gen_ai.")
        and one.body.WhichOneof("value") == "string_value"
        and _are_plain_rows(one.body.string_value)
    )


def _are_unique(attributes: Iterable[KeyValue]) -> bool:
    """Values that a later one replaces are checked, too."""
    return max(Counter(attribute.key for attribute in attributes).values(), default=0) <= 1


def _are_plain_rows(body: str) -> bool:
    if len(body) > 4000 or not body.isascii() or "\\" in body:
        return False
    try:
        rows, plain = json_of(body), json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(plain, list) and all(isinstance(row, dict) for row in plain) and _is_flat(rows)


def _is_flat(rows: Any) -> bool:
    """Whether no number of the rows is one that readers may refuse, and nothing nests."""
    return all(not isinstance(value, list) and len(str(value)) < 16 for row in rows for _, value in row) and not any(
        "e" in str(value).lower() for row in rows for _, value in row
    )


def _mutate(request: bytes, chance: random.Random) -> bytes:
    return with_a_change(request, chance, WORDS)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """A request whose records are ordinary up to a few attributes; some are the same shape several times."""
    records = []
    for number in range(draw(st.integers(1, 4))):
        values = {**ORDINARY, _ID: f"id-{number}", **draw(st.dictionaries(KEYS, VALUES, max_size=2))}
        one = record(
            draw(BODIES),
            values,
            collection=None,
            time_ns=draw(st.sampled_from([NOON, NOON + 1, 0, 2**64 - 1])),
            trace_id=draw(SPANS),
            span_id=draw(SPANS),
        )
        one.attributes.extend(record("", draw(st.dictionaries(KEYS, VALUES, max_size=1)), collection=None).attributes)
        records += [one.SerializeToString()] * draw(st.integers(1, 2))
    names = draw(
        st.dictionaries(st.sampled_from([*DEPLOYMENT, "service.name", "cloud.resource_id"]), VALUES, max_size=2)
    )
    return raw_request(records, resource(DEPLOYMENT | names).SerializeToString())


TARGET = FuzzTarget(
    name="otlp_mapper",
    about="bytes of an OTLP request -> lines and rejections, with and without line templates",
    check=check,
    mutate=_mutate,
    inputs=_requests(),
    runs=4_000,
)
