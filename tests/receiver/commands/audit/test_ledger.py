"""The ledger of an audit, tested with planted faults."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import DEPLOYMENT, field, invalid_utf8, record, resource

from otel_modeldata import semconv
from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata_receiver.commands.audit import quarantine_line
from otel_modeldata_receiver.commands.audit.ledger import MAX_LOCATIONS, Ledger
from otel_modeldata_receiver.commands.audit.producer_report import ReportedCounts, combine
from otel_modeldata_receiver.commands.audit.quarantine_line import QuarantinedEvent, decode_base64, identify
from otel_modeldata_receiver.layout.blob_path import BlobPath, parse_blob_path
from otel_modeldata_receiver.mapping import quarantine
from otel_modeldata_receiver.mapping.quarantine import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_receiver.commands.audit.reconciliation import Reconciliation

SOURCE = "/endpoints/credit/deployments/blue"
HOUR = "credit/blue/model_inputs/2026/11/22/12"
BLOB = f"{HOUR}/{'0' * 32}000000.jsonl"
ROWS = '[{"age":42}]'


def line(number: int | None = 0, /, rows: str = ROWS, **keys: Any) -> bytes:
    """A line as the receiver writes it, from hour 12 of 2026-11-22; keys that are None are left out."""
    event = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": SOURCE,
        "type": "azureml.inference.model_inputs",
        "time": "2026-11-22T12:34:56Z",
        "data": ...,
        "contentrange": f"bytes 0-{len(rows.encode()) - 1}/{len(rows.encode())}",
        "timens": "1795350896000000000",
        "producer": "p",
        "sequence": None if number is None else str(number),
        **keys,
    }
    members = (
        f'"{key}":{rows if value is ... else json.dumps(value)}' for key, value in event.items() if value is not None
    )
    return f"{{{','.join(members)}}}".encode()


def taken(*lines: bytes, blob: str = BLOB, **objects: int) -> Ledger:
    ledger = Ledger(objects)
    ledger.add_lines(parse_blob_path(blob), 0, lines)
    ledger.check_references(objects)
    return ledger


def faults(ledger: Ledger) -> dict[str, int]:
    names = ("unreadable", "misplaced", "content_range", "duplicated", "dataref")
    return {name: count for name in names if (count := getattr(ledger, name).count)}


def only(ledger: Ledger, account: ReportedCounts | None = None, *, whole: bool = True) -> Reconciliation:
    (result,) = ledger.reconcile({} if account is None else {("p", "model_inputs"): account}, whole=whole)
    return result


def stored(*numbers: int) -> Ledger:
    return taken(*(line(number) for number in numbers))


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_gap_between_two_numbers_is_a_missing_event() -> None:
    result = only(stored(0, 1, 4, 7))
    assert (result.gaps, result.missing, result.stored) == ([(2, 3), (5, 6)], 4, 4)
    assert result.problems == ["4 events missing, of the numbers 2-3, 5-6"]


def test_numbers_start_at_zero() -> None:
    assert only(stored(3, 4)).gaps == [(0, 2)]


def test_with_some_hours_only_the_count_starts_at_the_first_number() -> None:
    assert only(stored(3, 5), whole=False).gaps == [(4, 4)]


def test_an_event_in_another_hour_is_not_missing() -> None:
    ledger = stored(3, 6)
    ledger.add_lines_of_other_hours([line(4), b"torn", line(5, producer="other"), line(None)])
    assert only(ledger, whole=False).gaps == [(5, 5)]


def test_the_order_of_lines_and_blobs_does_not_matter() -> None:
    ledger = stored(5, 3, 1)
    ledger.add_lines(parse_blob_path(BLOB.replace("000000.", "000001.")), 0, [line(4), line(0), line(2)])
    assert only(ledger).gaps == []


def test_each_collection_and_each_producer_has_numbers_of_its_own() -> None:
    outputs = "azureml.inference.model_outputs"
    ledger = stored(0, 1)
    ledger.add_lines(
        parse_blob_path(BLOB.replace("inputs", "outputs")), 0, [line(0, type=outputs), line(1, type=outputs)]
    )
    ledger.add_lines(parse_blob_path(BLOB), 2, [line(0, producer="q", id="another")])
    found = {(one.collection, one.producer): one.stored for one in ledger.reconcile({}, whole=True)}
    assert found == {("model_inputs", "p"): 2, ("model_inputs", "q"): 1, ("model_outputs", "p"): 2}
    assert faults(ledger) == {}


@pytest.mark.parametrize("sequence", ["", "-1", "1.0", "soon", "9" * 30, str(2**63), None])
def test_a_malformed_number_counts_as_absent(sequence: str | None) -> None:
    result = only(taken(line(0, sequence=sequence)))
    assert (result.stored, result.first, result.gaps, result.is_accounted_for) == (1, None, [], True)


def test_without_a_producer_numbers_are_ignored_and_sources_are_kept_apart() -> None:
    ledger = taken(line(5, producer=None))
    other = SOURCE.replace("blue", "green")
    ledger.add_lines(parse_blob_path(BLOB.replace("blue", "green")), 0, [line(5, producer=None, source=other)])
    found = [(one.deployment, one.stored, one.gaps) for one in ledger.reconcile({}, whole=True)]
    assert found == [("blue", 1, []), ("green", 1, [])]


def test_two_events_with_one_number_are_a_problem() -> None:
    result = only(taken(line(0), line(0, id="other"), line(1)))
    assert (result.stored, result.reused, result.is_accounted_for) == (3, 1, False)
    assert "is a producer id shared?" in result.problems[0]


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_a_repeated_id_is_a_duplicate_within_a_blob_and_across_blobs() -> None:
    ledger = taken(line(0), line(1), line(0))
    ledger.add_lines(parse_blob_path(BLOB.replace("/12/", "/13/")), 0, [line(1, time="2026-11-22T13:00:00Z")])
    assert (only(ledger).stored, only(ledger).duplicates, only(ledger).gaps) == (2, 2, [])
    assert [(parse_blob_path(location.blob).date[-2:], location.line) for location in ledger.duplicated.locations] == [
        ("12", 3),
        ("13", 1),
    ]
    assert "'event-0'" in ledger.duplicated.locations[0].reason


def test_a_copy_under_another_producer_is_a_duplicate() -> None:
    ledger = taken(line(0), line(0, producer="q"))
    assert {one.producer: (one.stored, one.duplicates) for one in ledger.reconcile({}, whole=True)} == {
        "p": (1, 0),
        "q": (0, 1),
    }


def test_one_id_in_two_collections_or_deployments_is_two_events() -> None:
    other = SOURCE.replace("blue", "green")
    ledger = taken(line(0), line(0, type="azureml.inference.model_outputs"), line(0, source=other))
    assert ledger.duplicated.count == 0


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        line()[:-1],
        line()[:40],
        line() + line(),
        b"\0\0\0\0",
        b"[]",
        b"null",
        line(id=None),
        line(id=7),
        line(time=None),
        line(rows='[{"age":NaN}]'),
        line(rows='["?"]').replace(b"?", b"\xff"),
        line(rows="[" * 100_000 + "]" * 100_000),
    ],
    ids=range(12),
)
def test_a_line_that_is_torn_or_not_an_event_is_unreadable(raw: bytes) -> None:
    ledger = taken(line(0), raw, line(1))
    assert faults(ledger) == {"unreadable": 1}
    assert ledger.unreadable.locations[0].line == 2
    assert only(ledger).stored == 2


def test_blank_lines_are_skipped() -> None:
    ledger = taken(line(0), b"", b" \r", line(1) + b"\r")
    assert (faults(ledger), ledger.lines) == ({}, 2)


@pytest.mark.parametrize(
    ("blob", "keys", "reason"),
    [
        (BLOB, {"time": "2026-11-22T13:00:00Z"}, "expected a time within 2026/11/22/12, got '2026-11-22T13:00:00Z'"),
        (BLOB, {"time": "2026-11-22T12:00:00"}, "expected an RFC 3339 time with a zone"),
        (BLOB, {"time": "soon"}, "expected an RFC 3339 time with a zone"),
        (BLOB, {"type": "azureml.inference.other"}, "expected type 'azureml.inference.model_inputs'"),
        (BLOB, {"type": "model_inputs"}, "expected type 'azureml.inference.model_inputs'"),
        (BLOB, {"source": "/endpoints/credit/deployments/green"}, "expected a source of credit/blue"),
        (BLOB, {"source": "/a/onlineEndpoints/debit/deployments/blue"}, "expected a source of credit/blue"),
        ("credit/blue/2026/11/22/12/x.jsonl", {}, "expected a path of {endpoint}/{deployment}"),
        ("x.jsonl", {}, "expected a path of {endpoint}/{deployment}"),
        ("_quarantined/2026/11/22/12/x.jsonl", {}, "expected a path of {endpoint}/{deployment}"),
    ],
)
def test_a_line_in_a_wrong_folder_is_reported_once(blob: str, keys: dict[str, str], reason: str) -> None:
    ledger = taken(line(0, **keys), blob=blob)
    assert faults(ledger) == {"misplaced": 1}
    assert ledger.misplaced.locations[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2026/11/22/12/34", "2026-11-22T12:34:56Z"),
        ("2026/11/22", "2026-11-22T00:00:00Z"),
        ("2026/11", "2026-11-01T00:00:00Z"),
        ("2026", "2026-12-31T23:59:59Z"),
        ("2026/11/22/12", "2026-11-22T14:00:00.123456+02:00"),
        ("2026/11/22/12", "2026-11-22T12:00:00+00:00"),
    ],
)
def test_the_folder_is_checked_at_every_rolling_rate_and_time_zone(date: str, time: str) -> None:
    assert faults(taken(line(time=time), blob=f"credit/blue/model_inputs/{date}/x.jsonl")) == {}


@pytest.mark.parametrize(
    "source",
    [
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/onlineEndpoints/Credit/deployments/Blue",
        "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm",
        "https://example.org/scoring",
    ],
)
def test_a_source_of_this_deployment_or_of_none_is_in_the_right_folder(source: str) -> None:
    assert faults(taken(line(source=source))) == {}


def test_every_fault_is_counted_but_only_the_first_locations_are_kept() -> None:
    ledger = taken(*[b"torn"] * (MAX_LOCATIONS + 50))
    assert (ledger.unreadable.count, len(ledger.unreadable.locations)) == (MAX_LOCATIONS + 50, MAX_LOCATIONS)


# --- contentrange -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["bytes 0-12/13", "bytes 0-10/12", "bytes 0-11/*", "12", "", "bytes */0"])
def test_a_range_that_does_not_match_the_rows_is_reported(given: str) -> None:
    assert faults(taken(line(contentrange=given))) == {"content_range": 1}


def test_contentrange_of_several_rows_must_match_exactly() -> None:
    rows = '[{"a":1},{"a":2}]'
    assert faults(taken(line(rows=rows, contentrange=f"bytes 0-{len(rows) - 3}/{len(rows) - 2}"))) == {
        "content_range": 1
    }


def test_contentrange_of_a_single_row_may_exclude_the_array_brackets() -> None:
    assert faults(taken(line(contentrange="bytes 0-9/10"))) == {}


def test_contentrange_includes_whitespace_around_the_rows() -> None:
    assert faults(taken(line(rows=' [ {"age": 42} ] \t'))) == {}


def test_contentrange_counts_bytes() -> None:
    assert faults(taken(line(rows='[{"name":"Zoë \U0001f600"}]'))) == {}


def test_contentrange_of_a_text_payload_excludes_json_escapes() -> None:
    text = 'plain "text"\n\u00e9'
    size = len(text.encode())
    keys = {"type": "azureml.inference.request", "contentrange": f"bytes 0-{size - 1}/{size}"}
    blob = BLOB.replace("model_inputs", "request")
    assert faults(taken(line(rows=json.dumps(text, ensure_ascii=False), **keys), blob=blob)) == {}
    assert faults(taken(line(rows='""', **{**keys, "contentrange": "bytes */0"}), blob=blob)) == {}
    assert faults(taken(line(rows='"four"', **{**keys, "contentrange": "bytes 0-4/5"}), blob=blob)) == {
        "content_range": 1
    }


def test_contentrange_of_another_writer_is_not_checked() -> None:
    assert faults(taken(line(timens=None, contentrange="bytes 0-79/80"))) == {}


# --- references -------------------------------------------------------------------------------------------------------


def referring(size: int = 5_000_000, folder: str = HOUR) -> bytes:
    url = f"https://account.blob.core.windows.net/modeldata/prod/{folder}/files/rows-1.json"
    return line(data=None, dataref=url, contentrange=f"bytes 0-{size - 1}/{size}")


def test_rows_in_an_object_of_their_own_are_checked() -> None:
    assert faults(taken(referring(), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {}
    ledger = taken(referring())
    assert faults(ledger) == {"dataref": 1}
    assert f"{HOUR}/files/rows-1.json" in ledger.dataref.locations[0].reason


def test_an_object_that_was_stored_after_the_listing_is_found() -> None:
    ledger = Ledger({})
    ledger.add_lines(parse_blob_path(BLOB), 0, [referring()])
    assert ledger.has_open_references
    ledger.check_references({f"{HOUR}/files/rows-1.json": 5_000_000})
    assert (faults(ledger), ledger.has_open_references) == ({}, False)


def test_contentrange_is_the_size_of_the_object() -> None:
    assert faults(taken(referring(4_999_998), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {}  # a single row
    assert faults(taken(referring(4_999_999), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {"content_range": 1}


def test_an_object_outside_of_the_folder_is_not_checked() -> None:
    ledger = taken(referring(folder="exports"))
    assert (faults(ledger), ledger.foreign_references) == ({}, 1)


def test_a_payload_beside_its_line_is_checked() -> None:
    url = json.dumps(f"https://a.blob.core.windows.net/modeldata/{HOUR}/event-0")
    blob = BLOB.replace("model_inputs", "request")
    keys = {"type": "azureml.inference.request", "datainblob": "true", "contentrange": "bytes 0-80770/80771"}
    raw = line(rows=url.replace("model_inputs", "request"), **keys)
    assert faults(taken(raw, blob=blob)) == {"dataref": 1}
    event = f"{HOUR.replace('model_inputs', 'request')}/event-0"
    assert faults(taken(raw, blob=blob, **{event: 80_771})) == {}
    assert faults(taken(raw, blob=blob, **{event: 80_769})) == {"content_range": 1}


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        ('"{\\"a"', "bytes 0-2/52000", {}),
        ('"{\\"a"', "bytes 0-2/*", {}),
        ('"{\\"a"', "bytes 0-3/52000", {"content_range": 1}),
        ('"{\\"a"', "bytes 0-2/2", {"content_range": 1}),
        ('""', "bytes */52000", {}),
        ('""', "bytes */*", {"content_range": 1}),
    ],
)
def test_contentrange_has_the_total_size_of_a_truncated_payload(
    rows: str, given: str, expected: dict[str, int]
) -> None:
    """S51."""
    keys = {"type": "azureml.inference.request", "contentrange": given}
    assert faults(taken(line(rows=rows, **keys), blob=BLOB.replace("model_inputs", "request"))) == expected


# --- final reports ----------------------------------------------------------------------------------------------------


def test_accepted_events_are_stored_lost_or_in_quarantine() -> None:
    ledger = stored(0, 1, 2, 4)
    ledger.add_quarantined("a", QuarantinedEvent(producer="p", collection="model_inputs", number=3))
    result = only(ledger, ReportedCounts(accepted=7, delivered=4, lost={"refused": 2, "rejected": 1}))
    assert (result.gaps, result.missing, result.is_accounted_for) == ([(5, 6)], 0, True)


def test_events_after_the_last_stored_one_are_missing_with_a_report_and_unknown_without() -> None:
    assert only(stored(0, 1)).is_accounted_for
    result = only(stored(0, 1), ReportedCounts(accepted=5, delivered=5))
    assert (result.gaps, result.missing, result.is_accounted_for) == ([(2, 4)], 3, False)


def test_a_loss_that_is_in_quarantine_explains_no_gap() -> None:
    ledger = stored(0, 1)
    ledger.add_quarantined("a", QuarantinedEvent(producer="p", collection="model_inputs", number=2))
    result = only(ledger, ReportedCounts(accepted=4, delivered=3, lost={"rejected": 1}))
    assert (result.missing, result.gaps) == (1, [(3, 3)])


def test_an_event_reported_lost_but_stored_is_not_a_fault() -> None:
    result = only(stored(0, 1, 2), ReportedCounts(accepted=3, delivered=1, lost={"shutdown": 2}))
    assert (result.missing, result.doubtful, result.is_accounted_for) == (0, 2, True)


def test_more_events_than_accepted_are_a_problem() -> None:
    result = only(stored(0, 1, 2), ReportedCounts(accepted=1, delivered=1))
    assert (result.beyond, result.is_accounted_for) == (2, False)


def test_all_events_of_a_producer_that_is_only_in_a_report_are_missing() -> None:
    (result,) = Ledger({}).reconcile({("p", "model_inputs"): ReportedCounts(accepted=3, delivered=3)}, whole=True)
    assert (result.producer, result.missing, result.gaps) == ("p", 3, [(0, 2)])


def test_events_in_a_spool_are_missing_and_the_problem_names_the_spool() -> None:
    result = only(stored(0), ReportedCounts(accepted=3, delivered=1, pending=2))
    assert result.problems == [
        "2 events missing, of the numbers 1-2",
        "2 events left in the spool when the process ended",
    ]


def test_the_replayed_events_of_a_dead_process_are_added_to_its_counts() -> None:
    dead = DeliveryReport(
        producer="p", collections={"model_inputs": ReportedCounts(accepted=5, delivered=1, pending=4)}
    )
    heir = DeliveryReport(
        producer="q",
        collections={},
        replayed={"p": {"model_inputs": CollectionReport(accepted=4, delivered=3, lost={"refused": 1})}},
    )
    assert only(stored(0, 1, 2, 4), combine([dead, heir])["p", "model_inputs"]).is_accounted_for
    assert only(stored(0, 1, 2, 4), combine([heir])["p", "model_inputs"]).is_accounted_for
    assert only(stored(0, 1, 4), combine([dead, heir])["p", "model_inputs"]).missing == 1


def test_losses_of_an_unknown_collection_explain_one_missing_event_each() -> None:
    heir = DeliveryReport(
        producer="q",
        collections={},
        replayed={"p": {"(unreadable)": CollectionReport(accepted=2, lost={"corrupt": 2})}},
    )
    outputs = "azureml.inference.model_outputs"
    ledger = stored(0, 2)
    ledger.add_lines(
        parse_blob_path(BLOB.replace("inputs", "outputs")), 0, [line(0, type=outputs), line(3, type=outputs)]
    )
    found = [(one.collection, one.missing) for one in ledger.reconcile(combine([heir]), whole=True)]
    assert found == [("model_inputs", 0), ("model_outputs", 1)]


# --- quarantine -------------------------------------------------------------------------------------------------------

RESOURCE = resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: "p"}).SerializeToString()


def numbered(number: int, body: object = "no rows", **fields: Any) -> bytes:
    attributes = {semconv.AZUREML_PRODUCER_SEQUENCE: number}
    return record(body, attributes, event_id=f"event-{number}", time_ns=1, **fields).SerializeToString()


def test_a_record_in_quarantine_is_identified() -> None:
    expected = QuarantinedEvent(
        producer="p", collection="model_inputs", number=7, source=SOURCE, tenant=("credit", "blue")
    )
    assert identify(numbered(7), RESOURCE) == expected
    damaged = invalid_utf8(record("0000", {semconv.AZUREML_PRODUCER_SEQUENCE: 7}, time_ns=1), "0000")
    assert identify(damaged, RESOURCE) == expected


def test_a_collection_may_be_named_by_the_type_alone() -> None:
    for raw in (
        numbered(7, collection=None, event_name="azureml.inference.other"),
        record("x", {semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.other"}, collection=None).SerializeToString(),
    ):
        assert identify(raw, RESOURCE).collection == "other"


def test_a_resource_with_impossible_names_still_has_the_producer() -> None:
    bad = resource({semconv.SERVICE_INSTANCE_ID: "p", semconv.AZUREML_ENDPOINT_NAME: ".."}).SerializeToString()
    assert identify(numbered(7), bad) == QuarantinedEvent(producer="p", collection="model_inputs", number=7)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x08", field(6, b"\xff\xff"), field(6, field(1, b"\xff"))])
def test_a_record_that_cannot_be_read_has_no_producer(raw: bytes) -> None:
    assert identify(raw, raw).producer == ""
    ledger = Ledger({})
    ledger.add_quarantined("a", identify(raw, raw))
    assert (ledger.unattributed, ledger.reconcile({}, whole=True)) == (1, [])


def test_the_same_record_in_quarantine_again_counts_once() -> None:
    ledger = stored(0)
    for _ in range(3):
        ledger.add_quarantined("a", QuarantinedEvent(producer="p", collection="model_inputs", number=1))
    assert (only(ledger).quarantined, only(ledger).last, only(ledger).is_accounted_for) == (1, 1, True)


def test_a_record_that_is_in_quarantine_in_another_hour_is_not_missing() -> None:
    ledger = stored(3, 5)
    ledger.add_quarantined("a", QuarantinedEvent(producer="p", collection="model_inputs", number=4), other_hour=True)
    ledger.add_quarantined("b", QuarantinedEvent(producer="q", collection="model_inputs", number=4), other_hour=True)
    ledger.add_quarantined("c", QuarantinedEvent(), other_hour=True)
    assert (only(ledger, whole=False).gaps, only(ledger, whole=False).quarantined) == ([], 0)
    assert ledger.unattributed == 0


def test_text_that_is_not_base64_identifies_no_record() -> None:
    assert (decode_base64("!"), decode_base64("é"), decode_base64("cGF5")) == (b"", b"", b"pay")


# --- random stores ----------------------------------------------------------------------------------------------------

FATES = ["stored"] * 6 + ["twice", "missing", "lost", "quarantined", "torn", "hour", "tenant", "size", "doubtful"]
STORED = {"stored", "twice", "hour", "tenant", "size", "doubtful"}
Key = tuple[str, str]
"""Producer and collection."""
Event = tuple[str, int, int]
"""Fate, hour and blob."""
HISTORIES = st.dictionaries(
    st.tuples(st.sampled_from(["p", "q", "r"]), st.sampled_from(["model_inputs", "model_outputs"])),
    st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=30),
    max_size=4,
)


@dataclass(frozen=True)
class Planted:
    """A random store: blobs and quarantine lines, and the faults in it."""

    blobs: dict[str, list[bytes]]
    quarantine: list[bytes]
    faults: Counter[str]


def planted(history: dict[Key, list[Event]]) -> Planted:
    made = Planted({}, [], Counter())
    for key, events in history.items():
        for number, event in enumerate(events):
            plant(made, key, number, event)
    return made


def plant(made: Planted, key: Key, number: int, event: Event) -> None:
    (producer, collection), (fate, hour, blob) = key, event
    if fate in {"missing", "lost"}:
        return
    if fate == "quarantined":
        one = resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: producer}).SerializeToString()
        rejected = Rejected(reason="x: y", record=numbered(number, collection=collection), resource=one)
        made.quarantine.append(quarantine.encode(rejected, arrival_ns=1, urls={}))
        return
    keys = {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{producer}{collection}{number}")), "producer": producer}
    keys |= {"type": semconv.event_type(collection), "time": f"2026-11-22T{10 + hour}:00:00Z"}
    raw = line(number, **keys, **({"contentrange": "bytes 0-98/99"} if fate == "size" else {}))
    folder = f"credit/{'green' if fate == 'tenant' else 'blue'}/{collection}"
    folder += f"/2026/11/22/{10 + (hour + (fate == 'hour')) % 3}"
    lines = made.blobs.setdefault(f"{folder}/{'0' * 32}{blob:06d}.jsonl", [])
    lines.append(raw[: len(raw) // 2] if fate == "torn" else raw)
    if fate == "twice":
        lines.insert(len(lines) // 2, raw)
    kinds = {"torn": "unreadable", "hour": "misplaced", "tenant": "misplaced", "size": "content_range"}
    made.faults.update([kinds[fate]] if fate in kinds else ["duplicated"] if fate == "twice" else [])


def reported(history: dict[Key, list[Event]], producers: Iterable[str]) -> list[DeliveryReport]:
    reports = {}
    for (producer, collection), events in history.items():
        if producer in producers:
            fates = Counter(fate for fate, _, _ in events)
            lost = {"refused": fates["lost"], "shutdown": fates["doubtful"], "rejected": fates["quarantined"]}
            counts = CollectionReport(accepted=len(events), delivered=len(events) - sum(lost.values()), lost=lost)
            reports.setdefault(producer, {})[collection] = counts
    return [DeliveryReport(producer=producer, collections=collections) for producer, collections in reports.items()]


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def truth(fates: list[str], *, has_report: bool) -> dict[str, Any] | None:
    """The expected reconciliation, counted event by event; None when nothing names the producer."""
    seen = [number for number, fate in enumerate(fates) if fate in STORED or fate == "quarantined"]
    if not seen and not has_report:
        return None
    counts = Counter(fates)
    end = len(fates) if has_report else seen[-1]
    gone = [number for number in range(end) if number not in seen]
    losses = counts["lost"] + counts["doubtful"] if has_report else 0
    return {
        "stored": sum(counts[fate] for fate in STORED),
        "duplicates": counts["twice"],
        "reused": 0,
        "quarantined": counts["quarantined"],
        "first": seen[0] if seen else None,
        "last": seen[-1] if seen else None,
        "gaps": ranges(gone),
        "lost": min(len(gone), losses),
        "missing": max(0, len(gone) - losses),
        "beyond": 0,
        "doubtful": max(0, losses - len(gone)),
    }


@pytest.mark.slow
@settings(max_examples=300)
@given(HISTORIES, st.sets(st.sampled_from(["p", "q", "r"])), st.integers(1, 9))
def test_an_audit_finds_exactly_what_was_planted(
    history: dict[Key, list[Event]], reporting: set[str], piece: int
) -> None:
    made = planted(history)
    ledger = Ledger({})
    for blob, lines in sorted(made.blobs.items()):
        for start in range(0, len(lines), piece):
            ledger.add_lines(parse_blob_path(blob), start, lines[start : start + piece])
    for raw in made.quarantine:
        kept = quarantine_line.decode(raw)
        ledger.add_quarantined(kept.id, identify(decode_base64(kept.record), decode_base64(kept.resource)))
    found = {
        (one.producer, one.collection): {name: getattr(one, name) for name in COUNTS}
        for one in ledger.reconcile(combine(reported(history, reporting)), whole=True)
    }
    expected = {
        key: truth([fate for fate, _, _ in events], has_report=key[0] in reporting) for key, events in history.items()
    }
    assert found == {key: result for key, result in expected.items() if result is not None}
    assert faults(ledger) == made.faults
    for one in ledger.reconcile(combine(reported(history, reporting)), whole=True):
        assert one.accepted in {None, one.stored + one.quarantined + one.lost + one.missing}


COUNTS = (
    "stored",
    "duplicates",
    "reused",
    "quarantined",
    "first",
    "last",
    "gaps",
    "lost",
    "missing",
    "beyond",
    "doubtful",
)


def test_a_path_outside_of_the_layout_has_no_names() -> None:
    assert parse_blob_path("notes.jsonl") == BlobPath(name="notes.jsonl")
    assert parse_blob_path(BLOB) == BlobPath(
        name=BLOB, endpoint="credit", deployment="blue", collection="model_inputs", date="2026/11/22/12"
    )
    assert parse_blob_path("_quarantine/2026/11/22/12/x.jsonl").quarantine
