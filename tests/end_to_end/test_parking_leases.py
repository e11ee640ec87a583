"""Leases of every kind, strange files and locks: they stop one tenant at most, and nothing is lost or stored twice.

Real parts: the receiver as a process, Azurite, local files that another process locks.
"""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from history import check
from live_receiver import INSTANCE
from local_blobs import blobs_below
from otlp_load import Load
from otlp_requests import NOON, record, request
from otlp_sender import send_request
from waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from receiver_process import StartReceiver

HOUR = "2026/11/22/12"
SAME = ("--instance-id", INSTANCE, "--linger-ms", "10")
BROKEN = f"broken/blue/model_inputs/{HOUR}/"


@pytest.mark.slow
def test_leases_on_the_blobs_of_a_tenant_and_on_its_parked_ones_stop_no_one(
    azurite: Azurite, start_receiver: StartReceiver
) -> None:
    container = azurite.new_container()
    receiver = start_receiver(f"az://{container}", *SAME, AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string)

    def names(start: str) -> list[str]:
        return [name for name in azurite.blobs(container, start) if name.endswith(".jsonl")]

    with azurite.open(container) as client:

        def lease_of(start: str, seconds: int = -1) -> object:
            wait_until(lambda: bool(names(start)))
            return client.get_blob_client(names(start)[-1]).acquire_lease(seconds)

        with Load(receiver.endpoint, threads=2, records=20, every_20th="broken/blue") as load:
            own = lease_of(BROKEN)
            parked = lease_of(f"_parked/{BROKEN}")
            load.wait_for_acks(400)
            lease_of(f"_parked/{BROKEN}", 15)  # the next one too
            load.wait_for_acks(400)
            receiver.kill()
            receiver.start()
            load.wait_for_acks(400)
            own.break_lease(0)  # type: ignore[attr-defined]
            wait_until(lambda: "broken/blue takes lines again" in receiver.log.read_text())
            load.wait_for_acks(400)
            receiver.kill()  # what is delivered and cannot be removed is not delivered again
            receiver.start()
            load.wait_for_acks(400)
        assert names("_parked/") != []
        assert receiver.health() == "SERVING"
        parked.break_lease(0)  # type: ignore[attr-defined]
        wait_until(lambda: not list(client.list_blob_names(name_starts_with="_parked/")))
    receiver.stop()
    assert "not ready" not in receiver.log.read_text()
    check(accepted=load.sent(), acked=load.acked, store=azurite.blobs(container), in_order=True)


@pytest.mark.slow
def test_locked_files_of_many_tenants_hold_up_no_one(tmp_path: Path, start_receiver: StartReceiver) -> None:
    """Another process holds the locks: waiting for them takes no thread."""
    receiver = start_receiver(str(tmp_path), *SAME)
    tenants = [f"broken{number}" for number in range(12)]

    def send(tenant: str, event_id: str) -> None:
        values = {"azureml.endpoint.name": tenant, "azureml.deployment.name": "blue"}
        one = record('[{"x":1}]', event_id=f"{tenant}-{event_id}", time_ns=NOON)
        send_request(receiver.endpoint, request(one, resource_values=values))

    for tenant in tenants:
        send(tenant, "1")
    with ExitStack() as locks, Load(receiver.endpoint, threads=2, records=20, every_20th="broken0/blue") as load:
        for path in tmp_path.glob("broken*/**/*.jsonl"):
            file = locks.enter_context(path.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        with ThreadPoolExecutor(len(tenants)) as senders:
            list(senders.map(send, tenants, repeat("2")))
        load.wait_for_acks(1000)
        assert receiver.health() == "SERVING"
    wait_until(lambda: not (tmp_path / "_parked").exists())
    receiver.stop()
    ids = [f"{tenant}-{number}" for tenant in tenants for number in "12"]
    check(accepted=[*load.sent(), *ids], acked={*load.acked, *ids}, store=tmp_path)


@pytest.mark.slow
def test_strange_files_between_parked_ones_do_not_keep_a_receiver_from_storing(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    folder = tmp_path / "_parked" / BROKEN
    folder.mkdir(parents=True)
    for path in (tmp_path / "_parked/README", folder / f"{INSTANCE}000000.jsonl", folder / "x.jsonl", folder / ".x"):
        path.write_bytes(os.urandom(100) + b"\n8%\xf7\x05\n")
    receiver = start_receiver(str(tmp_path), *SAME)
    with Load(receiver.endpoint, threads=1, records=20, every_20th="broken/blue") as load:
        load.wait_for_acks(100)
    wait_until(lambda: not list(folder.glob(f"{INSTANCE}*")))  # the damaged one is moved, the others are delivered
    assert len(list((tmp_path / "_quarantine/damaged" / BROKEN).iterdir())) >= 1
    receiver.stop()
    stored = {name: content for name, content in blobs_below(tmp_path).items() if not name.startswith("_")}
    check(accepted=load.sent(), acked=load.acked, store=stored, in_order=True)
