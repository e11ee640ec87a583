"""The whole path from Azure ML's real scoring server to blobs: the files of `deploy/managed-endpoint` as they are."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from receiver_process import lines_below
from recording_backend import RecordingBackend
from scoring_host import DEPLOY
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from receiver_process import StartReceiver
    from scoring_host import ScoringHost, StartScoringHost

DATA = {"col1": [1, 2, 3], "col2": [2, 3, 4]}
INPUT_ROWS = [{"col1": 1, "col2": 2}, {"col1": 2, "col2": 3}, {"col1": 3, "col2": 4}]
OUTPUT_ROWS = [{"prediction": 3}, {"prediction": 5}, {"prediction": 7}]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER_SPAN_ID = "b7ad6b7169203331"


@pytest.fixture
def tracing() -> Iterator[RecordingBackend]:
    with RecordingBackend() as backend:
        yield backend


def stored(folder: Path, place: str) -> list[dict[str, Any]]:
    """The lines below `place`, which must be an hour's folder as Azure ML monitoring reads it."""
    blobs = sorted(folder.glob(f"{place}/[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/[0-9][0-9]/*.jsonl"))
    return [line for hour in sorted({blob.parent for blob in blobs}) for line in lines_below(hour)]


def end(host: ScoringHost) -> None:
    """End a server as a rollout does; its exit code must be 0."""
    host.terminate()
    assert host.wait() == 0


# S2, S13, S38
def test_the_lines_of_a_scored_request_share_its_id_and_its_span(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tracing: RecordingBackend, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path))
    host = start_scoring_host(
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{receiver.endpoint}",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://{tracing.endpoint}",
    )
    traceparent = f"00-{TRACE_ID}-{CALLER_SPAN_ID}-01"
    answer = host.score(DATA, traceparent=traceparent, x_request_id="request-1")
    end(host)
    assert answer == {"prediction": {"0": 3, "1": 5, "2": 7}}
    (span,) = tracing.spans()
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("POST /score", TRACE_ID, CALLER_SPAN_ID)
    (inputs,), (outputs,) = (stored(tmp_path, f"my-endpoint/blue/{name}") for name in ("model_inputs", "model_outputs"))
    assert len(lines_below(tmp_path)) == 2
    assert (inputs["data"], outputs["data"]) == (INPUT_ROWS, OUTPUT_ROWS)
    assert inputs["correlationid"] == outputs["correlationid"]
    assert inputs["traceparent"] == outputs["traceparent"] == f"00-{TRACE_ID}-{span.span_id.hex()}-01"
    about = {attribute.key: attribute.value.string_value for attribute in span.attributes}
    assert (about["azureml.correlation.id"], about["cloudevents.event_id"]) == (inputs["correlationid"], outputs["id"])


def test_requests_without_a_caller_have_traces_of_their_own_and_probes_have_none(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tracing: RecordingBackend, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path))
    host = start_scoring_host(
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{receiver.endpoint}",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://{tracing.endpoint}",
    )
    for _ in range(3):
        host.score(DATA)
    end(host)
    outputs = stored(tmp_path, "my-endpoint/blue/model_outputs")
    spans = [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in tracing.spans()]
    assert [line["traceparent"] for line in outputs] == spans
    assert len({line["traceparent"].split("-")[1] for line in outputs}) == 3


def test_the_deployment_yaml_names_the_folders_and_switches_collections_off(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tmp_path: Path
) -> None:
    store, config = tmp_path / "store", tmp_path / "deployment.yml"
    deployment = yaml.safe_load((DEPLOY / "deployment.yml").read_text())
    deployment["endpoint_name"], deployment["name"] = "other-endpoint", "green"
    deployment["data_collector"]["collections"]["model_outputs"]["enabled"] = "False"
    config.write_text(yaml.safe_dump(deployment))
    receiver = start_receiver(str(store))
    host = start_scoring_host(
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{receiver.endpoint}",
        OTEL_MODELDATA_CONFIG=str(config),
        OTEL_TRACES_SAMPLER="always_off",
    )
    host.score(DATA)
    end(host)
    (line,) = lines_below(store)
    assert stored(store, "other-endpoint/green/model_inputs") == [line]
    assert line["source"] == "/endpoints/other-endpoint/deployments/green"


def test_events_pending_at_sigterm_are_delivered_before_the_server_ends(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path))
    host = start_scoring_host(
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{receiver.endpoint}", OTEL_TRACES_SAMPLER="always_off"
    )
    assert receiver._process is not None
    os.kill(receiver._process.pid, signal.SIGSTOP)
    for _ in range(20):
        host.score(DATA)
    assert lines_below(tmp_path) == []
    host.terminate()
    os.kill(receiver._process.pid, signal.SIGCONT)
    assert host.wait() == 0
    inputs = stored(tmp_path, "my-endpoint/blue/model_inputs")
    outputs = stored(tmp_path, "my-endpoint/blue/model_outputs")
    ids = [line["correlationid"] for line in inputs]
    assert ids == [line["correlationid"] for line in outputs]
    assert len(set(ids)) == len(ids) == 20


@pytest.mark.parametrize("preload", ["false", "true"])
def test_every_worker_is_a_producer_of_its_own_and_none_loses_an_event(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tmp_path: Path, preload: str
) -> None:
    receiver = start_receiver(str(tmp_path))
    host = start_scoring_host(
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://{receiver.endpoint}",
        OTEL_TRACES_SAMPLER="always_off",
        WORKER_COUNT="2",
        WORKER_PRELOAD=preload,
    )
    sent = 0

    def both_have_scored() -> bool:
        """Wait until a worker has scored: gunicorn ignores a SIGTERM before it has booted."""
        nonlocal sent
        with ThreadPoolExecutor(4) as clients:
            sent += len(list(clients.map(lambda _: host.score(DATA), range(20))))
        return len({line["producer"] for line in lines_below(tmp_path)}) == 2

    wait_until(both_have_scored)
    end(host)
    inputs = stored(tmp_path, "my-endpoint/blue/model_inputs")
    outputs = stored(tmp_path, "my-endpoint/blue/model_outputs")
    assert sorted(line["correlationid"] for line in inputs) == sorted(line["correlationid"] for line in outputs)
    sequences: dict[str, list[int]] = {}
    for line in inputs:
        sequences.setdefault(line["producer"], []).append(int(line["producersequence"]))
    assert len(sequences) == 2
    assert sum(map(len, sequences.values())) == sent
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())
