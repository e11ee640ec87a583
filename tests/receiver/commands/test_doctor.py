"""`otel-modeldata doctor`: follows one event hop by hop, with one sentence for each failure."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import grpc
import pytest
import recording_backend
from certificate_files import make_certificates
from gateway import free_port
from receiver_process import lines_below
from recording_backend import RecordingBackend

from otel_modeldata.environment import Endpoint, read_environment
from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.doctor import network, run
from otel_modeldata_receiver.commands.doctor import store as doctor_store
from otel_modeldata_receiver.commands.doctor.run import Examination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azurite import Azurite
    from gateway import StartAnyGateway, StartGateway
    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow

SECONDS = 90
Hops = dict[str, tuple[str, str]]


def doctor(*arguments: str, **variables: str) -> tuple[int, Hops]:
    """The command in a process of its own, with these variables of this package only."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZUREML_MDC_"))}
    command = [sys.executable, "-m", "otel_modeldata_receiver", "doctor", "--json", *arguments]
    done = subprocess.run(command, env=clean | variables, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    assert facts["ok"] == (done.returncode == 0)
    return done.returncode, {hop["hop"]: (hop["outcome"], hop["sentence"]) for hop in facts["hops"]}


def outcomes(hops: Hops) -> dict[str, str]:
    return {name: outcome for name, (outcome, _) in hops.items()}


def way(endpoint: Endpoint) -> Hops:
    return {hop.name: (hop.outcome, hop.sentence) for hop in network.hops(endpoint, 10.0)}


def test_an_event_is_followed_through_gateway_and_receiver_into_the_store(
    start_any_gateway: StartAnyGateway, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    store, deployment = tmp_path / "store", tmp_path / "deployment.yml"
    deployment.write_text(
        "endpoint_name: credit\nname: blue\ndata_collector: {collections: {model_inputs: {enabled: 'True'}}}\n"
    )
    gateway = start_any_gateway(start_receiver(str(store)).endpoint)
    code, hops = doctor(
        "--store",
        str(store),
        "--large",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{gateway.grpc}",
        OTEL_MODELDATA_CONFIG=str(deployment),
    )
    assert (code, outcomes(hops)) == (
        0,
        {
            "configuration": "ok",
            "name": "ok",
            "connection": "ok",
            "TLS": "not checked",
            "protocol": "ok",
            "authorized": "ok",
            "folder": "ok",
            "acknowledged": "ok",
            "stored": "ok",
            "clock": "not checked",
            "large event": "ok",
            "large event stored": "ok",
        },
    ), hops
    assert [(line["source"], line["type"], "dataref" in line) for line in lines_below(store)] == [
        ("/endpoints/credit/deployments/blue", "azureml.inference.doctor", False),
        ("/endpoints/credit/deployments/blue", "azureml.inference.doctor", True),
    ]
    assert not (store / "credit/blue/model_inputs").exists()


def test_the_clock_of_an_azure_store_is_compared(azurite: Azurite, start_receiver: StartReceiver) -> None:
    store = f"az://{azurite.new_container()}/prod"
    account = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    receiver = start_receiver(store, **account)
    code, hops = doctor("--store", store, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.endpoint}", **account)
    assert (code, hops["stored"][0], hops["clock"][0]) == (0, "ok", "ok"), hops
    assert hops["clock"][1].startswith("this machine's clock is 0.")
    assert azurite.key not in json.dumps(hops)


def test_store_shows_that_a_gateway_acknowledges_but_does_not_deliver(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=f"127.0.0.1:{free_port()}")
    (tmp_path / "store").mkdir()
    code, hops = doctor(
        "--store", str(tmp_path / "store"), "--timeout", "1", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{gateway.grpc}"
    )
    assert (code, hops["acknowledged"][0], hops["stored"][0]) == (1, "ok", "failed")
    assert hops["stored"][1].startswith(
        f"expected the event below local/default/doctor of {tmp_path}/store within 1 s, got nothing: it was "
        "acknowledged, so a gateway has it in its queue (is the receiver up? see its log)"
    )


def test_an_event_in_another_receivers_store_is_reported_missing(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path / "one"))
    start_receiver(str(tmp_path / "other"))
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}"}
    code, hops = doctor("--store", str(tmp_path / "other"), "--timeout", "0.5", **endpoint)
    assert (code, outcomes(hops)["stored"]) == (1, "failed")
    code, hops = doctor("--store", str(tmp_path / "none"), **endpoint)
    assert (code, hops["stored"]) == (
        1,
        ("failed", f"expected a folder of blobs, got none at '{tmp_path}/none': correct its path"),
    )


def test_a_step_that_cannot_be_observed_is_not_checked(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path))
    code, hops = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.endpoint}")
    assert code == 0
    assert {name: sentence for name, (outcome, sentence) in hops.items() if outcome == "not checked"} == {
        "TLS": "not used: the endpoint's URL begins with http://",
        "stored": "--store URL looks for the line in a store",
        "clock": "--store URL of an Azure container has a clock to compare with",
        "large event": "--large sends one of 5 MiB",
    }


def test_with_a_store_in_the_same_process_there_is_no_network(tmp_path: Path) -> None:
    code, hops = doctor(OTEL_MODELDATA_STORE=str(tmp_path / "store"))
    assert (code, outcomes(hops)) == (
        0,
        {
            "configuration": "ok",
            "network": "not checked",
            "folder": "ok",
            "acknowledged": "ok",
            "stored": "ok",
            "clock": "not checked",
            "large event": "not checked",
        },
    )
    (tmp_path / "file").touch()
    code, hops = doctor(OTEL_MODELDATA_STORE=str(tmp_path / "file/store"))
    assert (code, outcomes(hops)) == (1, {"configuration": "failed"})
    assert "expected to write into" in hops["configuration"][1]


def test_the_large_event_finds_a_size_limit_below_5_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_backend, "MAX_MESSAGE_BYTES", 4 * 2**20)
    with RecordingBackend() as backend:
        code, hops = doctor("--large", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{backend.endpoint}")
    assert (code, hops["acknowledged"][0], hops["large event"][0]) == (1, "ok", "failed")
    assert hops["large event"][1].endswith("raise its limit (otlp receiver of a gateway: max_recv_msg_size_mib: 68)")


def test_an_unacknowledged_event_is_not_searched_in_the_store(tmp_path: Path) -> None:
    def only_empty(context: grpc.ServicerContext) -> None:
        if backend.taken:
            context.abort(grpc.StatusCode.UNAVAILABLE, "out of breath")
        backend.taken = True

    with _Fickle() as backend:
        backend.refuse(only_empty)
        code, hops = doctor(
            "--store",
            str(tmp_path),
            "--large",
            "--timeout",
            "1",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{backend.endpoint}",
        )
    assert (code, hops["acknowledged"]) == (
        1,
        (
            "failed",
            (
                "expected an acknowledgment of the event, got no acknowledgment within 1 s; 1 event(s) wait for "
                f"{backend.endpoint}, which answers UNAVAILABLE: out of breath (`otel-modeldata doctor` looks for the "
                "cause): look at the endpoint's log"
            ),
        ),
    )
    assert (hops["stored"], hops["large event"]) == (
        ("not checked", "it was not acknowledged"),
        ("not checked", "the small one was not acknowledged"),
    )


class _Fickle(RecordingBackend):
    """Takes one request."""

    taken = False


@pytest.mark.parametrize(
    ("variables", "hop", "start"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "gateway:4317"},
            "configuration",
            "OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT",
        ),
        (
            {"OTEL_MODELDATA_CONFIG": "/no/where"},
            "configuration",
            "OTEL_MODELDATA_CONFIG=/no/where: cannot be read: ",
        ),
    ],
)
def test_a_wrong_configuration_ends_the_check_at_once(variables: dict[str, str], hop: str, start: str) -> None:
    environment = read_environment(variables)
    examination = Examination(environment=environment, collection="doctor", store=None, timeout=1.0, large=False)
    (only,) = run.examine(examination)
    assert (only.name, only.outcome, only.sentence[: len(start)]) == (hop, "failed", start)


@pytest.mark.parametrize(
    ("attributes", "hop", "sentence"),
    [
        ("azureml.endpoint.name=credit risk", "configuration", "expected 1 to 128 characters of A-Z a-z 0-9"),
        (f"cloud.resource_id={'x' * 3000}", "folder", "the receiver would put every event into quarantine: name: exp"),
    ],
)
def test_names_that_the_receiver_refuses_are_reported(
    start_receiver: StartReceiver, tmp_path: Path, attributes: str, hop: str, sentence: str
) -> None:
    receiver = start_receiver(str(tmp_path))
    endpoint = f"http://{receiver.endpoint}"
    code, hops = doctor(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_RESOURCE_ATTRIBUTES=attributes)
    assert (code, hops[hop][0]) == (1, "failed")
    assert sentence in hops[hop][1]
    assert lines_below(tmp_path) == []


# --- the layers of the network, each broken -------------------------------------------------------------------------


def test_a_name_that_does_not_resolve_is_reported() -> None:
    hops = way(Endpoint(target="no-such-host.invalid:4317"))
    assert outcomes(hops) == {"name": "failed"}
    assert hops["name"][1].startswith("expected an address of 'no-such-host.invalid', got ")


def test_a_port_where_nothing_listens_is_reported() -> None:
    target = f"127.0.0.1:{free_port()}"
    assert way(Endpoint(target=target)) == {
        "name": ("ok", "127.0.0.1 is 127.0.0.1"),
        "connection": (
            "failed",
            (
                f"expected a listener on {target}, got Connection refused: start the gateway or a receiver there "
                "(otel-modeldata receive), correct the port in OTEL_EXPORTER_OTLP_ENDPOINT, or do without either "
                "(OTEL_MODELDATA_STORE=./modeldata)"
            ),
        ),
    }


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def tls_receiver(start: StartReceiver, folder: Path, certificates: Path, *, mutual: bool = False) -> Iterator[str]:
    config = folder / "receiver.yml"
    tls = {"cert_file": str(certificates / "server.crt"), "key_file": str(certificates / "server.key")}
    if mutual:
        tls["client_ca_file"] = str(certificates / "ca.crt")
    config.write_text(json.dumps({"tls": tls}))
    yield start(str(folder / "store"), "--config", str(config)).endpoint


def test_tls_is_reported_with_the_expiry_of_the_certificate(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    with tls_receiver(start_receiver, tmp_path, certificates) as target:
        hops = way(Endpoint(target=target, secure=True, certificate=str(certificates / "ca.crt")))
    assert set(outcomes(hops).values()) == {"ok"}
    assert hops["TLS"][1].startswith("TLSv1.3, the certificate is valid until ")


def test_each_mismatch_of_tls_has_its_own_message(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    with tls_receiver(start_receiver, tmp_path, certificates) as target:
        plain = way(Endpoint(target=target))
        untrusted = way(Endpoint(target=target, secure=True))
    assert plain["protocol"] == (
        "failed",
        (
            f"expected gRPC in plain text on {target}, got a closed connection: if it uses TLS, write "
            "https:// in OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
    )
    assert untrusted["TLS"] == (
        "failed",
        (
            f"expected a certificate for {target} from an authority that is trusted here, "
            "got unable to get local issuer certificate: name the authority's file in OTEL_EXPORTER_OTLP_CERTIFICATE, "
            "or correct the certificate"
        ),
    )
    with RecordingBackend() as backend:
        encrypted = way(Endpoint(target=backend.endpoint, secure=True))
        unreadable = way(Endpoint(target=backend.endpoint, secure=True, certificate="/no/file"))
    assert encrypted["TLS"][1].startswith(f"expected {backend.endpoint} to use TLS, got ")
    assert unreadable["TLS"][1].startswith("expected to read the certificate files, got ")


def test_a_server_that_wants_a_client_certificate_is_reported(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    trusted = {"secure": True, "certificate": str(certificates / "ca.crt")}
    with tls_receiver(start_receiver, tmp_path, certificates, mutual=True) as target:
        without = way(Endpoint(target=target, **trusted))  # type: ignore[arg-type]
        own = {"client_certificate": str(certificates / "client.crt"), "client_key": str(certificates / "client.key")}
        with_it = way(Endpoint(target=target, **trusted, **own))  # type: ignore[arg-type]
    assert without["protocol"][0] == "failed"
    assert without["protocol"][1].endswith(
        "it may want a certificate in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
    )
    assert set(outcomes(with_it).values()) == {"ok"}


@contextmanager
def http_server(date: datetime | None = None, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(date or datetime.now(UTC), usegmt=True)

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_port_of_otlp_over_http_is_recognized(start_any_gateway: StartAnyGateway) -> None:
    gateway = start_any_gateway("127.0.0.1:1")
    with http_server() as other:
        for target in (gateway.http, other):
            assert way(Endpoint(target=target))["protocol"] == (
                "failed",
                (
                    f"expected gRPC on {target}, got an HTTP/1 server: OTLP over gRPC usually has port 4317, "
                    "and 4318 is OTLP over HTTP"
                ),
            )


@pytest.mark.parametrize(("answer", "got"), [(b"", "no answer for 0.2 s"), (b"220 mail ready\r\n", "something else")])
def test_a_server_of_another_kind_is_reported(monkeypatch: pytest.MonkeyPatch, answer: bytes, got: str) -> None:
    monkeypatch.setattr(network, "_PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        held: list[socket.socket] = []

        def answer_once() -> None:
            held.append(listener.accept()[0])
            held[0].sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        hops = way(Endpoint(target=target))
        thread.join()
        held[0].close()
    assert hops["protocol"] == ("failed", f"expected gRPC on {target}, got {got}: correct the port")


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("UNAUTHENTICATED", "put credentials into OTEL_EXPORTER_OTLP_HEADERS, as in authorization=Bearer%20TOKEN"),
        ("PERMISSION_DENIED", "ask for the right to write, or put other credentials into OTEL_EXPORTER_OTLP_HEADERS"),
        ("UNIMPLEMENTED", "use the gateway's otlp receiver in a logs pipeline, or correct the port"),
        ("INTERNAL", "look at its log"),
    ],
)
def test_a_refusal_is_reported_with_advice_and_without_the_secret(code: str, cure: str) -> None:
    with RecordingBackend() as backend:
        backend.refuse(lambda context: context.abort(grpc.StatusCode[code], "no entry"))
        hops = way(Endpoint(target=backend.endpoint, headers=(("authorization", "Bearer secret"),)))
    assert hops["authorized"] == (
        "failed",
        f"expected an answer to an empty request with the headers authorization, got {code}: no entry: {cure}",
    )


def test_behind_a_proxy_the_layers_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    hops = way(Endpoint(target="gateway.invalid:4317"))
    assert outcomes(hops) == {
        "name": "not checked",
        "connection": "not checked",
        "TLS": "not checked",
        "protocol": "not checked",
        "authorized": "failed",
    }
    assert hops["name"][1] == "gRPC uses the proxy of the variable https_proxy"
    assert "secret" not in json.dumps(hops)


# --- the store ------------------------------------------------------------------------------------------------------

MOMENT = datetime(2026, 11, 22, 12, 34, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("date", ["2026/11/22/12", "2026/11/22/12/34", "2026/11/22", "2026/11", "2026"])
def test_the_event_is_found_at_every_rolling_rate(tmp_path: Path, date: str) -> None:
    blob = tmp_path / "e/d/doctor" / date / "1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"other"}\n{"correlationid":"canary"}\n{"correlationid":"torn')
    found = doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 0.0)
    assert found == doctor_store.CanaryLine(blob=f"e/d/doctor/{date}/1.jsonl", line={"correlationid": "canary"})
    assert doctor_store.find(str(tmp_path), "e/d/doctor", "torn", [MOMENT], 0.0) is None


def test_folders_of_other_times_are_not_read(tmp_path: Path) -> None:
    blob = tmp_path / "e/d/doctor/2026/11/22/11/1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"canary"}\n')
    assert doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 0.0) is None


def test_a_blob_that_grows_during_the_search_is_read_further(tmp_path: Path) -> None:
    blob = tmp_path / "e/d/doctor/2026/11/22/12/1.jsonl"
    blob.parent.mkdir(parents=True)
    blob.write_text('{"correlationid":"other"}\n{"correl')

    def grow() -> None:
        with blob.open("a") as file:
            file.write('ationid":"canary"}\n')

    timer = threading.Timer(0.3, grow)
    timer.start()
    found = doctor_store.find(str(tmp_path), "e/d/doctor", "canary", [MOMENT], 30.0)
    timer.join()
    assert found is not None


# --- the clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "status"), [(5, 200), (-5, 403)])
def test_the_clock_skew_is_measured_against_the_store(
    monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    with http_server(datetime.now(UTC) - timedelta(minutes=minutes), status) as host:
        connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://{host}/a;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        found = doctor_store.skew("az://container/prefix")
    assert found is not None
    assert abs(found.seconds - 60 * minutes) <= found.uncertainty + 1


def test_the_clock_of_a_service_that_is_down_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(status=503) as host:
        connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://{host}/a;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        with pytest.raises(OSError, match="503"):
            doctor_store.skew("az://container/prefix")


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_text_output_has_a_line_for_each_hop() -> None:
    target = f"127.0.0.1:{free_port()}"
    done = subprocess.run(
        [sys.executable, "-m", "otel_modeldata_receiver", "doctor"],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{target}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[1:] == [
        "ok          name: 127.0.0.1 is 127.0.0.1",
        (
            f"failed      connection: expected a listener on {target}, got Connection refused: start the gateway or a "
            "receiver there (otel-modeldata receive), correct the port in OTEL_EXPORTER_OTLP_ENDPOINT, or do without "
            "either (OTEL_MODELDATA_STORE=./modeldata)"
        ),
    ]


@pytest.mark.parametrize("wrong", [("--timeout", "0"), ("--timeout", "soon"), ("--collection", "a/b")])
def test_a_wrong_command_line_is_reported(wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main.main(["doctor", *wrong])
    assert end.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_the_endpoint_of_the_command_line_wins_over_the_environment() -> None:
    target = f"127.0.0.1:{free_port()}"
    variables = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:1", "OTEL_MODELDATA_STORE": "./modeldata"}
    done = subprocess.run(
        [sys.executable, "-m", "otel_modeldata_receiver", "doctor", "--endpoint", f"http://{target}"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert f"failed      connection: expected a listener on {target}, got" in done.stdout
