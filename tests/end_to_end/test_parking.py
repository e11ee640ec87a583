"""One tenant never stops another: its place fails, its lines are parked, and delivered when the place is back.

Real parts: the receiver as a process, the gateway, Azurite. One record in twenty is of the tenant whose place fails, in
the same requests as the others.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azurite import ACCOUNT
from fault_proxy import Fault, FaultProxy, is_append, no_faults
from history import HistoryCounts, check
from live_receiver import INSTANCE
from local_blobs import blobs_below
from otlp_load import Load
from otlp_requests import NOON, record, request
from otlp_sender import send_request
from receiver_process import lines_below
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azurite import Azurite
    from gateway import StartGateway
    from receiver_process import ReceiverProcess, StartReceiver

HOUR = "2026/11/22/12"
SAME = ("--instance-id", INSTANCE, "--linger-ms", "10")
DEPLOYMENT = """\
endpoint_name: broken
name: blue
data_collector: {collections: {model_inputs: {data: {path: 'azureml://datastores/lake/paths/in', version: 1}}}}
"""


def lines_of(contents: dict[str, bytes], start: str) -> int:
    return sum(content.count(b"\n") for name, content in contents.items() if name.startswith(start))


def run(
    load: Load,
    receiver: ReceiverProcess,
    contents: Callable[[], dict[str, bytes]],
    *,
    break_place: Callable[[], None],
    repair_place: Callable[[], None],
    in_order: bool = True,
) -> HistoryCounts:
    """Break the place of the tenant `broken/blue` under load, kill the receiver meanwhile, repair the place."""

    def more(start: str, count: int) -> None:
        goal = lines_of(contents(), start) + count
        wait_until(lambda: lines_of(contents(), start) >= goal)

    with load:
        wait_until(lambda: lines_of(contents(), "credit/") >= 20)
        break_place()
        more("_parked/", 5)
        more("credit/", 100)
        assert receiver.health() == "SERVING"
        receiver.kill()
        receiver.start()
        more("_parked/", 5)
        more("credit/", 100)
        assert receiver.health() == "SERVING"
        repair_place()
        wait_until(lambda: not lines_of(contents(), "_parked/"))
        more("credit/", 20)
    wait_until(lambda: lines_of(contents(), "") >= len(load.acked))
    receiver.stop()
    return check(accepted=load.sent(), acked=load.acked, store=contents(), in_order=in_order)


@pytest.mark.slow
def test_behind_a_gateway_a_tenant_whose_folder_is_a_file_does_not_stop_the_others(
    tmp_path: Path, start_receiver: StartReceiver, start_gateway: StartGateway
) -> None:
    place = tmp_path / "broken"
    place.write_text("no folder")
    receiver = start_receiver(str(tmp_path), *SAME)
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    counts = run(
        Load(gateway.grpc, threads=4, records=20, every_20th="broken/blue"),
        receiver,
        lambda: blobs_below(tmp_path),
        break_place=lambda: None,
        repair_place=place.unlink,
        in_order=False,  # the gateway sends several requests at the same time
    )
    assert counts.parked == 0
    assert len(receiver.logged("broken/blue takes no lines, they are parked")) == 1
    assert len(receiver.logged("lines of 1 folders are parked since before the start")) == 1
    assert len(receiver.logged("broken/blue takes lines again")) == 1
    assert receiver.logged("not ready") == []


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    with FaultProxy(azurite.host) as proxy:
        yield proxy


@pytest.mark.slow
def test_a_leased_blob_stops_its_own_folder_only(azurite: Azurite, start_receiver: StartReceiver) -> None:
    container = azurite.new_container()
    receiver = start_receiver(f"az://{container}", *SAME, AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string)
    leases: list[Any] = []

    def break_place() -> None:
        with azurite.open(container) as client:
            (name,) = (one for one in client.list_blob_names() if one.startswith(f"broken/blue/model_inputs/{HOUR}/"))
            leases.append(client.get_blob_client(name).acquire_lease())

    run(
        Load(receiver.endpoint, threads=2, records=20, every_20th="broken/blue"),
        receiver,
        lambda: azurite.blobs(container),
        break_place=break_place,
        repair_place=lambda: leases[0].break_lease(0),
    )
    (line,) = receiver.logged("takes no lines")
    assert "412 LeaseIdMissing" in line
    assert receiver.logged("not ready") == []


@pytest.mark.long
def test_an_immutability_policy_on_one_tenant_stops_its_own_folder_only(
    azurite: Azurite, start_receiver: StartReceiver, proxy: FaultProxy
) -> None:
    """Azurite has no immutability policies: a proxy in front of it answers as Azure does."""
    container = azurite.new_container()
    receiver = start_receiver(
        f"az://{container}", *SAME, AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string_through(proxy.host)
    )

    def immutable(method: str, comp: str, path: str) -> Fault | None:
        own = f"/{container}/broken/" in path
        return Fault.IMMUTABLE if own and is_append(method, comp, path) else None

    def set_plan(plan: Callable[[str, str, str], Fault | None]) -> None:
        proxy.plan = plan

    run(
        Load(receiver.endpoint, threads=2, records=20, every_20th="broken/blue"),
        receiver,
        lambda: azurite.blobs(container),
        break_place=lambda: set_plan(immutable),
        repair_place=lambda: set_plan(no_faults),
    )
    (line,) = receiver.logged("takes no lines")
    assert "409 BlobImmutableDueToPolicy" in line
    assert receiver.logged("not ready") == []


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose connections are never accepted: requests hang."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["refused", pytest.param("silent", marks=pytest.mark.long), pytest.param("container", marks=pytest.mark.long)],
)
def test_a_datastore_that_does_not_answer_stops_its_own_collections_only(
    tmp_path: Path, azurite: Azurite, start_receiver: StartReceiver, kind: str
) -> None:
    """Also when the receiver starts meanwhile; the datastore is repaired by a restart with its right address."""
    store, lake = tmp_path / "store", azurite.new_container()
    (tmp_path / "blue.yml").write_text(DEPLOYMENT)
    (tmp_path / "key").write_text(azurite.key)
    config = tmp_path / "receiver.yaml"

    def configure(host: str, container: str = lake) -> None:
        url = f"http://{host}/{ACCOUNT}/{container}"
        config.write_text(f"datastores: {{lake: {{url: '{url}', account_key_file: '{tmp_path}/key'}}}}\n")

    with silent_port() as port:
        hosts = {"refused": "127.0.0.1:9", "silent": f"127.0.0.1:{port}", "container": azurite.host}
        configure(hosts[kind], "no-such-container" if kind == "container" else lake)
        receiver = start_receiver(
            str(store), *SAME, "--deployment", str(tmp_path / "blue.yml"), "--config", str(config)
        )
        with Load(receiver.endpoint, threads=2, records=20, every_20th="broken/blue") as load:
            load.wait_for_acks(200)
            assert receiver.health() == "SERVING"
            receiver.kill()
            receiver.start()
            load.wait_for_acks(200)
            assert receiver.health() == "SERVING"
            parked = lines_of(blobs_below(store), "_parked/_at/lake/in/")
            assert parked >= 10
            receiver.kill()
            configure(azurite.host)
            receiver.start()
            wait_until(lambda: not lines_of(blobs_below(store), "_parked/"))
            load.wait_for_acks(100)
    wait_until(lambda: not lines_of(blobs_below(store), "_parked/"))
    receiver.stop()
    prefix = f"in/{HOUR}/"
    delivered = {
        f"broken/blue/model_inputs/{HOUR}/{name.removeprefix(prefix)}": content
        for name, content in azurite.blobs(lake).items()
    }
    assert lines_of(delivered, "broken/") > parked
    check(accepted=load.sent(), acked=load.acked, store={**blobs_below(store), **delivered}, in_order=True)
    assert len(receiver.logged("datastore 'lake' takes no lines")) >= 1
    assert receiver.logged("not ready") == []


@pytest.mark.slow
def test_large_payloads_of_a_broken_place_are_parked_beside_their_lines(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    """The line refers to where its payload is delivered."""
    receiver = start_receiver(str(tmp_path), *SAME)
    place = tmp_path / "broken"
    place.write_text("no folder")
    rows = '[{"x":"' + "y" * (5 << 20) + '"}]'
    values = {"azureml.endpoint.name": "broken", "azureml.deployment.name": "blue"}
    send_request(receiver.endpoint, request(record(rows, event_id="1", time_ns=NOON), resource_values=values))
    (parked,) = (tmp_path / "_parked").rglob("files/*/*/*")
    assert parked.stat().st_size == len(rows)
    place.unlink()
    wait_until(lambda: not (tmp_path / "_parked").exists())
    (line,) = lines_below(place)
    assert line["dataref"] == str(next(place.rglob("files/*")))
    assert Path(line["dataref"]).read_text() == rows
