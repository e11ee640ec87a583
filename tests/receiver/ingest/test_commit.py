"""Commit: the result has what is durable, and the argument does not change."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING

import pytest
from memory_store import MemoryStore
from otlp_requests import NOON, record, request

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.ingest.commit import Committed, commit, quarantine
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.layout.partition import RollingRate
from otel_modeldata_receiver.mapping.quarantine import Rejected
from otel_modeldata_receiver.mapping.request import Mapped, decode, map_records
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

pytestmark = pytest.mark.anyio

LARGE = record(json.dumps([{"x": "a" * 5_000_000}]), event_id="large", time_ns=NOON)
BAD = record("no json", event_id="bad", time_ns=NOON)
INPUTS = "credit/blue/model_inputs/2026/11/22/12"


def small(event_id: str) -> LogRecord:
    return record(event_id=event_id, time_ns=NOON)


def sink_on(store: MemoryStore) -> Sink:
    store.latency = 0.0
    return Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0))


def mapped(*records: LogRecord) -> Mapped:
    return map_records(decode(request(*records)), arrival_ns=NOON, destinations=Destinations(RollingRate.HOUR))


async def test_lines_that_are_stored_already_are_counted() -> None:
    sink = sink_on(MemoryStore())
    assert await commit(sink, mapped(small("1"), small("2")), NOON) == Committed()
    assert await commit(sink, mapped(small("1"), small("2"), small("3")), NOON) == Committed(duplicates=2)


async def test_a_tenant_does_not_wait_for_thousands_of_folders_of_another_one_in_the_same_request() -> None:
    """A gateway merges the requests of its senders."""
    store = MemoryStore()
    sink = sink_on(store)
    hours = (record(event_id=f"h{hour}", time_ns=NOON - hour * 3_600_000_000_000) for hour in range(1000))
    hostile = request(*hours, resource_values={"azureml.endpoint.name": "hostile", "azureml.deployment.name": "blue"})
    raw = hostile + request(small("1"))  # encoded requests one after the other are one request
    store.stuck = {"hostile/"}
    both = map_records(decode(raw), arrival_ns=NOON, destinations=Destinations(RollingRate.HOUR))
    task = asyncio.ensure_future(commit(sink, both, NOON))
    async with asyncio.timeout(30):
        await store.reached("append")
    await asyncio.sleep(0)
    assert store.requests[-1] == ("append", f"{INPUTS}/{'0' * 32}000000.jsonl")
    task.cancel()
    await sink.close()


async def test_a_tenant_does_not_wait_for_the_folders_of_others_in_the_same_request_that_hang() -> None:
    store = MemoryStore()
    sink = sink_on(store)
    names = [{"azureml.endpoint.name": f"hangs{number}", "azureml.deployment.name": "blue"} for number in range(30)]
    raw = b"".join(request(small(f"h{number}"), resource_values=values) for number, values in enumerate(names))
    store.stuck = {"hangs"}
    both = map_records(decode(raw + request(small("1"))), arrival_ns=NOON, destinations=Destinations(RollingRate.HOUR))
    task = asyncio.ensure_future(commit(sink, both, NOON))
    async with asyncio.timeout(30):
        await store.reached("append")
    assert store.requests[-1] == ("append", f"{INPUTS}/{'0' * 32}000000.jsonl")
    task.cancel()
    await sink.close()


async def test_an_empty_request_commits_nothing() -> None:
    assert await commit(sink_on(MemoryStore()), mapped(), NOON) == Committed()


async def test_rejected_records_are_reported_once_they_are_durable() -> None:
    store = MemoryStore()
    one = mapped(small("1"), BAD)
    before = copy.deepcopy(one)
    committed = await commit(sink_on(store), one, NOON)
    assert committed == Committed(rejected=tuple(before.rejected))
    assert [rejected.kind for rejected in committed.rejected] == ["body not JSON"]
    assert store.stored("_quarantine/2026/11/22/12") == [committed.rejected[0].id]
    assert one == before


async def test_a_payload_whose_name_has_other_content_is_quarantined_and_the_argument_does_not_change() -> None:
    class Occupied(MemoryStore):
        async def put(self, name: str, content: bytes, content_type: str) -> str:
            if name.startswith("credit/"):
                raise ValueError("other content")
            return await super().put(name, content, content_type)

    store = Occupied()
    one = mapped(small("1"), LARGE, BAD)
    before = copy.deepcopy(one)
    committed = await commit(sink_on(store), one, NOON)
    assert [rejected.kind for rejected in committed.rejected] == ["body not JSON", "defect"]
    assert [repr(defect) for defect in committed.defects] == ["ValueError('other content')"]
    assert store.stored(INPUTS) == ["1"]
    assert len(store.stored("_quarantine/2026/11/22/12")) == 2
    assert one == before


async def test_the_first_error_is_raised_after_everything_is_resolved() -> None:
    store = MemoryStore(["refused"])
    with pytest.raises(StoreError):
        await commit(sink_on(store), mapped(small("1"), BAD), NOON)
    folders = {name.rpartition("/")[0] for name, content in store.contents.items() if content}
    assert len(folders) == 1


async def test_a_whole_request_is_quarantined() -> None:
    store = MemoryStore()
    rejected = Rejected(reason="undecodable request: ...", request=b"\xff")
    assert await quarantine(sink_on(store), (rejected,), NOON) == Committed(rejected=(rejected,))
    assert store.stored("_quarantine/2026/11/22/12") == [rejected.id]
