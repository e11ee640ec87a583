"""The command `otel-modeldata audit` on stores that a real receiver wrote."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import DEPLOYMENT, NOON, invalid_utf8, raw_request, record, resource
from otlp_sender import LOGS

from otel_modeldata import semconv
from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.audit import blob_lines, producer_report
from otel_modeldata_receiver.commands.audit import run as audit_run
from otel_modeldata_receiver.commands.audit.blob_lines import read_lines
from otel_modeldata_receiver.commands.audit.command import _hour
from otel_modeldata_receiver.commands.audit.run import Selection
from otel_modeldata_receiver.exceptions import ConfigError, StoreCheckError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import quarantine
from otel_modeldata_receiver.mapping.quarantine import Rejected
from otel_modeldata_receiver.mapping.request import decode, map_records
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.store import StoredObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver

    from otel_modeldata_receiver.commands.audit.reconciliation import Reconciliation

pytestmark = pytest.mark.slow

HOUR_NS = 3600 * 10**9
DATA = Path(__file__).parents[3] / "tests" / "data"


def raw_event(
    number: int, body: str = '[{"age":42}]', *, collection: str = "model_inputs", hour: int = 12, prefix: str = ""
) -> bytes:
    attributes = {semconv.AZUREML_PRODUCER_SEQUENCE: number}
    event_id, time_ns = f"{prefix}{collection}-{number}", NOON + (hour - 12) * HOUR_NS + number
    return record(body, attributes, collection=collection, event_id=event_id, time_ns=time_ns).SerializeToString()


def send(endpoint: str, *records: bytes, producer: str = "p") -> None:
    """Send one request; returning means that it was acknowledged."""
    request = raw_request(records, resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: producer}).SerializeToString())
    with grpc.insecure_channel(endpoint, options=[("grpc.max_send_message_length", -1)]) as channel:
        channel.unary_unary(LOGS)(request, timeout=60)


def audited(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    """The exit code of an audit, and its JSON."""
    code, out, _ = run(capsys, *arguments, "--json")
    return code, json.loads(out) if out else {}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main.main(["audit", *map(str, arguments)])
    except SystemExit as error:
        code, text = (error.code, "") if isinstance(error.code, int) else (1, f"{error.code}\n")
        captured = capsys.readouterr()
        return code, captured.out, captured.err + text
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write_report(folder: Path, producer: str, **collections: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{producer}.json"
    path.write_text(json.dumps({"producer": producer, "collections": collections, "schema": "of a later version"}))
    return path


def statement(facts: dict[str, Any], collection: str = "model_inputs") -> dict[str, Any]:
    (found,) = (one for one in facts["reconciliations"] if one["collection"] == collection)
    return found


def counts(facts: dict[str, Any]) -> dict[str, int]:
    return {name: fault["count"] for name, fault in facts["faults"].items() if fault["count"]}


@pytest.fixture
def store(tmp_path: Path, start_receiver: StartReceiver) -> Path:
    """20 inputs and 20 outputs of the hours 10, 11 and 12, with number 7 of the inputs in quarantine."""
    folder = tmp_path / "store"
    receiver = start_receiver(str(folder))
    for hour, numbers in ((10, range(8)), (11, range(8, 14)), (12, range(14, 20))):
        inputs = [raw_event(n, "no rows" if n == 7 else '[{"age":42}]', hour=hour) for n in numbers]
        send(receiver.endpoint, *inputs, *(raw_event(n, collection="model_outputs", hour=hour) for n in numbers))
    receiver.stop()
    return folder


def blob(store: Path, collection: str = "model_inputs", hour: int = 12) -> Path:
    (path,) = store.glob(f"credit/blue/{collection}/2026/11/22/{hour}/*.jsonl")
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


# --- what a receiver wrote --------------------------------------------------------------------------------------------


# S84
def test_everything_in_a_store_without_faults_is_accounted_for_and_nothing_changes(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    code, facts = audited(capsys, store, "--running")
    assert (code, facts["findings"], facts["everything_accounted_for"]) == (0, [], False)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    assert [
        (one["collection"], one["stored"], one["quarantined"], one["gaps"]) for one in facts["reconciliations"]
    ] == [
        ("model_inputs", 19, 1, []),
        ("model_outputs", 20, 0, []),
    ]
    assert (facts["lines"], facts["blobs"]) == (39, 7)
    assert facts["notes"] == [
        f"credit/blue {name}, producer p: events after 19 cannot be known: it still runs, or it ended without a final "
        "report"
        for name in ("model_inputs", "model_outputs")
    ]


def test_the_end_of_a_producer_without_a_final_report_is_a_finding(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, outputs = (
        f"credit/blue {name}, producer p: events after 19 cannot be known: it still runs, or it ended without a final "
        "report"
        for name in ("model_inputs", "model_outputs")
    )
    code, facts = audited(capsys, store)
    assert (code, facts["findings"], facts["notes"], facts["everything_accounted_for"]) == (
        1,
        [inputs, outputs],
        [],
        False,
    )
    code, out, err = run(capsys, store)
    assert (code, "accounted for" in out) == (1, False)
    assert f"finding: {inputs}\n" in out
    assert err == f"otel-modeldata: 2 findings: not everything in {store} is accounted for\n"
    report = write_report(tmp_path / "reports", "p", model_inputs={"accepted": 20, "lost": {}})
    code, facts = audited(capsys, store, "--report", report)
    assert (code, facts["findings"]) == (1, [outputs])
    assert audited(capsys, store, "--from", "2026-11-22T10", "--to", "2026-11-22T12")[0] == 0


def test_producers_that_still_run_are_noted_and_not_called_accounted_for(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, store, "--running")
    assert (code, err) == (0, "")
    assert out.endswith("\neverything up to the last stored event of each producer is accounted for\n")


def test_many_producers_without_a_final_report_are_a_few_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        _write(tmp_path, 0, 12, "stored", producer=f"p{number:02d}")
    code, facts = audited(capsys, tmp_path)
    assert (code, len(facts["findings"])) == (1, 11)
    assert facts["findings"][-1] == "20 more producers and collections without a final report"


def test_no_final_report_is_expected_of_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(tmp_path))
    assert main.main(["doctor"]) == 0
    capsys.readouterr()
    code, out, err = run(capsys, tmp_path)
    assert (code, out.splitlines()[-1], err) == (0, "everything is accounted for", "")


def test_with_final_reports_everything_accepted_is_accounted_for(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {"accepted": 22, "delivered": 19, "lost": {"rejected": 1, "refused": 2}}
    outputs = {"accepted": 20, "delivered": 20, "lost": {}}
    report = write_report(tmp_path / "reports", "p", model_inputs=inputs, model_outputs=outputs)
    code, facts = audited(capsys, store, "--report", report)
    assert (code, facts["findings"], facts["notes"]) == (0, [], [])
    found = statement(facts)
    assert found["report"]["lost"] == {"rejected": 1, "refused": 2}
    assert [found[name] for name in ("stored", "quarantined", "lost", "missing")] == [19, 1, 2, 0]
    _, out, _ = run(capsys, store, "--report", report)
    assert "accepted 22, stored 19, lost 2, quarantined 1, duplicates 0, missing 0, gaps 20-21\n" in out
    assert out.endswith("\neverything is accounted for\n")


def test_a_report_shows_what_is_missing_at_the_end(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {"accepted": 25, "delivered": 25, "lost": {}}
    write_report(tmp_path / "reports", "p", model_inputs=inputs)
    code, facts = audited(capsys, store, "--report", tmp_path / "reports", "--collection", "model_inputs")
    assert code == 1
    assert facts["findings"] == ["credit/blue model_inputs, producer p: 5 events missing, of the numbers 20-24"]


def test_every_fault_that_is_planted_is_found(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, last = blob(store, hour=10), blob(store, hour=12)
    ten, twelve = lines_of(first), lines_of(last)
    del ten[2:4]
    first.write_bytes(b"".join(ten))
    moved = twelve[1].replace(b'"time":"2026-11-22T12', b'"time":"2026-11-22T13')
    cut = twelve[2].replace(b"bytes 0-11/12", b"bytes 0-12/13")
    last.write_bytes(b"".join([twelve[0], moved, cut, *twelve[3:], twelve[3], b'{"torn":']))
    stray = store / "credit/green/model_inputs/2026/11/22/12" / last.name
    stray.parent.mkdir(parents=True)
    stray.write_bytes(ten[0])
    code, facts = audited(capsys, store, "--running")
    assert code == 1
    assert statement(facts)["gaps"] == [[2, 3]]
    assert (statement(facts)["missing"], statement(facts)["duplicates"]) == (2, 2)
    assert counts(facts) == {"unreadable": 1, "misplaced": 2, "content_range": 1, "duplicated": 2}
    assert statement(facts, "model_outputs")["accounted_for"]
    locations = {
        name: [(location["blob"], location["line"]) for location in fault["first"]]
        for name, fault in facts["faults"].items()
    }
    name = last.relative_to(store).as_posix()
    assert locations["unreadable"] == [(name, 8)]
    assert locations["misplaced"] == [(name, 2), (stray.relative_to(store).as_posix(), 1)]


def test_the_text_output_has_the_location_and_the_meaning_of_each_fault(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = blob(store)
    path.write_bytes(b"".join(lines_of(path)[1:]) + b"torn\n" * 12)
    code, out, err = run(capsys, store, "--running")
    assert code == 1
    assert err == f"otel-modeldata: 2 findings: not everything in {store} is accounted for\n"
    name = path.relative_to(store).as_posix()
    for text in (
        f"{store}: 7 blobs, 50 lines, ",
        f"  {name}, line 6: expected a CloudEvent in JSON, got 4 bytes: JSON is malformed",
        "  and 2 more torn, or not a CloudEvent in JSON\n",
        "credit/blue model_outputs, producer p\n    stored 20, quarantined 0, duplicates 0, missing 0\n",
        "    stored 18, quarantined 1, duplicates 0, missing 1, gaps 14\n",
        "finding: credit/blue model_inputs, producer p: 1 event missing, of the numbers 14\n",
        "finding: 12 lines torn, or not a CloudEvent in JSON\n",
        (
            "note: credit/blue model_outputs, producer p: events after 19 cannot be known: it still runs, or it ended "
            "without a final report\n"
        ),
    ):
        assert text in out, text


def test_an_audit_finds_nothing_after_a_receiver_was_killed_many_times(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Acknowledged records are stored once."""
    folder = tmp_path / "store"
    receiver = start_receiver(str(folder), "--instance-id", "f" * 32)
    for number in range(0, 60, 10):
        records = [raw_event(n) for n in range(number, number + 10)]
        send(receiver.endpoint, *records)
        receiver.kill()
        receiver.start()
        send(receiver.endpoint, *records)  # the sender did not get the answer
    report = write_report(tmp_path / "reports", "p", model_inputs={"accepted": 60, "delivered": 60, "lost": {}})
    code, facts = audited(capsys, folder, "--report", report)
    assert (code, facts["findings"], statement(facts)["stored"]) == (0, [], 60)


COLLECTING = """
import sys, pandas, otel_modeldata
inputs, outputs = (otel_modeldata.Collector(name=name) for name in ("model_inputs", "model_outputs"))
for number in range(50):
    context = inputs.collect(pandas.DataFrame({"number": [number]}))
    outputs.collect(pandas.DataFrame({"score": [number / 2]}), context)
sys.exit(otel_modeldata.flush(60).pending)
"""


def test_the_final_report_of_the_sdk_and_the_store_of_the_receiver_agree(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, reports = tmp_path / "store", tmp_path / "reports"
    receiver = start_receiver(str(folder))
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
        "OTEL_MODELDATA_REPORT": str(reports),
        "OTEL_SERVICE_NAME": "credit",
    }
    subprocess.run([sys.executable, "-c", COLLECTING], env=os.environ | variables, timeout=90, check=True)
    receiver.stop()
    code, facts = audited(capsys, folder, "--report", reports)
    assert (code, facts["findings"], facts["notes"]) == (0, [], [])
    assert [(one["collection"], one["stored"], one["report"]["accepted"]) for one in facts["reconciliations"]] == [
        ("model_inputs", 50, 50),
        ("model_outputs", 50, 50),
    ]
    (path,) = folder.glob("credit/default/model_outputs/**/*.jsonl")
    path.write_bytes(b"".join(lines_of(path)[:-3]))
    code, facts = audited(capsys, folder, "--report", reports)
    assert (code, statement(facts, "model_outputs")["gaps"]) == (1, [[47, 49]])


def test_damaged_records_in_quarantine_are_identified_by_producer_and_number(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "store"
    receiver = start_receiver(str(folder))
    damaged = invalid_utf8(record("0000", {semconv.AZUREML_PRODUCER_SEQUENCE: 1}, event_id="d", time_ns=NOON), "0000")
    large = raw_event(2, "x" * (1 << 21))
    send(receiver.endpoint, raw_event(0), damaged, large, raw_event(3))
    with grpc.insecure_channel(receiver.endpoint) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(LOGS)(b"\xff\xff", timeout=60)
    code, facts = audited(capsys, folder, "--running")
    assert (code, facts["findings"]) == (0, [])
    assert (statement(facts)["stored"], statement(facts)["quarantined"], statement(facts)["gaps"]) == (2, 2, [])
    assert facts["unattributed_quarantined"] == 1
    assert facts["notes"][-1] == "1 record in quarantine without a producer and collection"
    (kept,) = folder.glob("_quarantine/**/files/*.bin")
    kept.unlink()
    assert statement(audited(capsys, folder, "--running")[1])["gaps"] == [[2, 2]]


def test_rows_in_an_object_of_their_own_must_exist(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a store"
    receiver = start_receiver(str(folder))
    send(receiver.endpoint, raw_event(0), raw_event(1, json.dumps([{"x": "y" * 5_000_000}], separators=(",", ":"))))
    receiver.stop()
    moved = folder.rename(tmp_path / "moved elsewhere")
    assert audited(capsys, moved, "--running")[0] == 0
    (rows,) = moved.glob("credit/**/files/*.json")
    rows.write_bytes(rows.read_bytes()[:-9])
    assert counts(audited(capsys, moved, "--running")[1]) == {"content_range": 1}
    rows.unlink()
    assert counts(audited(capsys, moved, "--running")[1]) == {"dataref": 1}


def test_lines_of_azures_own_collector_are_not_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recorded,) = DATA.glob("azure-recorded/**/*.jsonl")
    source = json.loads(recorded.read_bytes().splitlines()[0])["source"]
    endpoint, deployment = source.split("/")[-3], source.split("/")[-1]
    place = tmp_path / endpoint / deployment / "model_inputs" / recorded.relative_to(DATA / "azure-recorded")
    place.parent.mkdir(parents=True)
    place.write_bytes(recorded.read_bytes())
    code, facts = audited(capsys, tmp_path)
    assert (code, facts["findings"]) == (0, [])
    assert "events without producer and sequence" in facts["notes"][0]


# --- parts of a store -------------------------------------------------------------------------------------------------


def test_a_part_of_a_store_is_audited_alone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(store, "model_outputs").write_bytes(b"torn\n")
    assert audited(capsys, store, "--running", "--collection", "model_inputs")[0] == 0
    assert audited(capsys, store, "--collection", "model_outputs")[0] == 1
    assert audited(capsys, store, "--endpoint", "credit", "--deployment", "green")[1]["reconciliations"] == []
    code, facts = audited(capsys, store, "--endpoint", "debit")
    assert (code, facts["blobs"], facts["lines"]) == (0, 1, 0)  # the quarantine is shared by all parts


def test_only_the_chosen_hours_are_audited_and_events_in_other_hours_are_not_missing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late, early = blob(store, hour=12), blob(store, hour=11)
    (swapped,) = (line for line in lines_of(early) if b'"sequence":"10"' in line)
    early.write_bytes(early.read_bytes().replace(swapped, b""))
    late.write_bytes(late.read_bytes() + swapped.replace(b"22T11", b"22T12"))  # as an event of another hour
    code, facts = audited(capsys, store, "--from", "2026-11-22T11", "--to", "2026-11-22T11")
    assert (code, facts["findings"]) == (0, [])
    assert (statement(facts)["first"], statement(facts)["last"], statement(facts)["stored"]) == (8, 13, 5)
    assert facts["notes"][-1].startswith("not all hours were read")
    late.write_bytes(late.read_bytes().replace(b'"sequence":"10"', b'"sequence":"99"'))
    code, facts = audited(capsys, store, "--from", "2026-11-22T11", "--to", "2026-11-22T11")
    assert (code, statement(facts)["gaps"]) == (1, [[10, 10]])


def test_a_report_of_another_deployment_is_ignored(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path / "reports", "other", model_inputs={"accepted": 5, "delivered": 5, "lost": {}})
    assert audited(capsys, store, "--running", "--report", report)[0] == 1
    assert audited(capsys, store, "--running", "--report", report, "--endpoint", "credit")[0] == 0
    assert audited(capsys, store, "--running", "--report", report, "--collection", "model_outputs")[0] == 0


@given(st.integers(0, 23), st.integers(0, 23), st.integers(0, 23))
def test_a_folder_is_read_when_it_overlaps_the_hours(first: int, last: int, hour: int) -> None:
    selection = Selection(first=f"2026/11/22/{first:02d}", last=f"2026/11/22/{last:02d}")
    assert selection.hours(f"2026/11/22/{hour:02d}") == (first <= hour <= last)
    assert selection.hours(f"2026/11/22/{hour:02d}/30") == (first <= hour <= last)
    for date, overlaps in (("2026/11/22", True), ("2026", True), ("2026/11/23", False), ("2025", False), ("", True)):
        assert selection.hours(date) == overlaps, date


EVENTS = st.lists(st.tuples(st.integers(10, 14), st.sampled_from(["stored", "stored", "quarantined"])), max_size=25)


@settings(max_examples=60)
@given(EVENTS, st.integers(10, 14), st.integers(10, 14), st.sampled_from([None, 0, 5, 11]))
def test_a_gap_is_reported_only_if_the_event_is_in_no_hour(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str]], first: int, last: int, gone: int | None
) -> None:
    """The hour of an event is random: callers set the times of events."""
    folder = tmp_path_factory.mktemp("store")
    for number, (hour, fate) in enumerate(events):
        if number != gone:
            _write(folder, number, hour, fate)
    selection = Selection(first=f"2026/11/22/{first}", last=f"2026/11/22/{last}")
    within = [number for number, (hour, _) in enumerate(events) if first <= hour <= last and number != gone]
    found = asyncio.run(_audited(folder, selection))
    assert [one.gaps for one in found] == ([] if not within else [[(gone, gone)] if _between(within, gone) else []])


def _between(numbers: list[int], number: int | None) -> bool:
    return number is not None and numbers[0] < number < numbers[-1]


def _write(folder: Path, number: int, hour: int, fate: str, *, producer: str = "p") -> None:
    name = "_quarantine" if fate == "quarantined" else "credit/blue/model_inputs"
    path = folder / f"{name}/2026/11/22/{hour}/{'0' * 32}000000.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: producer}).SerializeToString()
    time_ns = NOON + (hour - 12) * HOUR_NS
    if fate == "quarantined":
        rejected = Rejected(reason="x: y", record=raw_event(number, "no rows"), resource=origin)
        line = quarantine.encode(rejected, arrival_ns=time_ns, urls={})
    else:
        sent = raw_request([raw_event(number, hour=hour, prefix=f"{producer}-")], origin)
        taken = map_records(decode(sent), arrival_ns=time_ns, destinations=Destinations())
        ((_, (one,)),) = taken.lines.items()
        line = one.data
    with path.open("ab") as file:
        file.write(line)


async def _audited(folder: Path, selection: Selection) -> Sequence[Reconciliation]:
    store = LocalStore(folder)
    try:
        return (await audit_run.audit(store, selection, [], lambda *_: None)).reconciliations
    finally:
        await store.close()


@pytest.mark.parametrize("text", ["2026-11-22T10", "2026/11/22/10", "2026-11-22T10:00", "2026-11-22T10:00:00Z"])
def test_an_hour_may_be_written_in_several_ways(text: str) -> None:
    assert _hour(text) == "2026/11/22/10"


@pytest.mark.parametrize("text", ["2026-11-22", "10", "2026-11-22T10:30", "now", ""])
def test_a_malformed_hour_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected an hour"):
        _hour(text)


def test_copies_that_azures_reader_makes_are_left_out(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = blob(store)
    shadow = store / path.relative_to(store).as_posix().replace("model_inputs", "model_inputs_block_blob")
    shadow.parent.mkdir(parents=True)
    shadow.write_bytes(path.read_bytes())
    code, facts = audited(capsys, store, "--running")
    assert (code, facts["notes"][-1][:7]) == (0, "1 blob ")


# --- wrong usage ------------------------------------------------------------------------------------------------------


def test_an_empty_store_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = "no blobs found, so nothing was checked; correct the store or the names if there should be some"
    code, facts = audited(capsys, tmp_path)
    assert (code, facts["notes"]) == (0, [nothing])
    code, out, _ = run(capsys, tmp_path)
    assert (code, out.splitlines()[1:]) == (0, [f"note: {nothing}"])  # not "everything is accounted for"


def test_a_missing_store_has_code_3_and_is_not_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, tmp_path / "nowhere")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert str(tmp_path / "nowhere") in err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["s", "--from", "soon"],
        ["s", "--nonsense"],
        ["ftp://x"],
        ["s", "--report"],
        ["s", "--report", "absent.json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err


def test_a_report_and_hours_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = write_report(tmp_path / "reports", "p")
    code, _, err = run(capsys, tmp_path, "--report", report, "--from", "2026-11-22T10")
    assert (code, "a final report covers all hours" in err) == (2, True)
    assert run(capsys, tmp_path, "--from", "2026-11-22T10", "--to", "2026-11-22T09")[0] == 2


def test_all_wrong_reports_are_listed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = write_report(tmp_path / "a", "p", model_inputs={"accepted": 1, "delivered": 1, "lost": {}})
    other = write_report(tmp_path / "b", "p", model_inputs={"accepted": 2, "delivered": 2, "lost": {}})
    negative = write_report(tmp_path / "c", "q", model_inputs={"accepted": -1})
    with pytest.raises(ConfigError) as caught:
        producer_report.load([good, good, other, negative, tmp_path / "empty"])
    lines = str(caught.value).splitlines()
    assert [line.partition(": expected")[0] for line in lines] == [
        str(other),
        str(negative),
        str(tmp_path / "empty"),
    ]


def test_the_text_is_the_same_without_rich(tmp_path: Path) -> None:
    _write(tmp_path, 0, 12, "stored")
    texts = []
    for block in ("", "sys.modules['rich'] = None\n"):
        code = f"import sys\n{block}from otel_modeldata_receiver.commands.main import main\n"
        code += f"sys.exit(main(['audit', {str(tmp_path)!r}, '--running']))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        texts.append(done.stdout)
    assert texts[0] == texts[1]


def test_the_help_loads_no_large_library() -> None:
    code = (
        "import sys\nfrom otel_modeldata_receiver.commands.main import main\n"
        "try: main(['audit', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('grpc', 'azure', 'numpy', 'rich', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "exit codes:" in done.stdout


# --- reading ----------------------------------------------------------------------------------------------------------


async def _read(folder: Path, *blobs: StoredObject) -> list[tuple[str, int, list[bytes], int]]:
    store = LocalStore(folder)
    try:
        async with aclosing(read_lines(store, blobs)) as pieces:
            return [tuple(piece) async for piece in pieces]
    finally:
        await store.close()


@pytest.mark.parametrize("piece", [1, 3, 16, 1 << 20])
def test_lines_are_whole_at_every_size_of_reads(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_lines, "_READ_BYTES", piece)
    contents = {"a.jsonl": b"one\ntwo\n\nfour\n", "b.jsonl": b"", "c.jsonl": b"one\ntorn", "d.jsonl": b"\n"}
    blobs = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        blobs.append(StoredObject(name=name, size=len(content)))
    found: dict[str, list[bytes]] = {name: [] for name in contents}
    read = 0
    for name, before, lines, size in asyncio.run(_read(tmp_path, *blobs)):
        assert before == len(found[name])
        found[name] += lines
        read += size
    assert found == {
        "a.jsonl": [b"one", b"two", b"", b"four"],
        "b.jsonl": [],
        "c.jsonl": [b"one", b"torn"],
        "d.jsonl": [b""],
    }
    assert read == sum(map(len, contents.values()))


def test_a_last_line_that_was_half_written_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo\nthree\n")
    ((_, _, lines, _),) = asyncio.run(_read(tmp_path, StoredObject(name="a.jsonl", size=6)))
    assert lines == [b"one", b"two"]


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_lines, "_READ_BYTES", 8)
    monkeypatch.setattr(blob_lines, "_MAX_LINE_BYTES", 16)
    (tmp_path / "a.jsonl").write_bytes(b"x" * 1000 + b"\nnext\n")
    pieces = asyncio.run(_read(tmp_path, StoredObject(name="a.jsonl", size=1006)))
    assert [len(line) for _, _, lines, _ in pieces for line in lines] == [16, 4]


def test_a_walk_lists_everything_and_repairs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a/files").mkdir(parents=True)
    (tmp_path / "a/files/rows.json").write_bytes(b"[]")
    (tmp_path / "a/x.jsonl").write_bytes(b"torn")
    (tmp_path / "b.jsonl").write_bytes(b"")

    async def walk(folder: str) -> list[tuple[str, int]]:
        store = LocalStore(tmp_path)
        try:
            return [(one.name, one.size) for one in await store.walk(folder)]
        finally:
            await store.close()

    assert asyncio.run(walk("")) == [("a/files/rows.json", 2), ("a/x.jsonl", 4), ("b.jsonl", 0)]
    assert asyncio.run(walk("a")) == [("a/files/rows.json", 2), ("a/x.jsonl", 4)]
    assert asyncio.run(walk("absent")) == []
    assert (tmp_path / "a/x.jsonl").read_bytes() == b"torn"
    with pytest.raises(ValueError, match="relative name"):
        asyncio.run(walk("../.."))


def test_a_walk_of_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreCheckError, match="got none at"):
        asyncio.run(LocalStore(tmp_path / "file").walk(""))


# --- Azure ------------------------------------------------------------------------------------------------------------


def test_a_store_in_azure_is_audited_below_its_prefix_alone(
    azurite: Azurite,
    start_receiver: StartReceiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    container = azurite.new_container()
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    receiver: ReceiverProcess = start_receiver(f"az://{container}/prod", "--linger-ms", "0", **variables)
    rows = json.dumps([{"x": "y" * 4_200_000}], separators=(",", ":"))
    send(receiver.endpoint, raw_event(0), raw_event(1, "no rows"), raw_event(2, rows), raw_event(3))
    receiver.stop()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    code, facts = audited(capsys, f"az://{container}/prod", "--running")
    assert (code, facts["findings"]) == (0, [])
    assert (statement(facts)["stored"], statement(facts)["quarantined"], facts["blobs"]) == (3, 1, 2)
    with azurite.open(container) as client:
        (name,) = azurite.blobs(container, "prod/credit")
        line = client.download_blob(name).readall().splitlines(keepends=True)[0]
        client.get_blob_client(name).append_block(line + line.replace(b'"0"', b'"7"').replace(b"inputs-0", b"inputs-7"))
        client.upload_blob(name.replace("prod/", "prod-2/"), line * 2)
        (payload,) = (one for one in client.list_blob_names(name_starts_with="prod/credit") if "/files/" in one)
        client.delete_blob(payload)
    code, facts = audited(capsys, f"az://{container}/prod", "--running")
    assert (code, counts(facts), statement(facts)["gaps"]) == (1, {"duplicated": 1, "dataref": 1}, [[4, 6]])
    assert azurite.key not in json.dumps(facts)


def test_a_missing_container_has_code_3(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    code, out, err = run(capsys, "az://absent")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "'absent'" in err
