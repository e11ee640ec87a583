"""Parts of a store: a folder, some hours, the reports of one deployment."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import pytest
from audited_store import (
    audited,
    blob,
    lines_of,
    statement,
    write_event,
    write_report,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.auditing import audit as audit_run
from otel_modeldata_reader.auditing.audit import Selection
from otel_modeldata_receiver.commands.audit.command import _hour
from otel_modeldata_receiver.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel_modeldata_reader.auditing.reconciliation import Reconciliation

pytestmark = pytest.mark.slow


def test_a_part_of_a_store_is_audited_alone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(store, "model_outputs").write_bytes(b"torn\n")
    assert audited(capsys, store, "--running", "--collection", "model_inputs")[0] == 0
    assert audited(capsys, store, "--collection", "model_outputs")[0] == 1
    for names in (("--endpoint", "credit", "--deployment", "green"), ("--endpoint", "debit"), ("--collection", "x")):
        assert audited(capsys, store, *names) == (3, {}), "the quarantine, which all parts share, is not this part"


def test_only_the_chosen_hours_are_audited_and_events_in_other_hours_are_not_missing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late, early = blob(store, hour=12), blob(store, hour=11)
    (swapped,) = (line for line in lines_of(early) if b'"producersequence":"10"' in line)
    early.write_bytes(early.read_bytes().replace(swapped, b""))
    late.write_bytes(late.read_bytes() + swapped.replace(b"22T11", b"22T12"))  # as an event of another hour
    code, facts = audited(capsys, store, "--from", "2026-11-22T11", "--to", "2026-11-22T11")
    assert (code, facts["findings"]) == (0, [])
    assert (statement(facts)["first"], statement(facts)["last"], statement(facts)["stored"]) == (8, 13, 5)
    assert facts["notes"][-1].startswith("not all hours were read")
    late.write_bytes(late.read_bytes().replace(b'"producersequence":"10"', b'"producersequence":"99"'))
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
            write_event(folder, number, hour, fate)
    selection = Selection(first=f"2026/11/22/{first}", last=f"2026/11/22/{last}")
    within = [number for number, (hour, _) in enumerate(events) if first <= hour <= last and number != gone]
    found = asyncio.run(_audited(folder, selection))
    assert [one.gaps for one in found] == ([] if not within else [[(gone, gone)] if _between(within, gone) else []])


def _between(numbers: list[int], number: int | None) -> bool:
    return number is not None and numbers[0] < number < numbers[-1]


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
