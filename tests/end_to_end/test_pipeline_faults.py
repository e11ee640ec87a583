"""Real scoring process, gateway and receiver: each is killed, restarted, replaced or cut off under load.

`history.py` compares accepted and stored events: nothing is lost, nothing is stored twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gateway import Gateway, rotel, rotel_agent
from history import check
from lost_acks import LostAcks
from otlp_load import Load
from otlp_sender import model_data, send
from receiver_process import lines_below, wait_for_lines
from scoring_process import ScoringProcess
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway import StartGateway
    from history import Sent
    from receiver_process import ReceiverProcess, StartReceiver

TENANTS = [f"endpoint{number}/blue" for number in range(8)]


def replica(start_receiver: StartReceiver, store: Path, number: int) -> ReceiverProcess:
    """The same instance after a restart: the default id contains the port, which is a free one on each start."""
    return start_receiver(str(store), "--instance-id", f"{number:032x}")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def receiver(start_receiver: StartReceiver, store: Path) -> ReceiverProcess:
    return replica(start_receiver, store, 0)


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: ReceiverProcess) -> Gateway:
    return start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)


@pytest.fixture
def scoring(gateway: Gateway, tmp_path: Path) -> Iterator[ScoringProcess]:
    """1200 events of 500 bytes at 600 a second."""
    process = ScoringProcess(endpoint=gateway.grpc, folder=tmp_path, count=1200, per_second=600, size=500)
    yield process
    process.kill()


def assert_all_stored(scoring: ScoringProcess, store: Path, *stopping: Gateway | ReceiverProcess) -> None:
    """Wait for the end, stop everything (a request in flight could become a copy), and check the store."""
    report = scoring.finish()
    assert report == {"refused": 0, "lost": {}, "pending": 0}
    wait_for_lines(store, scoring.count)
    assert [one.stop() for one in stopping] == [0] * len(stopping)
    accounts = check(accepted=scoring.accepted(), acked=scoring.accepted(), store=store, key="correlationid")
    assert accounts.stored == scoring.count


# --- From the SDK to the blob -----------------------------------------------------------------------------------------


def test_600_frames_of_100_kb_are_stored_with_default_settings(
    gateway: Gateway, receiver: ReceiverProcess, store: Path, tmp_path: Path
) -> None:
    """One burst of more data than one request at gRPC's default limit can hold."""
    scoring = ScoringProcess(endpoint=gateway.grpc, folder=tmp_path, count=600, size=100_000)
    scoring.start()
    assert_all_stored(scoring, store, gateway, receiver)


@pytest.mark.parametrize("victim", ["gateway", "receiver"])
def test_a_process_that_is_killed_and_restarted_under_load_loses_no_event(
    scoring: ScoringProcess, gateway: Gateway, receiver: ReceiverProcess, store: Path, victim: str
) -> None:
    """SIGKILL for the gateway with its queue file, and for the receiver, three times each."""
    killed: Gateway | ReceiverProcess = gateway if victim == "gateway" else receiver
    scoring.start()
    for reached in (200, 500, 800):
        scoring.wait_until_accepted(reached)
        killed.kill()
        killed.start()
    assert_all_stored(scoring, store, gateway, receiver)


@pytest.mark.parametrize("end", [pytest.param("stop", marks=pytest.mark.long), "kill"])
def test_a_gateway_that_restarts_during_a_receiver_outage_keeps_its_backlog(
    scoring: ScoringProcess, gateway: Gateway, receiver: ReceiverProcess, store: Path, end: str
) -> None:
    """The queue file holds the backlog."""
    scoring.start()
    scoring.wait_until_accepted(200)
    receiver.kill()
    scoring.wait_until_accepted(500)
    getattr(gateway, end)()
    gateway.start()
    scoring.wait_until_accepted(900)
    receiver.start()
    assert_all_stored(scoring, store, gateway, receiver)


@pytest.mark.long
def test_a_new_gateway_takes_over_while_the_old_one_delivers_its_backlog(
    scoring: ScoringProcess,
    gateway: Gateway,
    receiver: ReceiverProcess,
    start_gateway: StartGateway,
    store: Path,
) -> None:
    """A new gateway with an empty queue has the address of the old one."""
    scoring.start()
    scoring.wait_until_accepted(200)
    receiver.kill()
    scoring.wait_until_accepted(500)
    gateway.stop()
    other = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    other.stop()
    old_queue, new_queue = (
        gateway.variables["OTEL_MODELDATA_GATEWAY_QUEUE"],
        other.variables["OTEL_MODELDATA_GATEWAY_QUEUE"],
    )
    gateway.variables["OTEL_MODELDATA_GATEWAY_QUEUE"] = new_queue
    other.variables["OTEL_MODELDATA_GATEWAY_QUEUE"] = old_queue
    gateway.start()
    other.start()
    scoring.wait_until_accepted(900)
    receiver.start()
    assert_all_stored(scoring, store, gateway, other, receiver)


# --- Several receivers ------------------------------------------------------------------------------------------------


def balanced(start_gateway: StartGateway, *receivers: str) -> Gateway:
    return start_gateway("gateway-balanced.yaml", OTEL_MODELDATA_RECEIVER_ENDPOINTS=f"[{', '.join(receivers)}]")


def change_ring(gateway: Gateway, *receivers: str, how: str = "stop") -> None:
    getattr(gateway, how)()
    gateway.variables["OTEL_MODELDATA_RECEIVER_ENDPOINTS"] = f"[{', '.join(receivers)}]"
    gateway.start()


def instances(store: Path) -> dict[str, set[str]]:
    """The receivers that wrote the blobs of each deployment."""
    found: dict[str, set[str]] = {}
    for blob in store.rglob("*.jsonl"):
        parts = blob.relative_to(store).parts
        found.setdefault("/".join(parts[:2]), set()).add(blob.name[:32])
    return found


@pytest.mark.long
def test_each_deployment_has_one_receiver_and_a_killed_one_gets_its_records_when_it_is_back(
    start_gateway: StartGateway, start_receiver: StartReceiver, store: Path
) -> None:
    receivers = [replica(start_receiver, store, number) for number in range(2)]
    gateway = balanced(start_gateway, *(one.endpoint for one in receivers))
    loads = [Load(gateway.grpc, threads=1, tenant=tenant) for tenant in TENANTS]
    for load in loads:
        load.__enter__()
    loads[0].wait_for_acks(50)
    receivers[0].kill()
    loads[0].wait_for_acks(50)
    receivers[0].start()
    sent = finish(loads)
    wait_for_lines(store, len(sent))
    assert (gateway.stop(), [one.stop() for one in receivers]) == (0, [0, 0])
    check(accepted=sent, acked=[one.id for one in sent], store=store)
    owners = instances(store)
    assert {len(who) for who in owners.values()} == {1}
    assert len(set().union(*owners.values())) == 2


def finish(loads: list[Load]) -> list[Sent]:
    """End the loads; return every event they sent, all of them acknowledged."""
    for load in loads:
        load.finish()
    sent = [one for load in loads for one in load.sent()]
    assert {one.id for one in sent} == set().union(*(load.acked for load in loads))
    return sent


def test_a_ring_that_changes_under_load_loses_nothing_and_stores_each_id_once(
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    store: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """One receiver, then two, then only the second; two instances may write blobs of one hour."""
    first, second = (replica(start_receiver, store, number) for number in range(2))
    gateway = balanced(start_gateway, first.endpoint)
    loads = [Load(gateway.grpc, threads=1, tenant=tenant) for tenant in TENANTS]
    for load in loads:
        load.__enter__()
    loads[0].wait_for_acks(50)
    change_ring(gateway, first.endpoint, second.endpoint)
    loads[0].wait_for_acks(50)
    change_ring(gateway, second.endpoint, how="kill")
    loads[0].wait_for_acks(50)
    sent = finish(loads)
    wait_until(lambda: len({line["id"] for line in lines_below(store)}) == len(sent))
    assert [one.stop() for one in (gateway, first, second)] == [0, 0, 0]
    accounts = check(accepted=sent, acked=[one.id for one in sent], store=store, readers_deduplicate=True)
    record_property("copies", accounts.copies)
    assert max(len(who) for who in instances(store).values()) == 2


def test_lines_stored_without_an_answer_before_a_ring_change_are_stored_twice_with_one_id(
    start_gateway: StartGateway, start_receiver: StartReceiver, store: Path
) -> None:
    """Only this makes copies, as otel-config/README.md documents; a single receiver makes none."""
    first, second = (replica(start_receiver, store, number) for number in range(2))
    with LostAcks(first.endpoint) as lossy:
        gateway = balanced(start_gateway, lossy.endpoint)
        ids = [f"{number:02}" for number in range(20)]
        send(gateway.grpc, *map(model_data, ids))
        lossy.wait_until_lost(3)
        assert sorted(line["id"] for line in lines_below(store)) == ids
        change_ring(gateway, second.endpoint)
        wait_for_lines(store, 40)
    assert [one.stop() for one in (gateway, first, second)] == [0, 0, 0]
    accounts = check(accepted=ids, acked=ids, store=store, readers_deduplicate=True)
    assert (accounts.stored, accounts.copies) == (20, 20)


# --- A gateway that acknowledges from memory -------------------------------------------------------------------------


def test_losses_of_a_gateway_without_a_queue_file_are_gaps_in_the_sequence(
    receiver: ReceiverProcess, store: Path, tmp_path: Path
) -> None:
    """`rotel` acknowledges from memory: its records cannot be restored, but the gap shows that they are missing."""
    agent = rotel_agent()
    if agent is None:
        pytest.skip("expected the wheel 'rotel', found none: it is made for Linux on x86_64 only")
    gateway = rotel(agent, receiver.endpoint, tmp_path)
    gateway.start()
    scoring = ScoringProcess(endpoint=gateway.grpc, folder=tmp_path, count=2400, per_second=600)
    try:
        scoring.start()
        scoring.wait_until_accepted(200)
        wait_for_lines(store, 1)
        receiver.kill()
        # Longer than the pause between two batches (`linger_seconds`): the gateway acknowledges one from memory.
        scoring.wait_until_accepted(len(scoring.accepted()) + 900)
        gateway.kill()
        receiver.start()
        gateway.start()
        report = scoring.finish()
        wait_until(lambda: max(sequences(store)) == 2399)
    finally:
        scoring.kill()
        gateway.kill()
    assert report == {"refused": 0, "lost": {}, "pending": 0}
    assert receiver.stop() == 0
    stored = sequences(store)
    gaps = set(range(2400)) - set(stored)
    assert gaps
    assert len({line["producer"] for line in lines_below(store)}) == 1
    check(accepted=scoring.accepted(), lost=len(gaps), store=store, key="correlationid")


def sequences(store: Path) -> list[int]:
    return [int(line["producersequence"]) for line in lines_below(store)]
