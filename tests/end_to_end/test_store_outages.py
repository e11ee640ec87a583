"""The store fails under a running receiver: it logs that once, acknowledges nothing, and continues afterwards.

Azurite is never stopped: a proxy in front of it simulates the outages. The disks are real.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from azure.storage.blob import generate_account_sas
from azurite import ACCOUNT, Azurite
from fault_proxy import WITH_EFFECT, WITHOUT_EFFECT, Fault, FaultProxy, always, dice, is_append, no_faults
from history import check
from live_receiver import INSTANCE
from otlp_load import Load
from otlp_sender import model_data, send
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fault_proxy import Plan
    from receiver_process import ReceiverProcess, StartReceiver

KIB = 1024
ROWS_20_KIB, ROWS_2_KIB = (f'[{{"x":"{"a" * size * KIB}"}}]' for size in (20, 2))


def wait_for_status(receiver: ReceiverProcess, expected: str) -> None:
    wait_until(lambda: receiver.health() == expected)


def wait_for_refusals(load: Load, count: int) -> None:
    """Wait until this many calls were refused since the start."""
    wait_until(lambda: load.refusals.total() >= count)


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    with FaultProxy(azurite.host) as proxy:
        yield proxy


class Cloud:
    """A receiver on a container of its own behind a proxy."""

    def __init__(self, azurite: Azurite, proxy: FaultProxy, start_receiver: StartReceiver) -> None:
        self.azurite = azurite
        self.container = azurite.new_container()
        self.receiver = start_receiver(
            f"az://{self.container}/prod",
            *("--instance-id", INSTANCE, "--linger-ms", "10"),
            AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string_through(proxy.host),
        )

    def stored(self) -> dict[str, bytes]:
        blobs = self.azurite.blobs(self.container, "prod/")
        return {name.removeprefix("prod/"): content for name, content in blobs.items()}


@pytest.fixture
def cloud(azurite: Azurite, proxy: FaultProxy, start_receiver: StartReceiver) -> Cloud:
    return Cloud(azurite, proxy, start_receiver)


OUTAGES = [
    pytest.param(
        Fault.FORBIDDEN,
        "got 403 AuthenticationFailed: give this identity the role 'Storage Blob Data Contributor'",
        id="403",
    ),
    pytest.param(
        Fault.UNAUTHORIZED,
        "got 401 InvalidAuthenticationInfo: give this identity the role 'Storage Blob Data Contributor'",
        id="401",
    ),
    pytest.param(Fault.BUSY_BEFORE, "got 503 ServerBusy: check that the account can be reached", id="503"),
    pytest.param(Fault.CUT_BEFORE, "check that the account can be reached", id="cut", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("fault", "message"), OUTAGES)
def test_a_temporary_outage_of_the_account_loses_nothing(
    cloud: Cloud, proxy: FaultProxy, azurite: Azurite, fault: Fault, message: str
) -> None:
    with Load(cloud.receiver.endpoint, threads=4) as load:
        load.wait_for_acks(50)
        proxy.plan = always(fault)
        wait_for_status(cloud.receiver, "NOT_SERVING")
        acked = load.acked
        wait_for_refusals(load, 4)
        assert load.acked == acked
        proxy.plan = no_faults
        wait_for_status(cloud.receiver, "SERVING")
        load.wait_for_acks(50)
    check(accepted=load.sent(), acked=load.acked, store=cloud.stored(), in_order=True)
    assert (set(load.refusals), load.without_retry_info) == ({grpc.StatusCode.UNAVAILABLE}, 0)
    (line,) = cloud.receiver.logged("not ready: ")
    assert message in line
    assert f"in container {cloud.container!r}" in line
    assert len(cloud.receiver.logged("ready again: ")) == 1
    assert cloud.receiver.logged("requests are refused: ") == []
    assert azurite.key not in cloud.receiver.log.read_text()


@pytest.mark.long
def test_a_signature_that_expires_is_logged_and_a_new_one_works(
    azurite: Azurite, start_receiver: StartReceiver
) -> None:
    """A real signature that expires in seconds; it is part of the settings, so a new one needs a restart."""

    def variables(seconds: float) -> dict[str, str]:
        signature = generate_account_sas(
            ACCOUNT,
            azurite.key,
            resource_types="sco",
            permission="rwlac",
            expiry=datetime.now(UTC) + timedelta(seconds=seconds),
        )
        endpoint = f"BlobEndpoint=http://{azurite.host}/{ACCOUNT}"
        return {"AZURE_STORAGE_CONNECTION_STRING": f"{endpoint};SharedAccessSignature={signature}"}

    container = azurite.new_container()
    receiver = start_receiver(f"az://{container}/prod", "--instance-id", INSTANCE, "--linger-ms", "10", **variables(6))
    with Load(receiver.endpoint, threads=2) as load:
        load.wait_for_acks(20)
        wait_for_status(receiver, "NOT_SERVING")
        acked = load.acked
        wait_for_refusals(load, 4)
        assert load.acked == acked
        assert receiver.stop() == 0
        receiver.variables = variables(600)
        receiver.start()
        load.wait_for_acks(20)
    stored = {name.removeprefix("prod/"): content for name, content in azurite.blobs(container, "prod/").items()}
    check(accepted=load.sent(), acked=load.acked, store=stored, in_order=True)
    (line,) = receiver.logged("not ready: ")
    assert "or renew its key or signature" in line
    assert "sig=" not in receiver.log.read_text()


def test_a_deleted_container_is_named_and_works_again_when_it_is_created_again(cloud: Cloud) -> None:
    with cloud.azurite.open(cloud.container) as container:
        container.delete_container()
        with Load(cloud.receiver.endpoint, threads=2) as load:
            wait_for_status(cloud.receiver, "NOT_SERVING")
            wait_for_refusals(load, 4)
            assert not load.acked
            container.create_container()
            wait_for_status(cloud.receiver, "SERVING")
            load.wait_for_acks(50)
    check(accepted=load.sent(), acked=load.acked, store=cloud.stored(), in_order=True)
    (line,) = cloud.receiver.logged("not ready: ")
    assert f"in container {cloud.container!r}" in line
    assert "got no such container: create it, for example with 'az storage container create'" in line


def in_folder_of(tenant: str, fault: Fault) -> Plan:
    """Break the appends of one tenant."""
    return lambda method, comp, path: fault if is_append(method, comp, path) and f"/{tenant}/" in path else None


def test_a_slow_append_delays_neither_other_tenants_nor_health(cloud: Cloud, proxy: FaultProxy) -> None:
    """The answers for one folder are held back while the other works."""
    proxy.plan = in_folder_of("slow", Fault.SLOW)
    slow = Load(cloud.receiver.endpoint, threads=2, tenant="slow/blue")
    quick = Load(cloud.receiver.endpoint, threads=2, tenant="quick/blue")
    with slow, quick:
        wait_until(lambda: proxy.count(Fault.SLOW) == 1)
        quick.wait_for_acks(200)
        assert (cloud.receiver.health(), slow.acked) == ("SERVING", set())
        proxy.plan = no_faults
        proxy.release()
        slow.wait_for_acks(50)
    check(accepted=[*slow.sent(), *quick.sent()], acked=slow.acked | quick.acked, store=cloud.stored(), in_order=True)
    assert not quick.refusals


def test_blocks_that_arrive_long_after_the_answer_are_not_stored_twice(cloud: Cloud, proxy: FaultProxy) -> None:
    """Seven of ten appends fail, each in one of the ways that pass; some are applied late."""
    proxy.plan = dice(7, 0.7, [*WITHOUT_EFFECT, *WITH_EFFECT, Fault.CHANGED_BODY, Fault.LATE], is_append)
    with Load(cloud.receiver.endpoint, threads=6) as load:
        for _ in range(10):
            load.wait_for_acks(50)
            proxy.release()
        proxy.plan = no_faults
        proxy.release()
    check(accepted=load.sent(), acked=load.acked, store=cloud.stored(), in_order=True)
    assert proxy.count(Fault.LATE) > 0


# --- Disks ---


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process and tmpfs are Linux's")


@linux
def test_a_block_that_fits_only_in_part_is_parked_and_leaves_no_half_line(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    """A limit on the size of files ends a write in the middle, as a full disk does; a new file has room again."""
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    assert receiver._process is not None
    number = receiver._process.pid
    send(receiver.endpoint, model_data("first"))
    resource.prlimit(number, resource.RLIMIT_FSIZE, (50 * KIB, resource.RLIM_INFINITY))
    with Load(receiver.endpoint, threads=1, records=1, body=ROWS_20_KIB) as load:
        load.wait_for_acks(6)
        acked = load.acked
        counts = check(accepted=["first", *load.sent()], acked=["first", *acked], unknown=load.ids(), store=tmp_path)
        assert counts.parked >= 3
        resource.prlimit(number, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        load.wait_for_acks(10)
    check(accepted=["first", *load.sent()], acked=["first", *load.acked], store=tmp_path)
    assert len(receiver.logged("got File too large: check space and permissions of that disk")) >= 1


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 256 KiB at `folder`; only root may make one."""
    mount = shutil.which("mount")
    folder.mkdir()
    made = mount and os.geteuid() == 0 and _mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)) == 0
    if not made:
        pytest.skip("expected to be allowed to mount a small tmpfs, was not: run this as root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


DISKS = [
    pytest.param("size=256k", "size=1g", "No space left on device", id="full"),
    pytest.param("ro,size=1g", "rw,size=1g", "Read-only file system", id="read-only", marks=pytest.mark.long),
]
"""The options that break and repair a disk by a remount, and the error of the system."""


@linux
@pytest.mark.parametrize(("broken", "repaired", "message"), DISKS)
def test_a_disk_that_refuses_writes_is_logged_once_and_works_again_when_it_is_repaired(
    tmp_path: Path, start_receiver: StartReceiver, broken: str, repaired: str, message: str
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        receiver = start_receiver(str(disk), "--instance-id", INSTANCE)
        with Load(receiver.endpoint, threads=2, body=ROWS_2_KIB) as load:
            load.wait_for_acks(5)
            assert _mount("-o", f"remount,{broken}", str(disk)) == 0
            wait_for_refusals(load, 2)
            wait_for_status(receiver, "NOT_SERVING")
            acked = load.acked
            check(accepted=load.sent(), acked=acked, unknown=load.ids(), store=disk)
            assert _mount("-o", f"remount,{repaired}", str(disk)) == 0
            wait_for_status(receiver, "SERVING")
            load.wait_for_acks(20)
        check(accepted=load.sent(), acked=load.acked, store=disk, in_order=True)
        assert (set(load.refusals), load.without_retry_info) == ({grpc.StatusCode.UNAVAILABLE}, 0)
        (line,) = receiver.logged("not ready: ")
        assert message in line
        assert receiver.logged("requests are refused: ") == []
