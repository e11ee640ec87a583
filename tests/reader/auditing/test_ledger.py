"""The ledger of an audit, tested with planted faults."""

from __future__ import annotations

import pytest
from audited_lines import BLOB, SOURCE, faults, line, only, stored, taken

from otel_modeldata_reader.auditing.fault import MAX_LOCATIONS
from otel_modeldata_receiver.layout.blob_path import BlobPath, parse_blob_path


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
    ledger.add_lines_of_other_hours(parse_blob_path(BLOB), [line(4), b"torn", line(5, producer="other"), line(None)])
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
    result = only(taken(line(0, producersequence=sequence)))
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


def test_a_path_outside_of_the_layout_has_no_names() -> None:
    assert parse_blob_path("notes.jsonl") == BlobPath(name="notes.jsonl")
    assert parse_blob_path(BLOB) == BlobPath(
        name=BLOB, endpoint="credit", deployment="blue", collection="model_inputs", date="2026/11/22/12"
    )
    assert parse_blob_path("_quarantine/2026/11/22/12/x.jsonl").quarantine
    for folder in ("_at/lake/in", "_at/lake/my/inputs"):
        assert parse_blob_path(f"{folder}/2026/11/22/12/x.jsonl") == BlobPath(name=f"{folder}/2026/11/22/12/x.jsonl")


def test_the_older_name_of_the_number_counts_in_lines_of_this_sdk_only() -> None:
    """In lines of others it is CloudEvents' extension `sequence`, which need not begin at 0."""
    older = {"producersequence": None, "sequence": "4"}
    assert only(taken(line(0, agent="otel-modeldata/0.1.0", **older))).gaps == [(0, 3)]
    for agent in ("opentelemetry", "shop/1.0", None):
        assert (only(taken(line(0, agent=agent, **older))).gaps, agent) == ([], agent)
