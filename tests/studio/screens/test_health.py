"""What the screen health says of a store."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from looked_store import INPUTS, NOW, hour, numbered, studio_of, write_hours, written_at
from read_lines import line, write
from shop_store import quarantine

import otel_modeldata_reader as reader
from otel_modeldata_reader import UnknownNameError
from otel_modeldata_studio.catalog import ledgers
from otel_modeldata_studio.screens.health import LateHour, LedgerRow, ReceiverRow, SealCounts, health
from otel_modeldata_studio.screens.home import home
from otel_modeldata_studio.screens.set_aside import ParkedRow

if TYPE_CHECKING:
    from pathlib import Path

PRODUCER = "p" * 32


def with_gaps(store: Path) -> None:
    write(store, [*numbered(0, 4, 3), *numbered(6, 2, 3), *numbered(6, 1, 3)], hour=hour(3))
    write(store, numbered(9, 3, 2), hour=hour(2))
    write(store, numbered(0, 2, 2), collection="shop/green/model_inputs", hour=hour(2))


GAPS = LedgerRow(
    collection=INPUTS,
    producer=PRODUCER,
    stored=9,
    quarantined=0,
    duplicates=1,
    missing=3,
    gaps=((4, 5), (8, 8)),
)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_the_ledger_has_gaps_with_their_ranges(tmp_path: Path, is_sealed: bool) -> None:
    with_gaps(tmp_path)
    times: dict[str, str] = {}
    if is_sealed:
        with reader.open(tmp_path) as store:
            store.seal(lateness=0)
        times = {"first": "2026-11-22T09:00:00Z", "last": "2026-11-22T10:00:00Z"}
    with studio_of(tmp_path) as studio:
        found = health(studio, deployment="shop/blue")
        everything = health(studio)
    expected = LedgerRow(**{name: getattr(GAPS, name) for name in GAPS.__struct_fields__} | times)
    assert found.ledger == (expected,)
    assert everything.ledger[0] == expected
    assert [row.collection for row in everything.ledger] == [INPUTS, "shop/green/model_inputs"]
    assert (found.bounded, found.seals) == ("", SealCounts(sealed=2, unsealed=0) if is_sealed else None)
    repeated = f"{INPUTS}/{hour(3)}/{0:038}.jsonl: expected a new id, got 'event-6' again"
    assert [one.text for one in found.findings] == [
        f"shop/blue model_inputs, producer {PRODUCER}: 3 events missing, of the numbers 4-5, 8",
        f"1 line with the id of another line; the first one is line 7 of {repeated}",
    ]


def test_of_a_large_store_the_ledger_is_that_of_its_seals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gaps(tmp_path)
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
    with studio_of(tmp_path) as studio:
        monkeypatch.setattr(ledgers, "_MOST_BYTES", 0)
        found = health(studio, deployment="shop/blue")
    (row,) = found.ledger
    assert (row.stored, row.missing, row.gaps) == (9, 3, ((4, 5), (8, 8)))
    assert "audit --running --endpoint shop --deployment blue" in found.bounded


def test_lines_after_a_seal_are_late(tmp_path: Path) -> None:
    write_hours(tmp_path, {4: 2, 3: 2})
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
        late = write(tmp_path, numbered(100, 3, 4), hour=hour(4), replica=1)
        written_at(late, 2)
        store.seal(lateness=0)
        later = write(tmp_path, numbered(110, 2, 3), hour=hour(3), replica=1)
        written_at(later, 1)
    with studio_of(tmp_path) as studio:
        found = health(studio)
    assert found.late == (
        LateHour(collection=INPUTS, hour="2026-11-22T09:00:00Z", lines=2, latest="2026-11-22T11:30:00Z"),
        LateHour(collection=INPUTS, hour="2026-11-22T08:00:00Z", lines=3, latest="2026-11-22T10:30:00Z"),
    )


def test_quarantine_has_reasons_and_records_as_text(tmp_path: Path) -> None:
    write_hours(tmp_path, {1: 1})
    moment = dt.datetime(2026, 11, 22, 11, tzinfo=dt.UTC)
    quarantine(tmp_path, moment, collection="model_inputs", body='[1, "\\u001b[31m\u202e"]')
    quarantine(tmp_path, moment, collection="model_inputs", body="[2]")
    quarantine(tmp_path, moment, collection="<script>", body='[{"a": 1}]')
    with studio_of(tmp_path) as studio:
        found = health(studio, deployment="shop/blue").quarantine
        others = health(studio).quarantine
    assert found == others
    assert {group.reason.partition(":")[0]: group.count for group in found} == {
        "body not rows": 2,
        "name": 1,
    }
    texts = [record.text for group in found for record in group.records]
    assert all(text.isascii() and "\x1b" not in text for text in texts)
    assert sum("<script>" in text for text in texts) == 1
    with studio_of(tmp_path) as studio:
        write_hours(tmp_path, {1: 1}, "shop/green/model_inputs")
    with studio_of(tmp_path) as studio:
        assert health(studio, deployment="shop/green").quarantine == ()


def test_parked_lines_and_receivers_are_listed(tmp_path: Path) -> None:
    write_hours(tmp_path, {2: 1, 1: 1})
    write_hours(tmp_path, {3: 1}, "shop/blue/model_outputs")
    other = write(tmp_path, [line()], hour=hour(5), replica=7)
    written_at(other, 5)
    parked = write(tmp_path, [line()], collection=f"_parked/{INPUTS}", hour=hour(4))
    with studio_of(tmp_path) as studio:
        found = health(studio)
    assert found.parked == (
        ParkedRow(
            collection=INPUTS,
            place="shop/blue",
            lines=1,
            bytes=parked.stat().st_size,
            blobs=1,
            oldest="2026-11-22T08:00:00Z",
        ),
    )
    assert found.receivers == (
        ReceiverRow(instance="0" * 32, last_write="2026-11-22T11:30:00Z", age_seconds=3600, collections=2),
        ReceiverRow(instance=f"{7:032x}", last_write="2026-11-22T07:30:00Z", age_seconds=18_000, collections=1),
    )


def test_lines_that_cannot_be_read_and_seals_that_do_not_hold_are_said(tmp_path: Path) -> None:
    write_hours(tmp_path, {3: 2, 2: 2})
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
    blob = next((tmp_path / INPUTS / hour(3)).iterdir())
    blob.write_bytes(b"torn")
    write(tmp_path, [b"no JSON\n"], hour=hour(1))
    with studio_of(tmp_path) as studio:
        texts = [one.text for one in health(studio, deployment="shop/blue").findings]
    assert any(
        text.startswith("2 lines torn, or not a CloudEvent in JSON; the first one is line 1 of ") for text in texts
    )
    assert any(text.startswith("lines vanished from ") for text in texts)


def test_a_deployment_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    write_hours(tmp_path, {1: 1})
    with (
        studio_of(tmp_path) as studio,
        pytest.raises(UnknownNameError, match=r"expected a deployment of .*, got 'shop/blu': did you mean 'shop/blue'"),
    ):
        health(studio, deployment="shop/blu")


def test_the_time_is_that_of_the_listing(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        assert health(studio).updated == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


def audited(store: Path, *names: str) -> list[str]:
    """What `otel-modeldata audit --running` finds, in its words."""
    command = [sys.executable, "-m", "otel_modeldata_receiver", "audit", "--running", "--json", "--store", str(store)]
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    found: list[str] = json.loads(done.stdout)["findings"]
    assert done.returncode == bool(found)
    return found


def with_many_faults(store: Path) -> None:
    """Missing events, duplicates, torn and foreign lines, missing payloads, parked lines, wrong folders."""
    with_gaps(store)
    torn = line(number=50, producer=PRODUCER, producersequence="20")[:40] + b"\n"
    missing = line(None, number=51, dataref=f"{INPUTS}/none.bin")
    misplaced = line(number=52, source="/endpoints/shop/deployments/green")
    rows = line(number=53, contentrange="bytes 0-6/7")
    write(
        store, [torn, missing, misplaced, rows, line(number=54, producer="q" * 32, producersequence="3")], hour=hour(1)
    )
    write(store, [line(number=60)], collection=f"_parked/{INPUTS}", hour=hour(4))


@pytest.mark.parametrize("deployment", ["", "shop/blue", "shop/green"])
def test_the_findings_are_those_of_an_audit(tmp_path: Path, deployment: str) -> None:
    with_many_faults(tmp_path)
    endpoint, _, name = deployment.partition("/")
    expected = audited(tmp_path, *(["--endpoint", endpoint, "--deployment", name] if name else []))
    assert len(expected) >= (6 if deployment != "shop/green" else 1)
    with studio_of(tmp_path) as studio:
        found = health(studio, deployment=deployment or None)
    assert [one.text.partition("; the first one is line ")[0] for one in found.findings] == expected
    assert all("audit --running" in one.command for one in found.findings)


def test_the_findings_of_seals_are_in_the_words_of_an_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gaps(tmp_path)
    with reader.open(tmp_path) as store:
        store.seal(lateness=0)
    expected = [one for one in audited(tmp_path) if "missing" in one]
    with studio_of(tmp_path) as studio:
        monkeypatch.setattr(ledgers, "_MOST_BYTES", 0)
        found = health(studio)
    assert [one.text for one in found.findings] == expected
    assert len(expected) == 1


def test_findings_without_an_end_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_MOST_FINDINGS", 2)
    lines = [
        line(number=number, producer=f"{number % 5:032d}", producersequence=str(number // 5 * 2))
        for number in range(10)
    ]
    write(tmp_path, lines)
    with studio_of(tmp_path) as studio:
        found = [one.text for one in health(studio).findings]
    assert len(found) == 3
    assert found[-1] == "3 further findings"


def test_producers_that_run_are_no_finding(tmp_path: Path) -> None:
    write(tmp_path, numbered(0, 3, 1), hour=hour(1))
    assert audited(tmp_path) == []
    with studio_of(tmp_path) as studio:
        assert health(studio).findings == ()


def test_of_events_without_numbers_it_is_not_known_what_is_missing(tmp_path: Path) -> None:
    lines = [line(producer=PRODUCER, id=f"event-{number}") for number in range(3)]
    write(tmp_path, [*lines, lines[0]], hour=hour(1))
    with studio_of(tmp_path) as studio:
        (row,) = health(studio).ledger
        (shown,) = home(studio).collections
    assert row == LedgerRow(
        collection=INPUTS,
        producer=PRODUCER,
        stored=3,
        quarantined=0,
        duplicates=1,
        missing=None,
        gaps=(),
        note="not known: events without numbers",
    )
    assert (shown.gaps, shown.duplicates) == (None, 1)
