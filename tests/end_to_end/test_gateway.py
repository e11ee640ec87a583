"""What the gateway guarantees, tested with the real distribution and the repository's own configs."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import grpc
import pytest
from otlp_requests import decoded, request
from otlp_sender import SPAN, model_data, ordinary_log, send, send_once, send_span
from recording_backend import (
    DEADLINE_SECONDS,
    RecordingBackend,
    exhausted_with_retry_info,
    unavailable_with_retry_info,
)

from otel_modeldata.semconv import CLOUDEVENTS_EVENT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway import Gateway, StartGateway

MIB = 1024 * 1024


@pytest.fixture
def receiver() -> Iterator[RecordingBackend]:
    """A backend in place of the receiver."""
    with RecordingBackend() as backend:
        yield backend


@pytest.fixture
def tracing() -> Iterator[RecordingBackend]:
    with RecordingBackend() as backend:
        yield backend


@pytest.fixture
def logging_backend() -> Iterator[RecordingBackend]:
    with RecordingBackend() as backend:
        yield backend


def ids(backend: RecordingBackend) -> list[str]:
    """Event ids of the records that arrived, sorted because retries change the order."""
    return sorted(
        attribute.value.string_value
        for record in backend.records()
        for attribute in record.attributes
        if attribute.key == CLOUDEVENTS_EVENT_ID
    )


def has(count: int) -> Callable[[RecordingBackend], bool]:
    return lambda backend: len(backend.records()) >= count


# --- Routing ------------------------------------------------------------------------------------------------


def test_model_data_logs_and_spans_are_routed_separately_and_arrive_unchanged(
    start_gateway: StartGateway,
    receiver: RecordingBackend,
    tracing: RecordingBackend,
    logging_backend: RecordingBackend,
) -> None:
    gateway = start_gateway(
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
        OTEL_MODELDATA_TRACES_EXPORTER="otlp_grpc/traces",
        OTEL_MODELDATA_TRACES_ENDPOINT=tracing.endpoint,
        OTEL_MODELDATA_LOGS_EXPORTER="otlp_grpc/logs",
        OTEL_MODELDATA_LOGS_ENDPOINT=logging_backend.endpoint,
    )
    data = [model_data("event-1"), model_data("event-2", '[{"é":null}]')]
    line = ordinary_log("model loaded")

    send(gateway.grpc, data[0], line, data[1])
    send_span(gateway.grpc, SPAN)

    receiver.wait_until(has(2))
    logging_backend.wait_until(has(1))
    tracing.wait_until(lambda backend: len(backend.spans()) == 1)
    assert receiver.log_requests() == [decoded(request(*data))]
    assert logging_backend.log_requests() == [decoded(request(line))]
    assert tracing.spans() == [SPAN]
    assert (tracing.records(), receiver.spans(), logging_backend.spans()) == ([], [], [])


def test_model_data_is_accepted_over_otlp_http_too(start_gateway: StartGateway, receiver: RecordingBackend) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    post = urllib.request.Request(
        f"http://{gateway.http}/v1/logs",
        data=request(model_data("over-http")),
        headers={"Content-Type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(post, timeout=DEADLINE_SECONDS) as response:
        assert response.status == 200
    receiver.wait_until(has(1))
    assert receiver.records() == [model_data("over-http")]


def test_a_dead_backend_of_ordinary_logs_and_spans_does_not_delay_model_data(
    start_gateway: StartGateway, receiver: RecordingBackend, tracing: RecordingBackend
) -> None:
    tracing.stop()
    gateway = start_gateway(
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
        OTEL_MODELDATA_LOGS_EXPORTER="otlp_grpc/logs",
        OTEL_MODELDATA_LOGS_ENDPOINT=tracing.endpoint,
        OTEL_MODELDATA_TRACES_EXPORTER="otlp_grpc/traces",
        OTEL_MODELDATA_TRACES_ENDPOINT=tracing.endpoint,
    )
    for number in range(20):
        send(gateway.grpc, ordinary_log("noise"), model_data(f"event-{number:02}"))
        send_span(gateway.grpc, SPAN)
    receiver.wait_until(has(20))
    assert ids(receiver) == [f"event-{number:02}" for number in range(20)]


def test_without_backends_of_their_own_spans_and_ordinary_logs_are_counted_in_the_gateways_log(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    send_span(gateway.grpc, SPAN)
    send(gateway.grpc, ordinary_log("a line"), model_data("event"))
    receiver.wait_until(has(1))
    assert gateway.stop() == 0
    assert '"spans": 1' in gateway.log_text()
    assert '"log records": 1' in gateway.log_text()
    assert receiver.records() == [model_data("event")]


# --- Sizes --------------------------------------------------------------------------------------------------------


def test_a_record_of_16_mib_passes_and_the_records_beside_it_too(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    large = model_data("m", '[{"a":"' + "x" * (16 * MIB) + '"}]')
    before = [model_data(f"a{number}") for number in range(10)]
    after = [model_data(f"z{number}") for number in range(10)]
    send(gateway.grpc, *before, large, *after)
    receiver.wait_until(has(21))
    assert receiver.records() == [*before, large, *after]


def test_600_records_of_100_kb_pass_as_one_request(start_gateway: StartGateway, receiver: RecordingBackend) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    records = [model_data(f"{number:03}", '[{"a":"' + "x" * 100_000 + '"}]') for number in range(600)]
    send(gateway.grpc, *records)
    receiver.wait_until(has(600))
    assert receiver.records() == records


def test_the_largest_accepted_request_is_sent_even_when_it_is_batched_with_smaller_ones(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    largest = 68 * MIB
    frame = len(request(model_data("m", "x" * largest))) - largest
    send(gateway.grpc, model_data("a"))
    send(gateway.grpc, model_data("m", "x" * (largest - frame)))
    send(gateway.grpc, model_data("z"))
    receiver.wait_until(has(3))
    assert ids(receiver) == ["a", "m", "z"]


def test_a_request_that_is_too_large_is_refused_on_arrival_with_size_and_limit(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    with pytest.raises(grpc.RpcError) as refused:
        send(gateway.grpc, model_data("m", "x" * (68 * MIB)))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"vs. {68 * MIB}" in refused.value.details()
    send(gateway.grpc, model_data("z"))
    receiver.wait_until(has(1))
    assert ids(receiver) == ["z"]


# --- Faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [unavailable_with_retry_info, exhausted_with_retry_info])
def test_a_receiver_that_refuses_with_retry_info_gets_everything_once_it_recovers(
    start_gateway: StartGateway,
    receiver: RecordingBackend,
    refusal: Callable[[grpc.ServicerContext], None],
) -> None:
    receiver.refuse(refusal)
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    for number in range(50):
        send(gateway.grpc, model_data(f"{number:02}"))
    receiver.wait_until(lambda backend: backend.refused >= 3)
    receiver.refuse(None)
    receiver.wait_until(has(50))
    assert ids(receiver) == [f"{number:02}" for number in range(50)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_gateway_that_stops_while_the_receiver_is_down_delivers_everything_after_its_restart(
    start_gateway: StartGateway, receiver: RecordingBackend, end: str
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    receiver.stop()
    # Some wait in the queue, some are in an attempt that fails.
    for number in range(200):
        send(gateway.grpc, model_data(f"{number:03}", '[{"a":"' + "x" * 20_000 + '"}]'))
    getattr(gateway, end)()
    receiver.start()
    gateway.start()
    receiver.wait_until(has(200))
    assert ids(receiver) == [f"{number:03}" for number in range(200)]


def test_a_gateway_killed_in_the_middle_of_traffic_loses_nothing_it_acknowledged(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    acknowledged = []
    for number in range(90):
        if number % 30 == 20:
            gateway.kill()
            gateway.start()
        send(gateway.grpc, model_data(f"{number:02}"))
        acknowledged.append(f"{number:02}")
    receiver.wait_until(lambda backend: set(ids(backend)) >= set(acknowledged))
    assert sorted(set(ids(receiver))) == acknowledged


def test_a_gateway_short_of_memory_refuses_with_a_code_that_senders_retry(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint, OTEL_MODELDATA_GATEWAY_MEMORY_MIB="1")
    accepted = []

    def send_until_refused() -> None:
        for number in range(10_000):
            send_once(gateway.grpc, model_data(f"{number:04}", "x" * 100_000))
            accepted.append(f"{number:04}")

    with pytest.raises(grpc.RpcError) as refused:
        send_until_refused()
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    receiver.wait_until(has(len(accepted)))
    assert ids(receiver) == accepted


# --- The agent ----------------------------------------------------------------------------------------------------


def start_agent(start_gateway: StartGateway, endpoint: str) -> Gateway:
    return start_gateway("agent.yaml", OTEL_MODELDATA_GATEWAY_ENDPOINT=endpoint, OTEL_MODELDATA_GATEWAY_INSECURE="true")


def test_an_agent_and_a_gateway_deliver_model_data_logs_and_spans(
    start_gateway: StartGateway, receiver: RecordingBackend, tracing: RecordingBackend
) -> None:
    gateway = start_gateway(
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
        OTEL_MODELDATA_LOGS_EXPORTER="otlp_grpc/logs",
        OTEL_MODELDATA_LOGS_ENDPOINT=tracing.endpoint,
        OTEL_MODELDATA_TRACES_EXPORTER="otlp_grpc/traces",
        OTEL_MODELDATA_TRACES_ENDPOINT=tracing.endpoint,
    )
    agent = start_agent(start_gateway, gateway.grpc)
    send(agent.grpc, model_data("small"), ordinary_log("a line"), model_data("large", "x" * (64 * MIB)))
    send_span(agent.grpc, SPAN)
    receiver.wait_until(has(2))
    tracing.wait_until(lambda backend: len(backend.records()) == 1 and len(backend.spans()) == 1)
    assert ids(receiver) == ["large", "small"]
    assert (tracing.records(), tracing.spans()) == ([ordinary_log("a line")], [SPAN])


def test_an_agent_killed_while_the_gateway_is_down_delivers_everything_after_its_restart(
    start_gateway: StartGateway, receiver: RecordingBackend
) -> None:
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    agent = start_agent(start_gateway, gateway.grpc)
    gateway.kill()
    for number in range(100):
        send(agent.grpc, model_data(f"{number:02}"))
    agent.kill()
    gateway.start()
    agent.start()
    receiver.wait_until(has(100))
    assert ids(receiver) == [f"{number:02}" for number in range(100)]
