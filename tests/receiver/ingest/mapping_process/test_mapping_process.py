"""The mapping process: what it makes is what the receiver would have made, and its end costs only what it mapped."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import costly_conversions
import grpc
import pytest
from live_receiver import LiveReceiver, live_receiver, until
from otlp_requests import DEPLOYMENT, field, raw_request, record, request, resource, span, span_request
from otlp_sender import send_request

from otel_modeldata import semconv
from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import InternalError, OverloadedError, UndecodableError
from otel_modeldata_receiver.ingest.late_answers import arrived_request
from otel_modeldata_receiver.ingest.mapping_process import process as mapping_process
from otel_modeldata_receiver.ingest.mapping_process.job import Job
from otel_modeldata_receiver.ingest.mapping_process.process import MappingProcess
from otel_modeldata_receiver.layout.destination import CollectionPlan, DeploymentPlan, Destination, Destinations
from otel_modeldata_receiver.mapping import signal as signals
from otel_modeldata_receiver.mapping.request import decode, map_records
from otel_modeldata_receiver.mapping.signal import LOGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from receiver_process import StartReceiver

    from otel_modeldata_receiver.mapping.bounds.outline import Share
    from otel_modeldata_receiver.mapping.outcomes import Mapped

pytestmark = pytest.mark.anyio

MIB = 1 << 20
MEMORY = 1024 * MIB
NOW = time.time_ns()
EVIL = {**DEPLOYMENT, semconv.AZUREML_ENDPOINT_NAME: "evil"}
LONG = "[" + ",".join(['{"x":1.5}'] * 600_000) + "]"
"""More than fits into a line."""


def admit_all(_: Sequence[Share]) -> Mapping[str, str]:
    return {}


def job(**changes: Any) -> Job:
    values: dict[str, Any] = {
        "is_compressed": False,
        "convert": None,
        "spans": None,
        "client": None,
        "arrival_ns": NOW,
        "most_bytes": 72 * MIB,
        "limits": LimitsConfig(),
        "has_rates": False,
    }
    return Job(**(values | changes))


@asynccontextmanager
async def running(destinations: Destinations | None = None) -> AsyncIterator[MappingProcess]:
    made = MappingProcess(destinations or Destinations(), MEMORY)
    try:
        yield made
    finally:
        await made.close()


async def mapped(made: MappingProcess, message: bytes, one: Job | None = None, admit: Any = admit_all) -> list[Mapped]:
    opened = await made.open(one or job(), message, await arrived_request(message, LOGS), admit)
    return [piece async for piece in opened.pieces]


def whole(pieces: Sequence[Mapped]) -> dict[str, Any]:
    """What all pieces have together, without the records that large payloads and rejections were read from."""
    return {
        "lines": [(folder, line) for piece in pieces for folder, group in piece.lines.items() for line in group],
        "large": [(one.event.line.id, one.content, one.line_at("url")) for piece in pieces for one in piece.large],
        "rejected": [one for piece in pieces for one in piece.rejected],
        "defects": len([one for piece in pieces for one in piece.defects]),
        "records": sum(piece.records for piece in pieces),
        "left_out": sum(piece.left_out for piece in pieces),
    }


MESSAGES = {
    "good and bad records": request(
        *[record(event_id=f"a{n}", time_ns=NOW) for n in range(3000)],
        *[record("no json", event_id=f"b{n}", time_ns=NOW) for n in range(300)],
        record(event_id="old", time_ns=1),
        record({"a": [1, 2.5, "x"]}, event_id="structured", time_ns=NOW),
    ),
    "payloads": request(
        record(LONG, event_id="rows", time_ns=NOW),
        record(b"\x00\xff" * 3_000_000, event_id="binary", time_ns=NOW, collection="request"),
        record("x" * 5_000_000, event_id="text", time_ns=NOW, collection="response"),
        record("x" * 500_000, event_id="rejected", time_ns=NOW),
    ),
    "two deployments": request(record(event_id="1", time_ns=NOW))
    + request(record(event_id="2", time_ns=NOW), resource_values=EVIL),
    "nothing": b"",
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_the_process_maps_as_the_receiver_does(name: str) -> None:
    message = MESSAGES[name]
    expected = whole([map_records(decode(message), arrival_ns=NOW, destinations=Destinations(), limits=LimitsConfig())])
    async with running() as made:
        assert whole(await mapped(made, message)) == expected
        compressed = await mapped(made, gzip.compress(message), job(is_compressed=True))
        converted = await mapped(made, message, job(convert=costly_conversions.unchanged))
        assert whole(compressed) == whole(converted) == expected


async def test_spans_are_mapped_by_their_setting() -> None:
    message = span_request(span(), span(attributes={"gen_ai.input.messages": "[]"}, span_id=b"u" * 8))
    for kept in KeptSpans:
        limits = LimitsConfig(backfill=("*",))
        decoded = decode(message, signals.spans(kept))
        expected = map_records(decoded, arrival_ns=NOW, destinations=Destinations(), limits=limits)
        async with running() as made:
            assert whole(await mapped(made, message, job(spans=kept, limits=limits))) == whole([expected])


async def test_the_pieces_of_a_large_request_are_small() -> None:
    message = request(*[record(event_id=str(n), time_ns=NOW) for n in range(20_000)])
    async with running() as made:
        pieces = await mapped(made, message)
    assert max(len(group) for piece in pieces for group in piece.lines.values()) < 1100
    assert [line.id for piece in pieces for group in piece.lines.values() for line in group] == [
        str(n) for n in range(20_000)
    ]


async def test_the_receiver_decides_which_deployments_are_above_a_rate() -> None:
    async with running() as made:
        message = MESSAGES["two deployments"]
        (piece,) = await mapped(made, message, job(has_rates=True), lambda _: {"evil/blue": "rate: too high"})
        assert (next(iter(piece.lines.values()))[0].id, piece.refused) == ("1", {"rate: too high": 1})

        def refuse(_: Sequence[Share]) -> Mapping[str, str]:
            raise OverloadedError("too many")

        with pytest.raises(OverloadedError, match=r"^too many$"):
            await mapped(made, message, job(has_rates=True), refuse)
        assert len(await mapped(made, message)) == 1


async def test_a_request_without_an_outline_is_kept_and_refused() -> None:
    message = field(1, field(1, resource(EVIL).SerializeToString()) + b"\x00")
    async with running() as made:
        opened = await made.open(job(), message, await arrived_request(message, LOGS), admit_all)
        kept = await anext(opened.pieces)
        assert [(one.request, one.records) for one in kept.rejected] == [(message, 1)]
        with pytest.raises(UndecodableError):
            await anext(opened.pieces)


async def test_destinations_of_deployment_files_hold_also_after_they_changed() -> None:
    used: list[Destination] = []
    plan = DeploymentPlan(collections={"model_inputs": CollectionPlan(root="chosen")})
    destinations = Destinations(plans={("credit", "blue"): plan}, on_new=used.append)
    async with running(destinations) as made:
        (piece,) = await mapped(made, request(record(event_id="1", time_ns=NOW)))
        assert {folder.split("/")[0] for folder in piece.lines} == {"chosen"}
        assert [one.root for one in used] == ["chosen"]
        destinations.replace({})
        (piece,) = await mapped(made, request(record(event_id="1", time_ns=NOW)))
        assert {folder.split("/")[0] for folder in piece.lines} == {"credit"}


async def test_a_request_that_ends_the_process_fails_and_is_kept_when_it_did_so_three_times() -> None:
    deadly = job(convert=costly_conversions.end_the_process)
    async with running() as made:
        for _ in range(3):
            with pytest.raises(InternalError):
                await mapped(made, b"deadly", deadly)
        with pytest.raises(UndecodableError, match="ended the mapping process 3 times"):
            await mapped(made, b"deadly", deadly)
        assert whole(await mapped(made, MESSAGES["two deployments"]))["records"] == 2


async def test_a_process_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_process, "_SILENT_SECONDS", 0.5)
    monkeypatch.setattr(mapping_process, "_LOOK_SECONDS", 0.05)
    async with running() as made:
        with pytest.raises(InternalError):
            await mapped(made, b"x", job(convert=costly_conversions.never_end))


async def test_requests_take_turns_and_one_that_is_given_up_leaves_no_trace() -> None:
    long = request(*[record(event_id=str(n), time_ns=NOW) for n in range(20_000)])
    async with running() as made:
        opened = await made.open(job(), long, await arrived_request(long, LOGS), admit_all)
        await anext(opened.pieces)
        assert whole(await mapped(made, MESSAGES["two deployments"]))["records"] == 2
        await opened.pieces.aclose()
        assert not made._requests


def large_request(count: int = 6000) -> bytes:
    return request(*[record('[{"a":"%s"}]' % ("x" * 1000), event_id=str(n), time_ns=NOW) for n in range(count)])


def stored_ids(receiver: LiveReceiver) -> list[str]:
    return [json.loads(line)["id"] for line in receiver.raw_lines()]


async def test_a_large_request_is_stored_once_and_in_order(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(large_request())
        assert not answer.partial_success.rejected_log_records
        assert stored_ids(receiver) == [str(n) for n in range(6000)]
        await receiver.export(large_request())
        assert stored_ids(receiver) == [str(n) for n in range(6000)]


async def test_after_the_process_was_killed_senders_send_again_and_nothing_is_lost(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(large_request())
        running = receiver.server._process._running
        assert running is not None
        os.kill(running._process.pid, signal.SIGTERM)  # is ignored: the receiver drains first
        os.kill(running._process.pid, signal.SIGSTOP)
        call = asyncio.create_task(receiver.export(large_request(7000)))

        async def has_request() -> bool:
            return bool(receiver.server._process._requests)

        await until(has_request)
        running.kill()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await receiver.export(large_request(7000))
        assert stored_ids(receiver) == [str(n) for n in range(7000)]


async def test_a_small_request_that_takes_long_goes_to_the_process(tmp_path: Path) -> None:
    attributes = {f"key{n}": n for n in range(5000)}
    heavy = record(event_id="heavy", time_ns=NOW, attributes=attributes)
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(request(record(event_id="light", time_ns=NOW)))
        assert receiver.server._process._running is None
        await receiver.export(raw_request([heavy.SerializeToString()]))
        assert receiver.server._process._running is not None
        assert stored_ids(receiver) == ["light", "heavy"]


async def test_a_request_that_is_not_admitted_leaves_the_process(tmp_path: Path) -> None:
    async with live_receiver(tmp_path, max_in_flight_bytes=16 * MIB) as receiver:
        compressed = gzip.compress(large_request(20_000))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await receiver.export(compressed)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not receiver.server._process._requests
        assert receiver.server._pipeline.in_flight_bytes == 0


def test_the_process_ends_with_a_receiver_that_is_killed(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path / "store"))
    send_request(receiver.endpoint, large_request())
    assert receiver._process is not None
    children = [path.read_text().split() for path in Path(f"/proc/{receiver._process.pid}/task").glob("*/children")]
    (child,) = (one for some in children for one in some)
    receiver.kill()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
