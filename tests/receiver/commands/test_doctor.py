"""`otel-modeldata doctor`: follows one event hop by hop, with one sentence for each failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import grpc
import pytest
import recording_backend
from doctor_hops import SECONDS, doctor, outcomes
from gateway import free_port
from receiver_process import lines_below
from recording_backend import RecordingBackend

from otel_modeldata.environment import read_environment
from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.doctor import run
from otel_modeldata_receiver.commands.doctor.run import Examination

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from gateway import StartAnyGateway, StartGateway
    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow


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
    examination = Examination(
        environment=environment,
        collection="doctor",
        store=None,
        timeout=1.0,
        large=False,
        named="OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    (only,) = run.examine(examination)
    assert (only.name, only.outcome, only.sentence[: len(start)]) == (hop, "failed", start)


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("nope", "configuration: --endpoint: expected http://HOST:PORT"),
        ("http://127.0.0.1:1", "correct the port in --endpoint, or do without either"),
    ],
)
def test_an_endpoint_that_the_command_line_names_is_not_called_that_of_a_variable(
    capsys: pytest.CaptureFixture[str], endpoint: str, sentence: str
) -> None:
    with pytest.raises(SystemExit):
        main.main(["doctor", "--endpoint", endpoint, "--timeout", "1"])
    out = capsys.readouterr().out
    assert sentence in out
    assert "_ENDPOINT" not in out


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
