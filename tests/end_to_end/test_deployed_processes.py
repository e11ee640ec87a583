"""The processes of the manifests and the compose file, started here with the same arguments, variables and configs."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from containers import (
    DEPLOY,
    KUBERNETES,
    composed_container,
    gateway_process,
    kustomized,
    last_stage,
    one,
    pod_container,
)
from fault_proxy import Fault, FaultProxy, always, no_faults
from gateway import CONFIGS
from otlp_sender import SPAN, model_data, send, send_once, send_span
from recording_backend import RecordingBackend
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azurite import Azurite
    from containers import Container
    from gateway import Gateway
    from receiver_process import ReceiverProcess, StartReceiver

    StartDeployed = Callable[..., Gateway]

LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"


@pytest.fixture(scope="module")
def cluster() -> list[dict[str, Any]]:
    return kustomized(KUBERNETES)


@pytest.fixture
def start_deployed(gateway_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDeployed]:
    """Starts gateways and agents of a file; the variables are addresses of other processes. All are stopped."""
    started: list[Gateway] = []

    def start(container: Container, **variables: str) -> Gateway:
        process = gateway_process(gateway_binary, container, tmp_path_factory.mktemp("deployed"), **variables)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def start_receiver_of(start_receiver: StartReceiver, tmp_path: Path) -> Callable[..., ReceiverProcess]:
    """Starts the receiver of a file on loopback, with a store and an account for the tests."""

    def start(container: Container, store: str, **variables: str) -> ReceiverProcess:
        (command, *flags), given = container.here(tmp_path)
        assert command == "receive"
        # The test passes both to the process.
        for flag in ("--listen", "--store"):
            if flag in flags:
                position = flags.index(flag)
                del flags[position : position + 2]
        if any(flag.startswith("--config") for flag in flags):
            flags += ["--admin-listen", "127.0.0.1:0"]  # the file names a port of the pod
        given.pop("AZURE_STORAGE_ACCOUNT_URL", None)
        return start_receiver(store, *flags, **given | variables)

    return start


def stored_ids(azurite: Azurite, container: str) -> list[str]:
    return sorted(json.loads(line)["id"] for blob in azurite.blobs(container).values() for line in blob.splitlines())


# S38 and S39: agent, gateway and receivers of the manifests.
def test_a_record_passes_agent_gateway_and_ring_and_is_stored_by_the_receiver(
    cluster: list[dict[str, Any]],
    start_deployed: StartDeployed,
    start_receiver_of: Callable[..., ReceiverProcess],
    azurite: Azurite,
) -> None:
    store = azurite.new_container()
    receiver = start_receiver_of(
        pod_container(cluster, "StatefulSet", "receiver", "receiver"),
        f"az://{store}/modelDataCollector",
        AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string,
        HOSTNAME="receiver-0",
    )
    host, port = receiver.endpoint.split(":")
    with RecordingBackend() as tracing:
        gateway = start_deployed(
            pod_container(cluster, "StatefulSet", "gateway", "gateway"),
            OTEL_MODELDATA_RECEIVER_SERVICE=host,
            OTEL_MODELDATA_RECEIVER_PORT=port,
            OTEL_MODELDATA_TRACES_ENDPOINT=tracing.endpoint,
        )
        beside_scoring = kustomized(KUBERNETES / "scoring-with-agent")
        agent = start_deployed(
            pod_container(beside_scoring, "Deployment", "scoring", "agent"),
            OTEL_MODELDATA_GATEWAY_ENDPOINT=gateway.grpc,
        )
        send(agent.grpc, model_data("event-1"))
        send_span(agent.grpc, SPAN)
        wait_until(lambda: stored_ids(azurite, store) == ["event-1"])
        tracing.wait_until(lambda backend: [span.span_id for span in backend.spans()] == [SPAN.span_id])
    (blob,) = azurite.blobs(store)
    assert blob.startswith("modelDataCollector/credit/blue/model_inputs/2026/11/22/12/")
    grace = one(cluster, "StatefulSet", "gateway")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    with ThreadPoolExecutor() as pool:
        assert pool.submit(gateway.stop).result(timeout=grace) == 0


def test_records_that_a_gateway_accepted_without_a_ready_receiver_are_stored_after_both_restart(
    cluster: list[dict[str, Any]],
    start_deployed: StartDeployed,
    start_receiver_of: Callable[..., ReceiverProcess],
    azurite: Azurite,
) -> None:
    gateway = start_deployed(
        pod_container(cluster, "StatefulSet", "gateway", "gateway"),
        # This name needs no DNS server and resolves to nothing, like a headless service without ready pods.
        OTEL_MODELDATA_RECEIVER_SERVICE="nobody..ready",
        OTEL_MODELDATA_TRACES_EXPORTER="debug",
    )
    send(gateway.grpc, model_data("event-1"))
    assert gateway.stop() == 0
    store = azurite.new_container()
    receiver = start_receiver_of(
        pod_container(cluster, "StatefulSet", "receiver", "receiver"),
        f"az://{store}/modelDataCollector",
        AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string,
    )
    host, port = receiver.endpoint.split(":")
    gateway.variables |= {"OTEL_MODELDATA_RECEIVER_SERVICE": host, "OTEL_MODELDATA_RECEIVER_PORT": port}
    gateway.start()
    wait_until(lambda: stored_ids(azurite, store) == ["event-1"])


def test_the_readiness_probe_follows_the_store_and_the_liveness_probe_does_not(
    cluster: list[dict[str, Any]], start_receiver_of: Callable[..., ReceiverProcess], azurite: Azurite
) -> None:
    (spec,) = one(cluster, "StatefulSet", "receiver")["spec"]["template"]["spec"]["containers"]
    ready, alive = (spec[name]["httpGet"] for name in ("readinessProbe", "livenessProbe"))
    assert (ready["port"], alive["port"]) == ("admin", "admin")
    store = azurite.new_container()
    with FaultProxy(azurite.host) as proxy:
        receiver = start_receiver_of(
            pod_container(cluster, "StatefulSet", "receiver", "receiver"),
            f"az://{store}/modelDataCollector",
            AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string_through(proxy.host),
        )
        assert receiver.page(ready["path"])[0] == 200
        proxy.plan = always(Fault.CUT_BEFORE)
        with pytest.raises(grpc.RpcError) as refused:
            send_once(receiver.endpoint, model_data("event-1"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        wait_until(lambda: receiver.page(ready["path"])[0] == 503)
        assert receiver.health(LOGS_SERVICE) == "NOT_SERVING"
        assert receiver.page(alive["path"])[0] == 200
        proxy.plan = no_faults
        wait_until(lambda: receiver.page(ready["path"])[0] == 200)
        assert receiver.health(LOGS_SERVICE) == "SERVING"
        send(receiver.endpoint, model_data("event-1"))
    assert stored_ids(azurite, store) == ["event-1"]


def test_a_receiver_that_is_stopped_stores_and_answers_what_it_accepted_within_the_grace_period_of_its_pod(
    cluster: list[dict[str, Any]], start_receiver_of: Callable[..., ReceiverProcess], azurite: Azurite
) -> None:
    grace = one(cluster, "StatefulSet", "receiver")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    store = azurite.new_container()
    with FaultProxy(azurite.host) as proxy, ThreadPoolExecutor() as pool:
        receiver = start_receiver_of(
            pod_container(cluster, "StatefulSet", "receiver", "receiver"),
            f"az://{store}/modelDataCollector",
            AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string_through(proxy.host),
        )
        proxy.plan = lambda method, comp, path: Fault.SLOW if comp == "appendblock" else None
        sent = pool.submit(send_once, receiver.endpoint, model_data("event-1"))
        wait_until(lambda: proxy.count(Fault.SLOW) >= 1)
        stopped = pool.submit(receiver.stop)
        wait_until(lambda: receiver.health() == "NOT_SERVING")
        proxy.release()
        assert sent.result(timeout=grace) is None
        assert stopped.result(timeout=grace) == 0
    assert stored_ids(azurite, store) == ["event-1"]


def test_with_the_compose_file_a_record_is_stored_in_the_emulator_and_a_span_in_the_tracing_backend(
    start_deployed: StartDeployed, start_receiver_of: Callable[..., ReceiverProcess], azurite: Azurite
) -> None:
    store = f"c{uuid.uuid4().hex}"
    receiver = start_receiver_of(
        composed_container("receiver", DEPLOY / "Dockerfile", {}),
        f"az://{store}/prod",
        AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string,
    )
    configs = {"/etc/otelcol-modeldata": {path.name: path.read_text() for path in CONFIGS.glob("*.yaml")}}
    with RecordingBackend() as jaeger:
        gateway = start_deployed(
            composed_container("gateway", DEPLOY / "gateway.Dockerfile", configs),
            OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
            OTEL_MODELDATA_TRACES_ENDPOINT=jaeger.endpoint,
        )
        send(gateway.grpc, model_data("event-1"))
        send_span(gateway.grpc, SPAN)
        wait_until(lambda: stored_ids(azurite, store) == ["event-1"])
        jaeger.wait_until(lambda backend: [span.span_id for span in backend.spans()] == [SPAN.span_id])


def test_the_health_check_of_the_image_reports_whether_the_receiver_serves(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    image = last_stage(DEPLOY / "Dockerfile")
    kind, python, *arguments = image["HEALTHCHECK"]
    assert (kind, python) == ("CMD", "python")
    receiver = start_receiver(str(tmp_path))
    code = [word.replace(f"127.0.0.1:{image['EXPOSE'][0]}", receiver.endpoint) for word in arguments]

    def healthy() -> bool:
        return subprocess.run([sys.executable, *code], capture_output=True, timeout=60, check=False).returncode == 0

    assert healthy()
    receiver.stop()
    assert not healthy()
