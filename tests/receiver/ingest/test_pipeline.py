"""The path of a request: acknowledged means durable, refused means retry, and bad records are quarantined."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from memory_store import MemoryStore
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request
from recorded_metrics import RecordedMetrics

from otel_modeldata import semconv
from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.exceptions import (
    InternalError,
    OverloadedError,
    ShuttingDownError,
    StoreError,
    UndecodableError,
)
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.mapping import body
from otel_modeldata_receiver.mapping import resource as origin
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.storage.store import BlobState

pytestmark = pytest.mark.anyio

INPUTS = "credit/blue/model_inputs/2026/11/22/12"
OUTPUTS = "credit/blue/model_outputs/2026/11/22/12"
LOGS_BY_GRPC = RequestInfo(signal=LOGS, transport="grpc")


class HeldStore(LocalStore):
    """A local store whose appends can be held, and fail in the folders of `failing`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.open = asyncio.Event()
        self.open.set()
        self.reached = asyncio.Event()
        self.failing: set[str] = set()
        self.surprise: Exception | None = None

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        self.reached.set()
        await self.open.wait()
        if self.surprise is not None:
            raise self.surprise
        if name.rpartition("/")[0] in self.failing:
            raise StoreError("disk full")
        return await super().append(name, state, block)


class Fixture:
    """A pipeline on a store of its own, with its metrics."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.store = HeldStore(folder)
        self.recorded = RecordedMetrics()
        instruments = self.recorded.instruments
        limits = SinkLimits(retry_seconds=0.0)
        self.sink = Sink(self.store, instance="0" * 32, limits=limits, instruments=instruments)
        self.store_errors: list[StoreError] = []
        self.now = NOON
        self.pipeline = Pipeline(
            self.sink,
            ReceiverConfig(**settings),
            instruments,
            on_store_error=self.store_errors.append,
            clock_ns=lambda: self.now,
        )

    async def accept(self, raw: bytes) -> ExportLogsServiceResponse:
        return ExportLogsServiceResponse.FromString(await self.pipeline.accept(raw, LOGS_BY_GRPC))

    def lines(self, folder: str) -> list[dict[str, Any]]:
        blobs = sorted((self.folder / folder).glob("*.jsonl"))
        return [json.loads(line) for blob in blobs for line in blob.read_bytes().splitlines()]

    def blobs(self) -> list[str]:
        return [path.name for path in self.folder.rglob("*") if path.is_file()]

    def ids(self, folder: str) -> list[str]:
        return [line["id"] for line in self.lines(folder)]


@asynccontextmanager
async def fixture(folder: Path, **settings: Any) -> AsyncIterator[Fixture]:
    made = Fixture(folder, **settings)
    yield made
    made.store.open.set()
    await made.pipeline.drain()
    await made.sink.close()
    made.recorded.close()


def bytes_at(path: str) -> bytes:
    return Path(path).read_bytes()


def inputs(*ids: str) -> Iterable[Any]:
    return [record(event_id=one, time_ns=NOON) for one in ids]


FULL_SUCCESS = ExportLogsServiceResponse()
RECEIVER = (("receiver", "otel-modeldata"), ("transport", "grpc"))


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


# --- Internal errors ---


async def test_an_internal_error_affects_only_the_record_that_causes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = body.rows_of

    def defective(text: bytes, **options: bool) -> bytes:
        if b"odd" in text:
            raise KeyError("S3CRET of a record")
        return real(text, **options)

    monkeypatch.setattr(body, "rows_of", defective)
    odd = [record('[{"odd":1}]', event_id=one, time_ns=NOON) for one in ("2", "3")]
    async with fixture(tmp_path) as made:
        answer = await made.accept(request(*inputs("1"), *odd, *inputs("4")))
        reason = "defect: expected to make a line, got KeyError; report it with the receiver's log"
        assert (answer.partial_success.rejected_log_records, answer.partial_success.error_message) == (2, reason)
        assert made.ids(INPUTS) == ["1", "4"]
        assert [line["reason"] for line in made.lines("_quarantine/2026/11/22/12")] == [reason] * 2
        assert made.recorded.values()["otel_modeldata.quarantined"] == {(("reason", "defect"),): 2}
    assert caplog.messages == [
        "internal error (a bug), records are in quarantine: KeyError",
        "2 records went to _quarantine: defect",
    ]
    assert "in defective" in caplog.text


async def test_an_internal_error_about_a_resource_affects_only_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = origin.read

    def defective(resource: bytes) -> origin.DeploymentResource:
        if b"odd" in resource:
            raise RuntimeError("a bug")
        return real(resource)

    monkeypatch.setattr(origin, "read", defective)
    odd = request(*inputs("1"), resource_values={semconv.AZUREML_ENDPOINT_NAME: "odd"})
    async with fixture(tmp_path) as made:
        answer = await made.accept(odd + request(*inputs("2")))
        assert answer.partial_success.rejected_log_records == 1
        assert made.ids(INPUTS) == ["2"]
        assert len(made.lines("_quarantine/2026/11/22/12")) == 1


async def test_rows_are_quarantined_if_their_object_name_has_other_content(tmp_path: Path) -> None:
    big = record(json.dumps([{"x": "a" * 5_000_000}]), event_id="big", time_ns=NOON)
    async with fixture(tmp_path) as made:
        assert await made.accept(request(big)) == FULL_SUCCESS
        (kept,) = (tmp_path / INPUTS / "files").iterdir()
        kept.write_text("of another writer")
    async with fixture(tmp_path) as made:  # a new sink does not remember stored objects
        again = request(big, *inputs("2"))
        answer = await made.accept(again)
        assert answer.partial_success.error_message.startswith("defect: expected to make a line, got ValueError")
        assert made.ids(INPUTS) == ["big", "2"]
        (line,) = made.lines("_quarantine/2026/11/22/12")
        assert bytes_at(line["recordref"]) == big.SerializeToString()


async def test_an_unexpected_error_is_answered_as_an_internal_one_and_counted_by_its_type(tmp_path: Path) -> None:
    async def read() -> bytes:
        raise KeyError("S3CRET")

    async with fixture(tmp_path) as made:
        with pytest.raises(InternalError, match=r"^unexpected KeyError in the receiver, see its log; send again$"):
            await made.pipeline.receive(read, LOGS_BY_GRPC)
        assert made.recorded.values()["otel_modeldata.refused_requests"] == {(("error.type", "KeyError"),): 1}


# --- Payloads beside their lines ---

PNG = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}
REQUESTS = "credit/blue/request/2026/11/22/12"


def image(event_id: str, content: bytes = b"\x89PNG") -> LogRecord:
    return record(content, PNG, collection="request", event_id=event_id, time_ns=NOON)


async def test_an_image_that_is_scored_twice_is_stored_once_and_both_lines_point_to_it(tmp_path: Path) -> None:
    """S70."""
    async with fixture(tmp_path) as made:
        assert await made.accept(request(image("1"), image("2"), image("1"))) == FULL_SUCCESS
        assert await made.accept(request(image("3"), image("2"))) == FULL_SUCCESS
        lines = made.lines(REQUESTS)
        (kept,) = (tmp_path / REQUESTS / "files").iterdir()
    assert {line["id"] for line in lines} == {"1", "2", "3"}
    assert len(lines) == 3
    assert {(line["data"], line["datainblob"], line["datacontenttype"]) for line in lines} == {
        (str(kept), "true", "image/png")
    }
    assert kept.read_bytes() == b"\x89PNG"


async def test_binary_bodies_are_refused_in_a_tabular_collection(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        bad = record(b"\x89PNG", PNG, event_id="1", time_ns=NOON)
        answer = await made.accept(request(bad))
        assert answer.partial_success.error_message.startswith("binary body: expected JSON text")
        assert len(made.lines("_quarantine/2026/11/22/12")) == 1


async def test_an_inference_request_that_is_not_json_is_stored_as_it_arrived(tmp_path: Path) -> None:
    """S50."""
    async with fixture(tmp_path) as made:
        broken = record('{"data": [1, 2', collection="request", event_id="1", time_ns=NOON)
        assert await made.accept(request(broken)) == FULL_SUCCESS
        assert [line["data"] for line in made.lines(REQUESTS)] == ['{"data": [1, 2']


class HeldPuts(MemoryStore):
    """A store in memory whose objects wait until `free` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.latency = 0.0
        self.free = asyncio.Event()

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        url = await super().put(name, content, content_type)
        await self.free.wait()
        return url


async def test_small_events_do_not_wait_for_large_ones() -> None:
    store = HeldPuts()
    pipeline = Pipeline(
        Sink(store, instance="0" * 32), ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON
    )
    big = json.dumps([{"x": "a" * 5_000_000}])
    noisy = [
        request(record(big, event_id=f"big-{number}", time_ns=NOON), *inputs(f"beside-{number}")) for number in range(6)
    ]
    waiting = [asyncio.create_task(pipeline.accept(raw, LOGS_BY_GRPC)) for raw in noisy]
    await store.reached("put", 4)
    quiet = {semconv.AZUREML_ENDPOINT_NAME: "quiet"}
    assert await pipeline.accept(request(*inputs("small"), resource_values=quiet), LOGS_BY_GRPC) == b""
    assert await pipeline.accept(request(*inputs("same folder")), LOGS_BY_GRPC) == b""
    other = request(record(event_id="other", collection="model_outputs", time_ns=NOON))
    assert await pipeline.accept(other, LOGS_BY_GRPC) == b""
    assert store.count("put") == 4  # few at a time
    while len(store.stored(INPUTS)) < 7:  # a large record is mapped in a thread
        await asyncio.sleep(0)
    assert sorted(store.stored(INPUTS)) == [*(f"beside-{number}" for number in range(6)), "same folder"]
    assert not any(call.done() for call in waiting)
    store.free.set()
    assert await asyncio.gather(*waiting) == [b""] * 6
    assert sorted(store.stored(INPUTS)[7:]) == [f"big-{number}" for number in range(6)]


async def test_a_line_is_never_stored_before_the_object_it_points_to() -> None:
    store = MemoryStore(["ok", "refused", "refused"])  # blobs, then two puts
    store.latency = 0.0
    limits = SinkLimits(retry_seconds=0.0)
    sink = Sink(store, instance="0" * 32, limits=limits)
    pipeline = Pipeline(sink, ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON)
    raw = request(*inputs("1"), image("2"))
    outcomes = []
    while not outcomes or outcomes[-1] != b"":
        outcomes += await asyncio.gather(pipeline.accept(raw, LOGS_BY_GRPC), return_exceptions=True)
        assert store.objects or store.stored(REQUESTS) == []
    assert [type(outcome) for outcome in outcomes[:-1]] == [StoreError] * (len(outcomes) - 1)
    assert len(outcomes) > 1
    assert (store.stored(INPUTS), store.stored(REQUESTS), len(store.objects)) == (["1"], ["2"], 1)


async def test_after_a_failure_of_the_store_an_object_is_put_again() -> None:
    store = MemoryStore()
    store.latency = 0.0
    sink = Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0))
    pipeline = Pipeline(sink, ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON)
    await pipeline.accept(request(image("1")), LOGS_BY_GRPC)
    await pipeline.accept(request(image("2")), LOGS_BY_GRPC)
    assert store.count("put") == 1
    store.fates = iter(["refused"])
    with pytest.raises(StoreError):
        await pipeline.accept(request(image("3")), LOGS_BY_GRPC)
    store.objects.clear()  # as if the container had been deleted and created again
    await pipeline.accept(request(image("3")), LOGS_BY_GRPC)
    assert (store.count("put"), len(store.objects)) == (2, 1)


# --- Clocks ---

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
