"""The receiver is killed, stopped and disconnected, and gets requests twice: acknowledged events are stored once."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from history import check
from live_receiver import EXPORT, INSTANCE, live_receiver, until
from otlp_load import Load
from otlp_requests import NOON, record, request
from receiver_process import lines_below

from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from receiver_process import StartReceiver

    from otel_modeldata_receiver.storage.store import BlobState

OTHER_INSTANCE = "f" * 32
FENCED = "takes no more blocks from this receiver, which continues in the next blob"


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(1, 30), pytest.param(2, 200, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["30 kills", "200 kills"],
)
def test_a_receiver_killed_repeatedly_loses_nothing_and_stores_nothing_twice(
    tmp_path: Path, start_receiver: StartReceiver, seed: int, kills: int
) -> None:
    """It is killed at any moment: before, during and after a write, and before the answer."""
    rng = random.Random(seed)
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    with Load(receiver.endpoint, threads=6) as load:
        for _ in range(kills):
            load.wait_for_acks(1)
            time.sleep(rng.uniform(0.0, 0.15))
            receiver.kill()
            receiver.start()
        load.wait_for_acks(100)
        acked = load.acked
    assert load.acked >= acked
    counts = check(accepted=load.sent(), acked=load.acked, store=tmp_path, in_order=True)
    assert counts.stored == len(load.acked) == len(load.sent()) > 5 * kills
    assert load.without_retry_info == 0


def test_a_receiver_that_is_stopped_under_load_drains_and_exits_and_the_next_continues(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    with Load(receiver.endpoint, threads=6) as load:
        for _ in range(2):
            load.wait_for_acks(200)
            assert receiver.stop() == 0
            receiver.start()
        load.wait_for_acks(200)
    check(accepted=load.sent(), acked=load.acked, store=tmp_path, in_order=True)
    # The receiver's own answer, and gRPC's to a call that arrives while it closes: OTLP lists both as retryable.
    assert set(load.refusals) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert load.without_retry_info == 0


class TellingStore(LocalStore):
    """A local store that signals when a block is durable, and answers only when it is allowed to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.stored = asyncio.Event()
        self.answer = asyncio.Event()

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        result = await super().append(name, state, block)
        self.stored.set()
        await self.answer.wait()
        return result


@pytest.mark.anyio
async def test_a_lost_acknowledgment_causes_no_second_copy(tmp_path: Path) -> None:
    """The lines are stored, the connection breaks before the answer, and the sender retries."""
    ids = [str(number) for number in range(100)]
    raw = request(*(record(event_id=one, time_ns=NOON) for one in ids))
    store = TellingStore(tmp_path)
    async with live_receiver(tmp_path, sink=Sink(store, instance=INSTANCE)) as receiver:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{receiver.server.port}") as cut:
            call = asyncio.ensure_future(cut.unary_unary(EXPORT)(raw, timeout=60))
            await store.stored.wait()
        await asyncio.wait([call])
        assert call.cancelled() or call.exception() is not None
        store.answer.set()
        await receiver.export(raw)
        check(accepted=ids, acked=ids, store=tmp_path)


@pytest.mark.anyio
async def test_the_retry_of_a_sender_that_gave_up_on_a_slow_store_is_a_duplicate(tmp_path: Path) -> None:
    """The call is cancelled, but not its append."""
    raw = request(record(event_id="1", time_ns=NOON))
    store = TellingStore(tmp_path)
    async with live_receiver(tmp_path, sink=Sink(store, instance=INSTANCE)) as receiver:
        for _ in range(2):  # the second joins the append of the first
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await receiver.channel.unary_unary(EXPORT)(raw, timeout=0.5)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await receiver.in_flight()
        store.answer.set()

        async def resolved() -> bool:
            return not await receiver.in_flight()

        await until(resolved)
        await receiver.export(raw)
        check(accepted=["1"], acked=["1"], store=tmp_path)


def test_copies_of_a_request_are_stored_once_even_after_a_kill(tmp_path: Path, start_receiver: StartReceiver) -> None:
    """Each request is sent three times at once, and again after a kill."""
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    with Load(receiver.endpoint, threads=4, copies=3) as load:
        for _ in range(3):
            load.wait_for_acks(100)
            receiver.kill()
            receiver.start()
        load.wait_for_acks(100)
    check(accepted=load.sent(), acked=load.acked, store=tmp_path, in_order=True)


def test_copies_sent_to_two_receivers_are_removed_by_readers(tmp_path: Path, start_receiver: StartReceiver) -> None:
    """They do not know each other's ids, so both copies are stored and counted."""
    ids = [str(number) for number in range(50)]
    raw = request(*(record(event_id=one, time_ns=NOON) for one in ids))
    for instance in (INSTANCE, OTHER_INSTANCE):
        receiver = start_receiver(str(tmp_path), "--instance-id", instance)
        with grpc.insecure_channel(receiver.endpoint) as channel:
            for _ in range(3):
                channel.unary_unary(EXPORT)(raw, timeout=60)
    counts = check(accepted=ids, acked=ids, store=tmp_path, readers_deduplicate=True)
    assert (counts.stored, counts.copies) == (50, 50)


def test_two_receivers_with_one_instance_id_fence_each_other_and_lose_nothing(
    azurite: Azurite, start_receiver: StartReceiver
) -> None:
    """Both write into the same hour folder of one container."""
    container = azurite.new_container()
    flags = ("--instance-id", INSTANCE, "--linger-ms", "20")
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    receivers = [start_receiver(f"az://{container}/prod", *flags, **variables) for _ in range(2)]
    with Load(receivers[0].endpoint, threads=2) as first, Load(receivers[1].endpoint, threads=2) as second:
        for load in (first, second):
            load.wait_for_acks(50)
        for receiver in receivers:  # from now on both append to the newest blob, where only one can
            receiver.kill()
        for receiver in receivers:
            receiver.start()
        for load in (first, second):
            load.wait_for_acks(50)
    stored = blobs_below(azurite, container)
    check(accepted=[*first.sent(), *second.sent()], acked=first.acked | second.acked, store=stored)
    assert any(FENCED in receiver.log.read_text() for receiver in receivers)


def test_another_writer_fences_the_receiver_and_the_lines_of_both_are_complete(
    azurite: Azurite, start_receiver: StartReceiver
) -> None:
    """Another writer appends to the blob that is in use."""
    container = azurite.new_container()
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    receiver = start_receiver(f"az://{container}/prod", "--instance-id", INSTANCE, "--linger-ms", "20", **variables)
    intruders = [f"intruder-{number}" for number in range(3)]
    with Load(receiver.endpoint, threads=2) as load:
        for intruder in intruders:
            load.wait_for_acks(20)
            name, content = max(azurite.blobs(container, "prod/").items())
            line = json.dumps({**json.loads(content.splitlines()[0]), "id": intruder, "producer": intruder})
            with azurite.open(container) as client:
                client.get_blob_client(name).append_block(line.encode() + b"\n")
        load.wait_for_acks(20)
    stored = blobs_below(azurite, container)
    check(accepted=[*load.sent(), *intruders], acked=[*load.acked, *intruders], store=stored, in_order=True)
    assert receiver.log.read_text().count(FENCED) == len(stored) - 1 == 3


def blobs_below(azurite: Azurite, container: str) -> dict[str, bytes]:
    return {name.removeprefix("prod/"): content for name, content in azurite.blobs(container, "prod/").items()}


@pytest.mark.anyio
async def test_one_bad_record_in_each_of_a_hundred_batches_affects_no_other_record(tmp_path: Path) -> None:
    """OpenTelemetry's own exporter and gateway lose all 51,200 records."""
    bad = [f"bad-{batch}" for batch in range(100)]
    good = [[f"{batch}-{number}" for number in range(511)] for batch in range(100)]
    rejected = 0
    async with live_receiver(tmp_path) as receiver:
        for batch, ids in enumerate(good):
            records = [record(event_id=one, time_ns=NOON) for one in ids]
            records.insert(batch * 5, record("no json", event_id=bad[batch], time_ns=NOON))
            answer = await receiver.export(request(*records))
            assert answer.partial_success.error_message.startswith("body not JSON: expected valid JSON")
            rejected += answer.partial_success.rejected_log_records
    stored = [one for ids in good for one in ids]
    counts = check(accepted=[*stored, *bad], acked=stored, quarantined=bad, store=tmp_path)
    assert (counts.stored, counts.quarantined, rejected) == (51_100, 100, 100)
    assert len(lines_below(tmp_path / "_quarantine")) == 100
