"""The hour of an event, whatever the clock of the receiver shows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from held_pipeline import FULL_SUCCESS, INPUTS, fixture
from otlp_requests import NOON, record, request

from otel_modeldata_receiver.config.limits import LimitsConfig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

HOUR = 3_600 * 1_000_000_000


async def test_an_event_is_stored_in_the_hour_of_its_own_time_whatever_the_receivers_clock_shows(
    tmp_path: Path,
) -> None:
    times = {
        "last of the hour": (NOON + HOUR - 1, "2026/11/22/12"),
        "first of the next": (NOON + HOUR, "2026/11/22/13"),
        "1970": (1, "1970/01/01/00"),
        "leap day": (1_709_251_199_999_999_999, "2024/02/29/23"),
        "the night clocks go back in Berlin": (1_792_891_800_000_000_000, "2026/10/25/01"),
        "2262": (2**63 - 1, "2262/04/11/23"),
        "the last time that fits": (2**64 - 1, "2554/07/21/23"),
        "late by a year": (NOON - 365 * 24 * HOUR, "2025/11/22/12"),
    }
    async with fixture(tmp_path, limits=LimitsConfig(backfill=("credit/*",))) as made:
        for made.now in (NOON, 0, 2**63 - 1):
            for event_id, (time_ns, _) in times.items():
                one = f"{event_id} {made.now}"
                assert await made.accept(request(record(event_id=one, time_ns=time_ns))) == FULL_SUCCESS
        for event_id, (_, folder) in times.items():
            ids = made.ids(f"credit/blue/model_inputs/{folder}")
            assert [one for one in ids if one.startswith(event_id)] == [
                f"{event_id} {now}" for now in (NOON, 0, 2**63 - 1)
            ]


async def test_an_event_without_a_time_is_stored_in_its_hour_of_arrival_even_if_the_clock_jumps_back(
    tmp_path: Path,
) -> None:
    async with fixture(tmp_path) as made:
        for number, made.now in enumerate([NOON, NOON + HOUR, NOON, NOON - HOUR]):
            assert await made.accept(request(record(event_id=str(number), time_ns=0))) == FULL_SUCCESS
            bad = await made.accept(request(record("no json", event_id=f"bad {number}", time_ns=0)))
            assert bad.partial_success.rejected_log_records == 1
        hours = ("11", "12", "13")
        ids = {hour: made.ids(f"credit/blue/model_inputs/2026/11/22/{hour}") for hour in hours}
        assert ids == {"11": ["3"], "12": ["0", "2"], "13": ["1"]}
        assert {hour: len(made.lines(f"_quarantine/2026/11/22/{hour}")) for hour in hours} == {
            "11": 1,
            "12": 2,
            "13": 1,
        }


async def test_a_bad_record_that_is_sent_again_in_another_hour_is_kept_once_in_its_own(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        for made.now in (NOON, NOON + HOUR, NOON + 2 * HOUR):
            bad = await made.accept(request(record("no json", event_id="bad", time_ns=NOON + 5)))
            assert bad.partial_success.rejected_log_records == 1
        assert [len(made.lines(f"_quarantine/2026/11/22/{hour}")) for hour in (12, 13, 14)] == [1, 0, 0]


async def test_the_time_zone_of_this_machine_does_not_change_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        async with fixture(tmp_path) as made:
            await made.accept(request(record(event_id="1", time_ns=NOON + 7)))
            assert made.ids(INPUTS) == ["1"]
    finally:
        monkeypatch.undo()
        time.tzset()
