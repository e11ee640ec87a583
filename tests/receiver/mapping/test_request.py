"""Requests become lines by folder; bad records are rejected."""

from __future__ import annotations

import json
import traceback
from unittest.mock import Mock

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from otlp_requests import NOON, ROWS, SCOPE, field, invalid_utf8, nested_record, raw_request, record, request, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import BadRecordError, UndecodableError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.layout.partition import RollingRate
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.mapping.cloudevent import MAX_LINE_BYTES
from otel_modeldata_receiver.mapping.request import Mapped, decode, map_records, steps

HOUR_NS = 3_600_000_000_000


def read(raw: bytes, rolling_rate: RollingRate | None = None) -> Mapped:
    return map_records(decode(raw), arrival_ns=NOON, destinations=Destinations(rolling_rate))


def by_folder(mapped: Mapped) -> dict[str, list[str]]:
    return {folder: [line.id for line in lines] for folder, lines in mapped.lines.items()}


def test_lines_are_grouped_by_folder_in_the_order_of_the_records() -> None:
    mapped = read(
        request(
            record(event_id="1", time_ns=NOON),
            record(event_id="2", time_ns=NOON, collection="model_outputs"),
            record(event_id="3", time_ns=NOON + HOUR_NS),
            record(event_id="4", time_ns=NOON),
        )
    )
    assert by_folder(mapped) == {
        "credit/blue/model_inputs/2026/11/22/12": ["1", "4"],
        "credit/blue/model_outputs/2026/11/22/12": ["2"],
        "credit/blue/model_inputs/2026/11/22/13": ["3"],
    }
    assert (mapped.records, mapped.rejected, mapped.large) == (4, (), ())


def test_each_line_is_one_json_object_with_its_id() -> None:
    (line,) = read(request(record(event_id="1", time_ns=NOON))).lines["credit/blue/model_inputs/2026/11/22/12"]
    assert json.loads(line.data)["id"] == line.id == "1"
    assert line.data.endswith(b"}\n")


def test_the_receivers_rate_wins_over_the_deployments_which_wins_over_hour() -> None:
    values = {semconv.AZUREML_ROLLING_RATE: "Day"}
    raw = request(record(event_id="1", time_ns=NOON), resource_values=values)
    assert by_folder(read(raw)) == {"local/default/model_inputs/2026/11/22": ["1"]}
    assert by_folder(read(raw, RollingRate.MONTH)) == {"local/default/model_inputs/2026/11": ["1"]}


@pytest.mark.parametrize("body", [ROWS, b"a binary payload"], ids=["lines", "objects"])
def test_folders_beyond_the_bound_of_a_deployment_are_kept_together_and_others_are_stored(body: object) -> None:
    collection = "model_inputs" if body is ROWS else "request"
    hours = [record(body, collection=collection, event_id=str(n), time_ns=NOON + n % 50 * HOUR_NS) for n in range(60)]
    of_other = request(record(event_id="other", time_ns=NOON), resource_values={semconv.AZUREML_ENDPOINT_NAME: "fraud"})
    mapped = map_records(
        decode(request(*hours) + of_other),
        arrival_ns=NOON,
        destinations=Destinations(None),
        limits=LimitsConfig(backfill=("*",), folders_per_request=20),
    )
    (rest,) = mapped.rejected
    assert (rest.kind, rest.tenant, rest.records) == ("too many folders", "credit/blue", 40)
    assert "(limits.folders_per_request)" in rest.reason
    assert sorted(set(mapped.folders)) == [
        *(f"credit/blue/{collection}/2026/11/{22 + hour // 24}/{hour % 24:02}" for hour in range(12, 32)),
        "fraud/default/model_inputs/2026/11/22/12",
    ]


def test_a_request_with_as_many_folders_as_the_bound_is_stored_whole() -> None:
    records = [record(event_id=str(n), time_ns=NOON + n % 2 * HOUR_NS) for n in range(100)]
    limits = LimitsConfig(backfill=("*",), folders_per_request=2)
    mapped = map_records(decode(request(*records)), arrival_ns=NOON, destinations=Destinations(None), limits=limits)
    assert (mapped.rejected, sum(map(len, mapped.lines.values()))) == ((), 100)


@pytest.mark.parametrize("body", [ROWS, b"a binary payload"], ids=["lines", "objects"])
@pytest.mark.parametrize("most_folders", [1, 2, 3])
def test_a_folder_counts_once_however_many_pieces_of_a_request_have_it(body: object, most_folders: int) -> None:
    collection = "model_inputs" if body is ROWS else "request"
    times = [NOON + n % 2 * HOUR_NS for n in range(4000)]
    raw = request(*(record(body, collection=collection, event_id=str(n), time_ns=ns) for n, ns in enumerate(times)))
    limits = LimitsConfig(backfill=("*",), folders_per_request=most_folders)
    whole, pieces = (
        [
            step
            for step in steps(
                decode(raw), arrival_ns=NOON, destinations=Destinations(), limits=limits, in_pieces=in_pieces
            )
            if isinstance(step, Mapped)
        ]
        for in_pieces in (False, True)
    )
    assert (len(whole), len(pieces) > 3) == (1, most_folders > 1)
    for made in (whole, pieces):
        stored = sum(len(lines) for one in made for lines in one.lines.values()) + sum(len(one.large) for one in made)
        assert stored == (4000 if most_folders > 1 else 1)
        assert sum(kept.records for one in made for kept in one.rejected) == 4000 - stored


def test_a_bad_record_is_rejected_with_everything_needed_to_repair_it() -> None:
    good, bad = record(event_id="1", time_ns=NOON), record("no json", event_id="2", time_ns=NOON)
    mapped = read(request(good, bad))
    assert by_folder(mapped) == {"credit/blue/model_inputs/2026/11/22/12": ["1"]}
    (rejected,) = mapped.rejected
    assert (rejected.record, rejected.resource) == (bad.SerializeToString(), resource().SerializeToString())
    assert (rejected.endpoint, rejected.collection, rejected.kind) == ("credit", "model_inputs", "body not JSON")
    assert mapped.records == 2


def test_a_bad_resource_rejects_only_its_own_records() -> None:
    bad = request(record(event_id="1"), record(event_id="2"), resource_values={semconv.AZUREML_ENDPOINT_NAME: ".."})
    mapped = read(bad + request(record(event_id="3", time_ns=NOON)))
    assert by_folder(mapped) == {"credit/blue/model_inputs/2026/11/22/12": ["3"]}
    assert [(one.kind, one.endpoint, one.collection) for one in mapped.rejected] == [("name", None, "model_inputs")] * 2


def test_the_error_of_a_bad_resource_keeps_nothing_of_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BadRecordError("name: expected something else")
    monkeypatch.setattr(resources, "_cached", Mock(side_effect=error))
    mapped = read(request(*(record(event_id=str(n), time_ns=NOON) for n in range(100))))
    assert sum(one.records for one in mapped.rejected) == 100
    assert len(traceback.extract_tb(error.__traceback__)) < 10


def test_damaged_records_are_rejected_as_raw_bytes() -> None:
    damaged = invalid_utf8(record("BADTEXT"), "BADTEXT")
    mapped = read(raw_request([damaged, record(event_id="1", time_ns=NOON).SerializeToString()]))
    assert by_folder(mapped) == {"credit/blue/model_inputs/2026/11/22/12": ["1"]}
    (rejected,) = mapped.rejected
    assert (rejected.kind, rejected.record, rejected.endpoint) == ("undecodable LogRecord", damaged, "credit")


def test_damaged_records_of_a_bad_resource_are_rejected_too() -> None:
    damaged = invalid_utf8(record("BADTEXT"), "BADTEXT")
    bad_resource = resource({semconv.AZUREML_ENDPOINT_NAME: ".."}).SerializeToString()
    mapped = read(raw_request([damaged, record().SerializeToString()], bad_resource))
    assert [(one.kind, one.collection) for one in mapped.rejected] == [("name", None), ("name", "model_inputs")]
    assert mapped.records == 2


def test_the_agent_is_the_scope_of_each_record() -> None:
    other_scope = field(1, b"") + field(2, record(event_id="2", time_ns=NOON).SerializeToString())
    resource_logs = field(1, resource().SerializeToString())
    own_scope = field(1, SCOPE.SerializeToString()) + field(2, record(event_id="1", time_ns=NOON).SerializeToString())
    mapped = read(field(1, resource_logs + field(2, own_scope) + field(2, other_scope)))
    (lines,) = mapped.lines.values()
    assert [json.loads(line.data)["agent"] for line in lines] == ["test-sdk/1.0", "opentelemetry"]


def rows_of(size: int) -> str:
    return json.dumps([{"x": "a" * (size - len('[{"x": ""}]'))}])


def test_a_line_of_exactly_the_limit_is_inline_and_one_byte_more_is_not() -> None:
    def mapped_with(rows_bytes: int) -> Mapped:
        return read(request(record(rows_of(rows_bytes), event_id="1", time_ns=NOON)))

    (lines,) = mapped_with(4_000_000).lines.values()
    overhead = len(lines[0].data) - 4_000_000  # contentrange has as many digits from here to the limit
    (lines,) = mapped_with(MAX_LINE_BYTES - overhead).lines.values()
    assert len(lines[0].data) == MAX_LINE_BYTES
    oversized = mapped_with(MAX_LINE_BYTES - overhead + 1)
    (large,) = oversized.large
    assert (oversized.lines, large.event.line.id, large.content_type) == ({}, "1", "application/json")
    assert large.content == rows_of(MAX_LINE_BYTES - overhead + 1).encode()


def test_a_binary_payload_of_any_size_is_stored_as_an_object() -> None:
    """S70."""
    png = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}
    records = [record(b"\x89PNG", png, collection="request", event_id=one, time_ns=NOON) for one in ("1", "2")]
    mapped = read(request(*records))
    first, second = mapped.large
    assert (mapped.lines, first.content, first.content_type) == ({}, b"\x89PNG", "image/png")
    digest = "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"
    assert first.object_name() == second.object_name() == f"credit/blue/request/2026/11/22/12/files/{digest}"
    line = json.loads(second.line_at("https://account/container/x"))
    assert (line["id"], line["data"], line["datainblob"]) == ("2", "https://account/container/x", "true")


def test_a_line_that_attributes_alone_make_too_long_is_rejected() -> None:
    mapped = read(request(record(attributes={semconv.AZUREML_CORRELATION_ID: "x" * MAX_LINE_BYTES})))
    assert [one.kind for one in mapped.rejected] == ["attributes too large"]
    assert (mapped.lines, mapped.large) == ({}, ())


def test_a_record_that_is_only_readable_without_its_envelope_can_still_be_rejected() -> None:
    raw = nested_record(49, "deep").replace(b"request", b"tabular")
    (rejected,) = read(raw_request([raw])).rejected
    assert (rejected.kind, LogRecord.FromString(rejected.record)) == ("body not rows", LogRecord.FromString(raw))


def test_records_are_decoded_when_they_are_mapped_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a request is admitted, only its first resource is read; it is read once."""
    read: list[bytes] = []
    original = resources.try_read
    monkeypatch.setattr(resources, "try_read", lambda encoded: read.append(encoded) or original(encoded))
    one, other = resource(), resource({semconv.AZUREML_ENDPOINT_NAME: "other"})
    raw = raw_request([record(event_id="1", time_ns=NOON).SerializeToString()], one.SerializeToString())
    raw += raw_request([record(event_id="2", time_ns=NOON).SerializeToString()], other.SerializeToString())
    opened = decode(raw + b"\xff")
    assert (opened.tenant, read) == ("credit/blue", [one.SerializeToString()])
    with pytest.raises(UndecodableError):
        map_records(opened, arrival_ns=NOON, destinations=Destinations())
    read.clear()
    mapped = map_records(decode(raw), arrival_ns=NOON, destinations=Destinations())
    assert (mapped.records, [*dict.fromkeys(read)]) == (2, [one.SerializeToString(), other.SerializeToString()])


def test_the_tenant_of_a_request_is_the_deployment_of_its_first_resource() -> None:
    assert decode(request(record())).tenant == "credit/blue"
    other = request(record(), resource_values={semconv.AZUREML_ENDPOINT_NAME: "fraud"})
    assert decode(other + request(record())).tenant == "fraud/default"
    assert decode(request(record(), resource_values={semconv.AZUREML_ENDPOINT_NAME: ".."})).tenant == ""
    assert decode(b"\xff noise").tenant == "local/default"
