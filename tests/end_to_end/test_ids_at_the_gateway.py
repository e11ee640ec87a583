"""Records that bring no event id: the first gateway gives them one, so that its own retries are recognized."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from lost_acks import LostAcks
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from otlp_requests import NOON, any_value, record
from otlp_sender import send
from receiver_process import lines_below, wait_for_lines

from otel_modeldata.semconv import CLOUDEVENTS_EVENT_ID

if TYPE_CHECKING:
    from pathlib import Path

    from gateway import StartGateway
    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow
SAME = ("--instance-id", "0123456789abcdef0123456789abcdef")
COUNT = 100


def variables(config: str, endpoint: str) -> dict[str, str]:
    """The settings with which a gateway with `config` sends to `endpoint`."""
    if config == "agent.yaml":
        return {"OTEL_MODELDATA_GATEWAY_ENDPOINT": endpoint, "OTEL_MODELDATA_GATEWAY_INSECURE": "true"}
    return {"OTEL_MODELDATA_RECEIVER_ENDPOINT": endpoint, "OTEL_MODELDATA_RECEIVER_ENDPOINTS": f"[{endpoint}]"}


@pytest.mark.parametrize(
    "config",
    [
        "gateway.yaml",
        pytest.param("gateway-balanced.yaml", marks=pytest.mark.long),
        pytest.param("gateway-traces.yaml", marks=pytest.mark.long),
        pytest.param("agent.yaml", marks=pytest.mark.long),
    ],
)
def test_equal_records_keep_their_ids_through_retries_and_restarts(
    start_gateway: StartGateway, start_receiver: StartReceiver, tmp_path: Path, config: str
) -> None:
    receiver = start_receiver(str(tmp_path), *SAME)
    good, bad = record(time_ns=NOON), record("no json", time_ns=NOON)
    if config == "gateway-traces.yaml":
        good = LogRecord(event_name="gen_ai.user.message", body=any_value("Hello"), time_unix_nano=NOON)
    with LostAcks(receiver.endpoint) as network:
        gateway = start_gateway(config, **variables(config, network.endpoint))
        send(gateway.grpc, *[good] * COUNT, bad, bad)
        network.wait_until_lost(3)
        gateway.kill()
        gateway.start()
        network.wait_until_lost(network.lost + 2)
        receiver.kill()
        receiver.start()
        network.most = network.lost
        network.wait_until_passed(1 if config != "gateway-traces.yaml" else 2)
        assert gateway.stop() == 0
    assert receiver.stop() == 0
    stored = lines_below(tmp_path / "credit")
    assert len({line["id"] for line in stored}) == len(stored) == COUNT
    assert {uuid.UUID(line["id"]).version for line in stored} == {4}
    assert len(lines_below(tmp_path / "_quarantine")) == 2


def test_an_id_that_a_record_brings_is_kept_by_agent_and_gateway(
    start_gateway: StartGateway, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path), *SAME)
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    agent = start_gateway("agent.yaml", **variables("agent.yaml", gateway.grpc))
    unset = {CLOUDEVENTS_EVENT_ID: None}
    send(agent.grpc, record(event_id="a"), record(event_id="a"), record(attributes=unset), record())
    wait_for_lines(tmp_path, 3)
    assert agent.stop() == gateway.stop() == receiver.stop() == 0
    ids = [line["id"] for line in lines_below(tmp_path)]
    assert (len(ids), len(set(ids)), ids.count("a")) == (3, 3, 1)


def test_three_equal_requests_are_three_lines_without_a_gateway(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path), *SAME)
    for _ in range(3):
        send(receiver.endpoint, record(time_ns=NOON), record("no json", time_ns=NOON))
    lines = lines_below(tmp_path / "credit")
    assert [line["data"] for line in lines] == [[{"age": 42, "income": 1234.5}]] * 3
    assert len({line["id"] for line in lines}) == 3
    assert len({line["id"] for line in lines_below(tmp_path / "_quarantine")}) == 3
