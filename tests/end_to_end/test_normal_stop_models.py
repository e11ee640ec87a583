"""Model servers that are stopped as a platform stops them, and which of the collected events are stored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from build_cache import cache_root
from gateway import REPOSITORY
from prerequisites import need
from recording_backend import RecordingBackend
from stopped_server import REQUESTS, Machine, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring_host import StartScoringHost

pytestmark = [pytest.mark.slow, pytest.mark.long]

LITSERVE = """
import sys
import litserve
from scored import score

class Model(litserve.LitAPI):
    def setup(self, device): ...
    def decode_request(self, request): return request["name"]
    def predict(self, name): return score(name).decode()
    def encode_response(self, output): return output

if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu")
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
"""
MLFLOW = """
import sys
import mlflow

class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        import scored

        self.score = scored.score

    def predict(self, context, model_input, params=None):
        return [self.score(str(model_input["name"].iloc[0])).decode()]

mlflow.pyfunc.save_model(sys.argv[1], python_model=Model(), pip_requirements=[])
"""

KSERVE = """
import sys
from kserve import Model, ModelServer
from scored import score

class Scored(Model):
    def __init__(self):
        super().__init__("scored")
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": [score(payload["name"]).decode()]}

if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False).start([Scored()])
"""


@pytest.fixture(scope="session")
def kserve_python() -> Path:
    """Python of an environment of its own, kept in the cache: KServe pins versions of libraries."""
    uv = (
        [sys.executable, "-m", "uv"]
        if find_spec("uv")
        else [need("uv", "pip install uv, it makes KServe's environment")]
    )
    folder = cache_root().absolute() / "kserve"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True, timeout=120)
    install = [
        *uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "kserve>=0.15",
        "pandas",
        "-e",
        str(REPOSITORY),
    ]
    subprocess.run(install, check=True, timeout=900)
    return python


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with RecordingBackend() as backend:
        yield Machine(backend, tmp_path)


def _post(url: str, body: object) -> str:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        text: str = response.read().decode()
        return text


LIKE_CTRL_C = LITSERVE.replace(
    "    server = ", "    import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\n    server = "
)
"""LitServe's main process does not end its workers on SIGTERM, but on Ctrl-C: as the guide recommends."""


@pytest.mark.parametrize(
    ("code", "signum", "group"),
    [
        pytest.param(LITSERVE, signal.SIGTERM, True, id="SIGTERM to the group"),
        pytest.param(LITSERVE, signal.SIGINT, True, id="SIGINT to the group"),
        pytest.param(LITSERVE, signal.SIGINT, False, id="SIGINT"),
        pytest.param(LIKE_CTRL_C, signal.SIGTERM, False, id="SIGTERM like Ctrl-C"),
    ],
)
def test_the_workers_of_litserve_deliver_before_they_end(
    machine: Machine, code: str, signum: int, interrupts: None, *, group: bool
) -> None:
    program = machine.folder / "serve.py"
    program.write_text(code, "utf-8")
    stopped = machine.stop(
        ("python", str(program), "PORT"),
        signum=signum,
        group=group,  # without it the workers that are left are killed when the main process has ended, as by an init
        ready="health",
        ask=lambda port, name: _post(f"http://127.0.0.1:{port}/predict", {"name": name}),
    )
    assert machine.stored() >= expected(stopped.answered), stopped.log


@pytest.mark.parametrize("workers", [1, 2])
def test_mlflows_scoring_server_delivers_before_it_ends(
    machine: Machine, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = machine.folder / "model"
    code = [sys.executable, "-W", "ignore", "-c", MLFLOW, str(model)]
    subprocess.run(code, check=True, timeout=120, capture_output=True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    command = ("mlflow", "models", "serve", "-m", str(model), "--env-manager", "local", "-p", "PORT")
    stopped = machine.stop(
        (*command, "-w", str(workers)),
        workers=workers,
        group=True,
        ready="ping",
        ask=lambda port, name: _post(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": [{"name": name}]}),
    )
    assert machine.stored() >= expected(stopped.answered), stopped.log


def test_azures_scoring_server_delivers_before_it_ends(start_scoring_host: StartScoringHost) -> None:
    with RecordingBackend() as backend:
        host = start_scoring_host(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{backend.endpoint}")
        for n in range(REQUESTS):
            host.score({"age": [n], "income": [1.0]})
        host.terminate()
        assert host.wait() == 0
        assert len(backend.records()) == 2 * REQUESTS


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_kserves_model_server_delivers_before_it_ends(
    machine: Machine, kserve_python: Path, signum: int, interrupts: None
) -> None:
    program = machine.folder / "serve.py"
    program.write_text(KSERVE, "utf-8")
    stopped = machine.stop(
        (str(kserve_python), str(program), "PORT"),
        signum=signum,
        ready="v1/models",
        ask=lambda port, name: _post(
            f"http://127.0.0.1:{port}/v1/models/scored:predict", {"instances": [1], "name": name}
        ),
    )
    assert machine.stored() >= expected(stopped.answered), stopped.log
    assert stopped.status == 0, stopped.log
