"""The path of a request: acknowledged means durable, refused means retry, and bad records are quarantined."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from held_pipeline import FULL_SUCCESS, INPUTS, OUTPUTS, RECEIVER, fixture, inputs
from otlp_requests import NOON, record, request

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import (
    OverloadedError,
    ShuttingDownError,
    StoreError,
    UndecodableError,
)

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio


async def test_an_acknowledged_request_is_in_the_store(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        outputs = record(event_id="3", time_ns=NOON, collection="model_outputs")
        assert await made.accept(request(*inputs("1", "2"), outputs)) == FULL_SUCCESS
        assert (made.ids(INPUTS), made.ids(OUTPUTS)) == (["1", "2"], ["3"])
        metrics = made.recorded.values()
        assert metrics["otelcol_receiver_accepted_log_records"] == {RECEIVER: 3}
        assert metrics["otel_modeldata.appends"] == {(): 2}
        assert metrics["otel_modeldata.append.duration"] == {(): 2}
        assert metrics["otel_modeldata.in_flight"] == {(): 0}


async def test_an_empty_request_is_acknowledged_and_stores_nothing(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        assert await made.accept(b"") == FULL_SUCCESS
        assert made.blobs() == []


async def test_nothing_is_acknowledged_before_it_is_durable(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        made.store.open.clear()
        call = asyncio.create_task(made.accept(request(*inputs("1"))))
        await made.store.reached.wait()
        assert (call.done(), made.pipeline.in_flight_bytes > 0) == (False, True)
        made.store.open.set()
        assert await call == FULL_SUCCESS
        assert made.ids(INPUTS) == ["1"]


async def test_a_request_that_is_sent_twice_is_acknowledged_twice_and_stored_once(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        raw = request(*inputs("1", "2", "2"))
        assert await made.accept(raw) == FULL_SUCCESS
        assert await made.accept(raw) == FULL_SUCCESS
        assert made.ids(INPUTS) == ["1", "2"]
        assert made.recorded.values()["otel_modeldata.duplicates"] == {(): 4}
        assert made.recorded.values()["otelcol_receiver_accepted_log_records"] == {RECEIVER: 6}


async def test_one_folder_that_fails_refuses_the_request_and_the_retry_stores_the_rest_once(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        raw = request(*inputs("1"), record(event_id="2", time_ns=NOON, collection="model_outputs"))
        made.store.failing.add(OUTPUTS)
        with pytest.raises(StoreError, match=r"^disk full$"):
            await made.accept(raw)
        assert [str(error) for error in made.store_errors] == ["disk full"]
        assert made.recorded.values()["otelcol_receiver_refused_log_records"] == {RECEIVER: 2}
        made.store.failing.clear()
        assert await made.accept(raw) == FULL_SUCCESS
        assert (made.ids(INPUTS), made.ids(OUTPUTS)) == (["1"], ["2"])


async def test_bad_records_are_quarantined_counted_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fixture(tmp_path) as made:
        bad = [record("SECRET no json", event_id=one, time_ns=NOON) for one in ("2", "3")]
        answer = await made.accept(request(*inputs("1"), *bad, record(collection="..", event_id="4", time_ns=NOON)))
        assert answer.partial_success.rejected_log_records == 3
        assert answer.partial_success.error_message.startswith("body not JSON: expected valid JSON")
        assert answer.partial_success.error_message.count("body not JSON") == 1
        assert made.ids(INPUTS) == ["1"]
        kept = made.lines("_quarantine/2026/11/22/12")
        assert [line["reason"].partition(":")[0] for line in kept] == ["body not JSON", "body not JSON", "name"]
        assert made.recorded.values()["otel_modeldata.quarantined"] == {
            (("reason", "body not JSON"),): 2,
            (("reason", "name"),): 1,
        }
        assert made.recorded.values()["otelcol_receiver_accepted_log_records"] == {RECEIVER: 1}
    assert caplog.messages == [
        "2 records went to _quarantine: body not JSON",
        "1 records went to _quarantine: name",
    ]


async def test_a_bad_record_that_is_sent_again_is_kept_once(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        raw = request(record("no json", event_id="1", time_ns=NOON))
        for _ in range(2):
            assert (await made.accept(raw)).partial_success.rejected_log_records == 1
        assert len(made.lines("_quarantine/2026/11/22/12")) == 1


async def test_a_bad_record_that_cannot_be_kept_refuses_the_request(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        made.store.failing.add("_quarantine/2026/11/22/12")
        with pytest.raises(StoreError):
            await made.accept(request(record("no json", time_ns=NOON)))


async def test_a_request_that_cannot_be_read_is_kept_before_it_is_refused(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        with pytest.raises(UndecodableError):
            await made.accept(b"\xff noise")
        (line,) = made.lines("_quarantine/2026/11/22/12")
        assert (line["request"], line["size"]) == ("/yBub2lzZQ==", 7)


async def test_a_request_that_can_neither_be_read_nor_kept_is_retried(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        made.store.failing.add("_quarantine/2026/11/22/12")
        with pytest.raises(StoreError, match=r"^disk full$"):
            await made.accept(b"\xff noise")
        assert [str(error) for error in made.store_errors] == ["disk full"]


async def test_rows_too_large_for_a_line_are_stored_before_the_line_that_points_to_them(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        rows = json.dumps([{"x": "a" * 5_000_000}])
        raw = request(record(rows, event_id="big/1", time_ns=NOON))
        for _ in range(2):
            assert await made.accept(raw) == FULL_SUCCESS
        (line,) = made.lines(INPUTS)
        (kept,) = (tmp_path / INPUTS / "files").iterdir()
        assert ("data" in line, line["dataref"], line["id"]) == (False, str(kept), "big/1")
        assert kept.read_text() == rows
        assert line["contentrange"] == f"bytes 0-{len(rows) - 1}/{len(rows)}"


async def test_a_bad_record_too_large_for_a_line_is_kept_beside_it(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        bad = record("x" * 5_000_000, event_id="1", time_ns=NOON)
        assert (await made.accept(request(bad))).partial_success.rejected_log_records == 1
        (line,) = made.lines("_quarantine/2026/11/22/12")
        (kept,) = (tmp_path / "_quarantine/2026/11/22/12/files").iterdir()
        assert (line["recordref"], kept.read_bytes()) == (str(kept), bad.SerializeToString())


async def test_records_under_one_large_bad_resource_are_kept_with_one_copy_of_it(tmp_path: Path) -> None:
    bad_resource = {"azureml.endpoint.name": "..", "ballast": "x" * 100_000}
    async with fixture(tmp_path) as made:
        answer = await made.accept(request(*inputs("1", "2", "3"), resource_values=bad_resource))
        assert answer.partial_success.rejected_log_records == 3
        lines = made.lines("_quarantine/2026/11/22/12")
        (kept,) = (tmp_path / "_quarantine/2026/11/22/12/files").iterdir()
        assert [line["resourceref"] for line in lines] == [str(kept)] * 3
        assert sum(len(json.dumps(line)) for line in lines) < 10_000


async def test_more_bytes_than_allowed_are_refused_and_admitted_again_later(tmp_path: Path) -> None:
    raw = request(*inputs("1"))
    async with fixture(tmp_path, max_in_flight_bytes=2 * len(raw) - 1) as made:
        made.store.open.clear()
        first = asyncio.create_task(made.accept(raw))
        await made.store.reached.wait()
        with pytest.raises(OverloadedError, match=r"^expected at most"):
            await made.accept(raw)
        made.store.open.set()
        await first
        assert await made.accept(raw) == FULL_SUCCESS


async def test_a_call_past_its_deadline_is_refused_but_its_lines_are_stored_and_its_ids_remembered(
    tmp_path: Path,
) -> None:
    raw = request(*inputs("1"))
    async with fixture(tmp_path, deadline_seconds=0.01) as made:
        made.store.open.clear()
        with pytest.raises(TimeoutError):
            await made.accept(raw)
        assert made.pipeline.in_flight_bytes == len(raw)
        made.store.open.set()
        await made.pipeline.drain()
        assert made.pipeline.in_flight_bytes == 0
        assert made.ids(INPUTS) == ["1"]
    async with fixture(tmp_path) as made:
        assert await made.accept(raw) == FULL_SUCCESS
        assert made.ids(INPUTS) == ["1"]


@pytest.mark.parametrize("waits", [True, False], ids=["while it is under way", "after it"])
async def test_a_request_past_its_deadline_that_is_sent_again_gets_the_answer_of_the_first_try(
    tmp_path: Path, waits: bool
) -> None:
    """Mapping it again could take as long as before, and its sender would never get an answer."""
    raw = request(*inputs("1"), record("no json", event_id="2", time_ns=NOON))
    async with fixture(tmp_path, deadline_seconds=0.5) as made:
        made.store.open.clear()
        with pytest.raises(TimeoutError):
            await made.accept(raw)
        other = asyncio.create_task(made.accept(request(*inputs("3"), record("no JSON", event_id="4", time_ns=NOON))))
        assert made.pipeline.in_flight_bytes == len(raw)
        if waits:
            again = asyncio.create_task(made.accept(raw))
            await asyncio.sleep(0)
            made.store.open.set()
        else:
            made.store.open.set()
            await made.pipeline.drain()
            again = asyncio.create_task(made.accept(raw))
        assert [(await one).partial_success.rejected_log_records for one in (again, other)] == [1, 1]
        assert made.ids(INPUTS) == ["1", "3"]
        assert made.pipeline.totals.duplicates == 0
        for _ in range(2):  # the answer is given once: a store may have been restored meanwhile
            assert (await made.accept(raw)).partial_success.rejected_log_records == 1
        assert made.pipeline.totals.duplicates > 0


async def test_a_request_past_its_deadline_that_failed_is_stored_when_it_is_sent_again(tmp_path: Path) -> None:
    raw = request(*inputs("1"))
    async with fixture(tmp_path, deadline_seconds=0.05) as made:
        made.store.open.clear()
        with pytest.raises(TimeoutError):
            await made.accept(raw)
        made.store.failing.add(INPUTS)
        made.store.open.set()
        await made.pipeline.drain()
        made.store.failing.clear()
        assert await made.accept(raw) == FULL_SUCCESS
        assert made.ids(INPUTS) == ["1"]


async def test_lines_of_a_sender_that_disconnects_are_stored(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        made.store.open.clear()
        call = asyncio.create_task(made.accept(request(*inputs("1"))))
        await made.store.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        made.store.open.set()
        await made.pipeline.drain()
        assert made.ids(INPUTS) == ["1"]


async def test_a_stopping_pipeline_accepts_nothing_new_and_finishes_the_rest(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        made.store.open.clear()
        call = asyncio.create_task(made.accept(request(*inputs("1"))))
        await made.store.reached.wait()
        made.pipeline.stop()
        with pytest.raises(ShuttingDownError):
            await made.accept(request(*inputs("2")))
        made.store.open.set()
        await made.pipeline.drain()
        assert (await call, made.ids(INPUTS)) == (FULL_SUCCESS, ["1"])


# --- Tenants ---


async def test_a_tenant_that_fills_its_share_does_not_exclude_another_one(tmp_path: Path) -> None:
    noisy, quiet = ({semconv.AZUREML_ENDPOINT_NAME: name} for name in ("noisy", "quiet"))
    size = len(request(*inputs("00"), resource_values=noisy))
    async with fixture(tmp_path, max_in_flight_bytes=10 * size) as made:
        made.store.open.clear()
        requests = [request(*inputs(str(number)), resource_values=noisy) for number in range(10, 30)]
        calls = [asyncio.create_task(made.accept(raw)) for raw in requests]
        await made.store.reached.wait()
        late = asyncio.create_task(made.accept(request(*inputs("99"), resource_values=quiet)))
        refused = await asyncio.gather(*calls[8:], return_exceptions=True)
        assert [type(error) for error in refused] == [OverloadedError] * 12
        made.store.open.set()
        assert await asyncio.gather(*calls[:8], late) == [FULL_SUCCESS] * 9
        assert made.ids("quiet/default/model_inputs/2026/11/22/12") == ["99"]
