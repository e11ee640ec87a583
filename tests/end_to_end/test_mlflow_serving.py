"""`opentelemetry-instrument mlflow models serve` collects data: from a request to the lines in the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from gateway import free_port
from receiver_process import lines_below
from recording_backend import RecordingBackend
from scoring_host import clean_environment
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receiver_process import ReceiverProcess, StartReceiver

    StartServer = Callable[..., "Server"]

BIN = Path(sys.executable).parent
DEPLOYMENT = """
endpoint_name: iris
name: blue
data_collector:
  collections:
    model_inputs: {enabled: 'True'}
    model_outputs: {enabled: 'True'}
    request: {enabled: 'True'}
    response: {enabled: 'True'}
"""
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    # Another distribution of OpenTelemetry is installed too, and the first one found would be used.
    "OTEL_PYTHON_DISTRO": "distro",
    "OTEL_PYTHON_CONFIGURATOR": "configurator",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
}
SAVE = """
import sys, mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

frame, target = load_iris(as_frame=True, return_X_y=True)
model = LogisticRegression(max_iter=500).fit(frame, target)
signature = infer_signature(frame, model.predict(frame))
mlflow.sklearn.save_model(model, sys.argv[1], signature=signature, pip_requirements=[])
"""
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
SETOSA, VIRGINICA = [5.1, 3.5, 1.4, 0.2], [5.9, 3.0, 5.1, 1.8]
TWO = {"dataframe_split": {"columns": COLUMNS, "data": [SETOSA, VIRGINICA]}}
ROWS = [dict(zip(COLUMNS, values, strict=True)) for values in (SETOSA, VIRGINICA)]
PREDICTED = [{"0": 0}, {"0": 2}]
INSTANCE = "0123456789abcdef0123456789abcdef"
"""The same after a restart, so that the lines of an hour stay in one blob, in order."""
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Server:
    """MLflow's command, which starts uvicorn, which starts workers: one process group."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"MLflow's server did not start:\n{self.log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5):
                return True
        except OSError:
            return False

    def score(self, request: dict[str, Any], **headers: str) -> Any:
        post = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations",
            json.dumps(request).encode(),
            {"Content-Type": "application/json"} | headers,
        )
        with urllib.request.urlopen(post, timeout=60) as response:
            return json.load(response)

    def terminate(self) -> None:
        """Send SIGTERM to all, as at the end of a container; return at once."""
        os.killpg(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the remaining processes of the group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SAVE), str(folder)]
    done = subprocess.run(
        command, env=clean_environment() | QUIET, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return str(folder)


@pytest.fixture
def tracing() -> Iterator[RecordingBackend]:
    with RecordingBackend() as backend:
        yield backend


@pytest.fixture
def start_server(
    model: str, tracing: RecordingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartServer]:
    """Starts servers: `start_server(receiver, "--workers", "2")`; all are stopped after the test."""
    started: list[Server] = []

    def start(receiver: ReceiverProcess, *flags: str) -> Server:
        folder, port = tmp_path_factory.mktemp("server"), free_port()
        (folder / "deployment.yml").write_text(DEPLOYMENT)
        variables = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"http://{receiver.endpoint}",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{tracing.endpoint}",
            "OTEL_MODELDATA_CONFIG": str(folder / "deployment.yml"),
        }
        command = ["opentelemetry-instrument", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
        log = folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:], "--host", "127.0.0.1", "--port", str(port), *flags],
                cwd=folder,
                env=clean_environment() | QUIET | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Server(process, port, log))
        wait_until(started[-1].answers)
        return started[-1]

    yield start
    for server in started:
        server.kill()


def stored(folder: Path, collection: str) -> list[dict[str, Any]]:
    return lines_below(folder / "iris" / "blue" / collection)


def model_uuid(model: str) -> str:
    uuid: str = yaml.safe_load((Path(model) / "MLmodel").read_text())["model_uuid"]
    return uuid


def test_a_served_model_is_collected_without_a_script_and_nothing_is_lost_at_its_end(
    start_receiver: StartReceiver, start_server: StartServer, tracing: RecordingBackend, model: str, tmp_path: Path
) -> None:
    """S78, S82: events pending in memory at SIGTERM are delivered, too: the receiver is down until then."""
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    server = start_server(receiver)
    assert server.score(TWO, traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01") == {"predictions": [0, 2]}
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.score({"dataframe_split": {"columns": ["x"], "data": [[1]]}})
    assert refused.value.code == 400
    wait_until(lambda: len(stored(tmp_path, "model_inputs")) == 2 and len(stored(tmp_path, "model_outputs")) == 1)
    (first, refused_input), (answer,) = stored(tmp_path, "model_inputs"), stored(tmp_path, "model_outputs")
    assert (first["data"], answer["data"], refused_input["data"]) == (ROWS, PREDICTED, [{"x": 1}])
    assert first["traceparent"] == answer["traceparent"]
    _, trace_id, span_id, _ = first["traceparent"].split("-")
    assert trace_id == TRACE_ID
    tracing.wait_until(lambda backend: span_id in {span.span_id.hex() for span in backend.spans()})
    assert receiver.stop() == 0
    for _ in range(20):
        server.score({"inputs": ROWS})
    server.terminate()
    receiver.start()
    expected = {"model_inputs": 22, "model_outputs": 21, "response": 22}
    wait_until(lambda: {name: len(stored(tmp_path, name)) for name in expected} == expected)
    inputs, outputs = stored(tmp_path, "model_inputs"), stored(tmp_path, "model_outputs")
    assert [line["data"] for line in inputs] == [ROWS, [{"x": 1}], *[ROWS] * 20]
    assert [line["data"] for line in outputs] == [PREDICTED] * 21
    ids = [line["correlationid"] for line in inputs]
    ids.remove(refused_input["correlationid"])
    assert ids == [line["correlationid"] for line in outputs]
    assert len(set(ids)) == 21
    for payloads in ("request", "response"):
        assert {line["correlationid"] for line in stored(tmp_path, payloads)} == {*ids, refused_input["correlationid"]}
    assert {line["modelversion"] for line in inputs + outputs} == {model_uuid(model)}


@pytest.mark.long
def test_every_worker_of_a_served_model_collects(
    start_receiver: StartReceiver, start_server: StartServer, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    server = start_server(receiver, "--workers", "2")
    sent = 0

    def both_have_scored() -> bool:
        nonlocal sent
        server.score(TWO)
        sent += 1
        return len({line["producer"] for line in lines_below(tmp_path)}) == 2

    wait_until(both_have_scored)
    server.terminate()
    # A batch that begins with outputs delivers these before its inputs.
    wait_until(lambda: {len(stored(tmp_path, name)) for name in ("model_inputs", "model_outputs")} == {sent})
    inputs, outputs = stored(tmp_path, "model_inputs"), stored(tmp_path, "model_outputs")
    assert [line["data"] for line in inputs] == [ROWS] * sent
    assert sorted(line["correlationid"] for line in inputs) == sorted(line["correlationid"] for line in outputs)
