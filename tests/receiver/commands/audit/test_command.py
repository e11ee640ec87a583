"""The command `otel-modeldata audit` on stores that a real receiver wrote, in a folder and in Azure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from audited_store import (
    audited,
    blob,
    counts,
    lines_of,
    raw_event,
    run,
    send,
    statement,
    write_event,
    write_report,
)
from otlp_requests import NOON, invalid_utf8, record
from otlp_sender import LOGS

from otel_modeldata import semconv
from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver


pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[4] / "tests" / "data"


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
        write_event(tmp_path, 0, 12, "stored", producer=f"p{number:02d}")
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
    assert (statement(facts)["missing"], statement(facts)["duplicates"]) == (2, 1)
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
    assert facts["notes"][-1] == "1 record in quarantine without a deployment and collection"
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
    assert "events without producer and number" in facts["notes"][0]


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
