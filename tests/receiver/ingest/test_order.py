"""The order of events of a producer and a collection, however many collections share its requests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from held_pipeline import LOGS_BY_GRPC
from memory_store import INSTANCE, MemoryStore
from otlp_requests import DEPLOYMENT, NOON, ROWS, raw_request, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.storage.sink import Sink
from otel_modeldata_receiver.telemetry import instruments

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

COLLECTIONS: Final = 1000
ROUNDS: Final = 12
PRODUCERS: Final = ("first", "second")
_HOUR_NS: Final = 3600 * 10**9


class Line(msgspec.Struct):
    id: str
    type: str
    producer: str
    producersequence: str


def requests_of(producer: str) -> Iterator[bytes]:
    """Records of all collections in turn, of which a request has another number each time, and an hour two halves."""
    encoded = resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: producer}).SerializeToString()
    made: list[bytes] = []
    for number in range(ROUNDS):
        for collection in range(COLLECTIONS):
            one = record(
                ROWS,
                {semconv.AZUREML_PRODUCER_SEQUENCE: number},
                collection=f"inputs_{collection}",
                event_id=f"{producer}-{collection}-{number}",
                time_ns=NOON + number * _HOUR_NS // ROUNDS,
            )
            made.append(one.SerializeToString())
    start, size = 0, 700
    while start < len(made):
        yield raw_request(made[start : start + size], encoded)
        start, size = start + size, size + 300


async def test_the_events_of_a_producer_and_a_collection_are_stored_in_order_and_once() -> None:
    """24,000 events of 1000 collections and two producers, which send at the same time."""
    store = MemoryStore()
    store.latency = 0
    sink = Sink(store, instance=INSTANCE)
    pipeline = Pipeline(sink, ReceiverConfig(), instruments())

    async def send(producer: str) -> None:
        for raw in requests_of(producer):
            assert await pipeline.accept(raw, LOGS_BY_GRPC) == b""

    await asyncio.gather(*map(send, PRODUCERS))
    await sink.close()
    stored: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    ids: list[str] = []
    for content in store.contents.values():
        for line in map(msgspec.json.Decoder(Line).decode, content.splitlines()):
            stored[line.producer, line.type].append(int(line.producersequence))
            ids.append(line.id)
    assert len(ids) == len(set(ids)) == ROUNDS * COLLECTIONS * len(PRODUCERS)
    assert stored == {
        (producer, f"azureml.inference.inputs_{collection}"): list(range(ROUNDS))
        for producer in PRODUCERS
        for collection in range(COLLECTIONS)
    }
