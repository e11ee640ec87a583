"""Each way in which data can stop, with real parts: `why` names it first."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pandas as pd
import pytest
from audited_store import LOGS
from certificate_files import make_certificates
from collected_store import collecting
from doctor_hops import http_server
from gateway import free_port
from live_receiver import live_receiver
from otlp_requests import record, request
from otlp_sender import send_request
from receiver_process import lines_below
from served_store import BrokenStore, broken_sink
from waiting import wait_until
from why_command import NAMES, clean_environment, facts_of, found, sentence, well

from otel_modeldata import Collector, semconv
from otel_modeldata_receiver.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from azurite import Azurite
    from gateway import StartGateway
    from receiver_process import ReceiverProcess, StartReceiver

pytestmark = pytest.mark.slow

NAME = "credit/blue/model_inputs"
ADMIN = ("--admin-listen", "127.0.0.1:0")
HOUR_NS = 3600 * 10**9


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clean_environment(monkeypatch, OTEL_RESOURCE_ATTRIBUTES=NAMES)


def admin(receiver: ReceiverProcess) -> Sequence[str]:
    return "--receiver", f"http://{receiver.startup['admin_listen']}"


def sender(monkeypatch: pytest.MonkeyPatch, endpoint: str, deployment: Path | None = None, **block: Any) -> None:
    """The environment of a scoring process."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{endpoint}")
    if deployment is not None:
        deployment.write_text(json.dumps({"endpoint_name": "credit", "name": "blue", "data_collector": block}))
        monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(deployment))


def test_data_that_arrives(
    start_receiver: StartReceiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver = start_receiver(str(tmp_path), *ADMIN, is_backfilled=False)
    sender(monkeypatch, receiver.endpoint)
    send_request(receiver.endpoint, request(record(event_id="1")))
    code, facts = facts_of(capsys, NAME, tmp_path, "--environment", *admin(receiver))
    assert (code, found(facts), facts["has_data"]) == (0, [], True)
    assert well(facts) >= {"collected", "names", "target", "network", "receiver_ready", "accepted", "reached", "data"}
    assert sentence(facts, "accepted") == "the receiver has accepted 1 of credit/blue since it started"


def test_nothing_was_collected_yet(
    start_receiver: StartReceiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver = start_receiver(str(tmp_path), *ADMIN)
    sender(monkeypatch, receiver.endpoint)
    code, facts = facts_of(capsys, NAME, tmp_path, "--environment", *admin(receiver))
    assert (code, found(facts)) == (1, [("nothing_received", "stopped"), ("empty_store", "missing")])
    assert well(facts) >= {"collected", "names", "network", "receiver_ready"}


def test_the_receiver_is_down(
    start_receiver: StartReceiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "receiver.yaml"
    store = tmp_path / "store"
    receiver = start_receiver(str(store), *ADMIN)
    sender(monkeypatch, receiver.endpoint)
    receiver.kill()
    code, facts = facts_of(capsys, NAME, store, "--environment", *admin(receiver))
    stops = [("no_connection", "stopped"), ("receiver_down", "stopped"), ("empty_store", "missing")]
    assert (code, found(facts)) == (1, stops)
    assert sentence(facts, "receiver_down").endswith("got [Errno 111] Connection refused: start it, or look at its log")
    config.write_text(json.dumps({"listen": receiver.endpoint, "store": str(store)}))
    _, facts = facts_of(capsys, NAME, "--config", config)
    assert (facts["store"], found(facts)) == (str(store), [("receiver_down", "stopped"), ("empty_store", "missing")])
    config.write_text(json.dumps({"store": str(store), "admin_listen": receiver.startup["admin_listen"]}))
    _, facts = facts_of(capsys, NAME, "--config", config)
    assert found(facts)[0] == ("receiver_down", "stopped")


@pytest.mark.anyio
async def test_the_store_takes_no_lines_and_then_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "store"
    store = BrokenStore(folder)
    port = free_port()
    async with live_receiver(folder, sink=broken_sink(store), admin_listen=f"127.0.0.1:{port}") as receiver:
        await receiver.export(request(record(event_id="1")))
        store.broken = StoreError("the file system is read-only")
        with pytest.raises(grpc.RpcError):
            await receiver.export(request(record(event_id="2")))
        asked = NAME, folder, "--receiver", f"http://127.0.0.1:{port}"
        code, facts = await asyncio.to_thread(facts_of, capsys, *asked)
        folder.rename(tmp_path / "moved")
        _, gone = await asyncio.to_thread(facts_of, capsys, *asked)
    assert (code, found(facts)) == (1, [("receiver_not_ready", "stopped")])
    assert "not ready: the store cannot be written: the file system is read-only" in sentence(
        facts, "receiver_not_ready"
    )
    assert gone["has_data"] is None
    assert found(gone) == [("store_unavailable", "stopped"), ("receiver_not_ready", "stopped")]


@pytest.mark.parametrize(
    ("entry", "cause"),
    [({"enabled": True, "sampling_rate": 0}, "nothing_sampled"), ({"enabled": False}, "collection_off")],
)
def test_the_sender_collects_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    entry: dict[str, Any],
    cause: str,
) -> None:
    """The same cause is found in the sender's environment, and in the deployment file of the receiver."""
    store, deployment = tmp_path / "store", tmp_path / "deployment.yml"
    collections = {"model_inputs": entry, "model_outputs": {"enabled": True}}
    sender(monkeypatch, "127.0.0.1:1", deployment, collections=collections)
    with collecting(store) as flush:
        context = Collector(name="model_inputs", on_error=lambda _: None).collect(pd.DataFrame({"x": [1]}))
        Collector(name="model_outputs").collect(pd.DataFrame({"y": [1]}), context)
        flush()
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(store))
    _, facts = facts_of(capsys, NAME, "--environment")
    assert found(facts) == [(cause, "stopped"), ("nothing_stored", "missing")]
    config = tmp_path / "receiver.yaml"
    config.write_text(json.dumps({"store": str(store), "deployments": [str(deployment)]}))
    _, facts = facts_of(capsys, NAME, "--config", config)
    assert (cause, "stopped") in found(facts)
    assert sentence(facts, cause).startswith("model_inputs ")


def test_another_name_in_the_question_and_in_the_sender(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = start_receiver(str(tmp_path), *ADMIN, is_backfilled=False)
    send_request(receiver.endpoint, request(record(event_id="1")))
    _, facts = facts_of(capsys, "credit/blue/model_input", tmp_path, *admin(receiver))
    assert found(facts)[0] == ("other_name", "stopped")
    assert sentence(facts, "other_name").endswith("did you mean 'credit/blue/model_inputs'?")
    _, facts = facts_of(capsys, "shop/green", tmp_path, *admin(receiver))
    assert found(facts) == [("other_deployments", "stopped"), ("nothing_stored", "missing")]
    assert sentence(facts, "other_deployments").endswith("others are of credit/blue")


def test_records_go_to_quarantine(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = start_receiver(str(tmp_path), *ADMIN, is_backfilled=False)
    send_request(receiver.endpoint, request(*(record("no rows", event_id=f"{number}") for number in range(3))))
    _, facts = facts_of(capsys, NAME, tmp_path, *admin(receiver))
    assert found(facts)[0] == ("quarantined", "stopped")
    assert ("quarantined_lately", "suspect") in found(facts)
    assert sentence(facts, "quarantined").startswith(f"3 record(s) of {NAME} could not become lines and are in ")


def test_a_senders_clock_is_ahead(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The receiver keeps such events in quarantine; with `backfill` they are in the folders of hours to come."""
    ahead = request(record(event_id="1", time_ns=time.time_ns() + 3 * HOUR_NS))
    for is_backfilled, cause in ((False, "quarantined"), (True, "future_events")):
        store = tmp_path / cause
        receiver = start_receiver(str(store), is_backfilled=is_backfilled)
        send_request(receiver.endpoint, ahead)
        _, facts = facts_of(capsys, NAME, store)
        assert found(facts)[0] == (cause, "stopped")
        receiver.kill()


def test_a_place_takes_no_lines_and_they_are_parked(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "credit").write_text("no folder")
    receiver = start_receiver(str(tmp_path), *ADMIN, is_backfilled=False)
    send_request(receiver.endpoint, request(*(record(event_id=f"{number}") for number in range(4))))
    _, facts = facts_of(capsys, NAME, tmp_path, *admin(receiver))
    assert [cause for cause, _ in found(facts)] == ["folder_unreadable", "parked", "parking"]
    assert sentence(facts, "parked").startswith(
        "4 line(s) are parked in _parked/, because the place of credit/blue takes none (expected a folder to write to, "
        f"got a file at '{tmp_path}/credit')"
    )


def test_a_certificate_may_not_send_for_the_deployment(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_certificates(tmp_path)
    files = {"cert_file": "server.crt", "key_file": "server.key", "client_ca_file": "ca.crt"}
    tls = {key: str(folder / name) for key, name in files.items()} | {"clients": {"client": ["shop/*"]}}
    config, store = tmp_path / "receiver.yaml", tmp_path / "store"
    config.write_text(json.dumps({"tls": tls, "store": str(store)}))
    receiver = start_receiver(str(store), *ADMIN, "--config", str(config))
    key, certificate = ((folder / f"client.{kind}").read_bytes() for kind in ("key", "crt"))
    credentials = grpc.ssl_channel_credentials((folder / "ca.crt").read_bytes(), key, certificate)
    with grpc.secure_channel(receiver.endpoint, credentials) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(LOGS)(request(record(event_id="1")), timeout=60)
    _, facts = facts_of(capsys, NAME, "--config", config, *admin(receiver))
    assert [cause for cause, outcome in found(facts) if outcome == "stopped"] == ["not_granted", "refused"]
    assert sentence(facts, "refused").startswith(
        "the receiver has refused requests since it started: 1 x ForbiddenError (tls.clients does not let this "
    )
    assert "granted" in well(facts_of(capsys, "shop/blue", "--config", config)[1])


def test_a_gateway_without_its_receiver(
    start_gateway: StartGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=f"127.0.0.1:{free_port()}")
    page = f"http://127.0.0.1:{gateway.variables['OTEL_MODELDATA_GATEWAY_METRICS_PORT']}"
    (tmp_path / "store").mkdir()
    asked = NAME, tmp_path / "store", "--gateway", page

    def first() -> tuple[str, str]:
        return found(facts_of(capsys, *asked)[1])[0]

    wait_until(lambda: first() == ("gateway_idle", "stopped"))
    send_request(gateway.grpc, request(record(event_id="1")))
    wait_until(lambda: first() == ("gateway_waits", "stopped"))
    waits = sentence(facts_of(capsys, *asked)[1], "gateway_waits")
    assert "wait in the queue of otlp_grpc/modeldata, and nothing leaves it since the gateway started" in waits
    gateway.kill()
    assert first() == ("gateway_down", "stopped")


def test_a_gateway_that_delivers_and_one_that_gets_other_logs(
    start_gateway: StartGateway, start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = start_receiver(str(tmp_path / "store"), *ADMIN, is_backfilled=False)
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    page = f"http://127.0.0.1:{gateway.variables['OTEL_MODELDATA_GATEWAY_METRICS_PORT']}/metrics"
    asked = NAME, tmp_path / "store", "--gateway", page, *admin(receiver)
    send_request(gateway.grpc, request(record(collection=None)))
    wait_until(lambda: found(facts_of(capsys, *asked)[1])[0] == ("gateway_no_model_data", "stopped"))
    send_request(gateway.grpc, request(record(event_id="1")))
    wait_until(lambda: bool(lines_below(tmp_path / "store")))
    wait_until(lambda: "gateway_delivers" in well(facts_of(capsys, *asked)[1]))
    assert facts_of(capsys, *asked)[0] == 0


def test_the_receiver_writes_to_another_store(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, other = tmp_path / "receiver.yaml", tmp_path / "other"
    other.mkdir()
    config.write_text(json.dumps({"store": str(tmp_path / "store")}))
    receiver = start_receiver(str(tmp_path / "store"), *ADMIN, is_backfilled=False)
    send_request(receiver.endpoint, request(record(event_id="1")))
    _, facts = facts_of(capsys, NAME, other, *admin(receiver))
    assert found(facts) == [("written_elsewhere", "stopped"), ("empty_store", "missing")]
    _, facts = facts_of(capsys, NAME, other, "--config", config, *admin(receiver))
    assert found(facts)[0] == ("receiver_writes_elsewhere", "stopped")
    assert sentence(facts, "receiver_writes_elsewhere").endswith(f"writes to {tmp_path}/store, not to {other}")
    (command,) = facts["findings"][0]["run"]
    assert facts_of(capsys, *command.split()[2:])[0] == 0  # what it says to run finds the data


def test_a_deployment_file_gives_the_collection_another_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, deployment, store = tmp_path / "receiver.yaml", tmp_path / "deployment.yml", tmp_path / "store"
    store.mkdir()
    place = "azureml://datastores/lake/paths/credit/inputs"
    collections = {"model_inputs": {"enabled": True, "data": {"path": place}}}
    block = {"endpoint_name": "credit", "name": "blue", "data_collector": {"collections": collections}}
    deployment.write_text(json.dumps(block))
    lake = {"lake": str(tmp_path / "lake")}
    config.write_text(json.dumps({"store": str(store), "deployments": [str(deployment)], "datastores": lake}))
    _, facts = facts_of(capsys, NAME, "--config", config)
    assert ("other_place", "stopped") in found(facts)
    assert sentence(facts, "other_place") == (
        f"the file of credit/blue stores model_inputs in {place}, not below credit/blue of {store}"
    )


@pytest.mark.parametrize(("minutes", "outcome"), [(0, None), (5, "ahead of"), (-5, "behind")])
def test_the_clock_of_the_sender_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, minutes: int, outcome: str | None
) -> None:
    """The storage service has a clock of its own; this one answers nothing else."""
    with http_server(datetime.now(UTC) - timedelta(minutes=minutes), 403) as host:
        connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://{host}/a;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        monkeypatch.setenv("OTEL_MODELDATA_STORE", "az://container/prod")
        _, facts = facts_of(capsys, NAME, "--environment")
    clocks = [one["sentence"] for one in facts["findings"] if one["cause"] == "clock"]
    assert [outcome is not None and f"s {outcome} the storage service's" in one for one in clocks] == (
        [] if outcome is None else [True]
    )


def test_an_empty_window_and_a_wrong_prefix(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = start_receiver(str(tmp_path / "modeldata" / "prod"), is_backfilled=False)
    send_request(receiver.endpoint, request(record(event_id="1")))
    store = tmp_path / "modeldata"
    _, facts = facts_of(capsys, NAME, store / "prod", "--since", "-9h", "--until", "-8h")
    assert found(facts) == [("no_new_lines", "missing")]
    _, facts = facts_of(capsys, NAME, store)
    assert found(facts) == [("other_folder", "stopped")]
    assert facts_of(capsys, NAME, store / "prod")[0] == 0


def test_a_store_in_azure(
    azurite: Azurite,
    start_receiver: StartReceiver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = f"az://{azurite.new_container()}/prod"
    account = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    monkeypatch.setenv(*next(iter(account.items())))
    receiver = start_receiver(store, *ADMIN, is_backfilled=False, **account)
    _, facts = facts_of(capsys, NAME, store, *admin(receiver))
    assert found(facts) == [("nothing_received", "stopped"), ("empty_store", "missing")]
    send_request(receiver.endpoint, request(record(event_id="1")))
    code, facts = facts_of(capsys, NAME, store, *admin(receiver))
    assert (code, found(facts)) == (0, [])
    send_request(receiver.endpoint, request(record("no rows", event_id="2", collection="other")))
    _, facts = facts_of(capsys, "credit/blue/other", store)
    assert found(facts)[0] == ("quarantined", "stopped")
    _, facts = facts_of(capsys, NAME, store.removesuffix("/prod"))
    assert found(facts)[0] == ("other_folder", "stopped")
    _, facts = facts_of(capsys, NAME, "az://no-such-container/prod")
    assert found(facts) == [("store_unavailable", "stopped")]
    assert azurite.key not in json.dumps(facts)


def test_spans_and_resources_of_others_change_nothing(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hostile names in metrics are labels, and no part of a line of the terminal."""
    receiver = start_receiver(str(tmp_path), *ADMIN, is_backfilled=False)
    names = {semconv.AZUREML_ENDPOINT_NAME: "x\x1b[2J", semconv.AZUREML_DEPLOYMENT_NAME: "y"}
    send_request(receiver.endpoint, request(record(event_id="1"), resource_values=names))
    _, facts = facts_of(capsys, NAME, tmp_path, *admin(receiver))
    assert [cause for cause, _ in found(facts)][:1] != ["accepted"]
    with urllib.request.urlopen(f"http://{receiver.startup['admin_listen']}/metrics") as page:
        assert page.status == 200
