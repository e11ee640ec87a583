"""Azure ML's own scoring server, in the environment it pins: the second environment of the tests.

`azureml-inference-server-http` fixes opentelemetry 1.33.0, so it cannot live beside the newest line. Its environment
is the group `scoring-host` of pyproject.toml, made by uv from the lock file and kept in `.cache/scoring-host` at the
root of the repository (`OTEL_MODELDATA_TEST_CACHE` moves it); the SDK in it is this working tree.

`start_scoring_host` runs the server as Azure's image does: `azmlinfsrv --entry_script .. --port ..`, with the files of
`deploy/managed-endpoint`. Only the address differs: the server listens on every interface, the tests on loopback.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from gateway import REPOSITORY, cache_root, free_port
from prerequisites import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Protocol

    class StartScoringHost(Protocol):
        """What the `start_scoring_host` fixture offers: environment variables to a server that is ready."""

        def __call__(self, *under: str, **variables: str) -> ScoringHost: ...


DEPLOY = REPOSITORY / "deploy" / "managed-endpoint"
NO_UV = "pip install uv, it makes the second environment of the tests"
SYNC_SECONDS = 900
"""A first environment downloads about 60 MB."""
START_SECONDS = 120.0
STOP_SECONDS = 60.0
"""Above the 30 s after which gunicorn kills a worker that does not end."""
LOOPBACK_ONLY = """\
import os, runpy
globals().update(runpy.run_path(os.environ["GUNICORN_CONFIG_OF_THE_DEPLOYMENT"]))

def on_starting(server):
    server.cfg.set("bind", "127.0.0.1:" + os.environ["SERVER_PORT"])
"""
"""The deployment's gunicorn settings; azmlinfsrv gives its address on the command line, which wins over files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first pays for the environment: none that may be it is stopped by the ordinary limit."""
    for item in items:
        if "scoring_host_bin" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SYNC_SECONDS + 600))


@pytest.fixture(scope="session")
def scoring_host_bin() -> Path:
    """The folder with `python` and `azmlinfsrv` of the second environment, made now or brought up to date."""
    uv = [sys.executable, "-m", "uv"] if find_spec("uv") else [need("uv", NO_UV)]
    folder = cache_root() / "scoring-host"
    command = [*uv, "sync", "--frozen", "--no-default-groups", "--group", "scoring-host", "--python", sys.executable]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder.absolute())},
        capture_output=True,
        text=True,
        timeout=SYNC_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"making the second environment failed: {' '.join(command)}\n{done.stderr[-4000:]}")
    return folder / ("Scripts" if os.name == "nt" else "bin")


def clean_environment() -> dict[str, str]:
    """This process's environment without what would reach the SDK, the server or another interpreter."""
    foreign = ("OTEL_", "AZUREML_", "AML_", "GUNICORN_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@dataclass(kw_only=True)
class ScoringHost:
    """One server: gunicorn with its workers."""

    command: list[str]
    variables: dict[str, str]
    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Start the server and wait until a worker answers the liveness probe."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=clean_environment() | self.variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"the scoring server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5):
                return True
        except OSError:
            return False

    def score(self, data: dict[str, list[Any]], **headers: str) -> Any:
        """What `POST /score` answers; headers are written with `_` for `-`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/score",
            json.dumps({"data": data}).encode(),
            {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            pytest.fail(f"scoring failed: {error} {error.read()!r}\n{self.log.read_text()[-4000:]}")

    def terminate(self) -> None:
        """SIGTERM, as a rollout sends it; returns at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=STOP_SECONDS)

    def kill(self) -> None:
        """End it and its workers, if it has not ended."""
        if self._process is not None and self._process.poll() is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@pytest.fixture
def start_scoring_host(scoring_host_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartScoringHost]:
    """Starts servers: `start_scoring_host(OTEL_EXPORTER_OTLP_ENDPOINT=...)`; all are stopped after the test.

    Words are programs of the same environment under which the server runs.
    """
    started: list[ScoringHost] = []

    def start(*under: str, **variables: str) -> ScoringHost:
        folder = tmp_path_factory.mktemp("scoring-host")
        config = folder / "loopback.conf.py"
        config.write_text(LOOPBACK_ONLY)
        port = free_port()
        own = {
            "GUNICORN_CMD_ARGS": f"--config={config} --no-control-socket",
            "GUNICORN_CONFIG_OF_THE_DEPLOYMENT": str(DEPLOY / "gunicorn.conf.py"),
            "OTEL_MODELDATA_CONFIG": str(DEPLOY / "deployment.yml"),
        }
        programs = [str(scoring_host_bin / name) for name in (*under, "azmlinfsrv")]
        host = ScoringHost(
            command=[*programs, "--entry_script", str(DEPLOY / "score.py"), "--port", str(port)],
            variables=own | variables,
            folder=folder,
            port=port,
        )
        started.append(host)
        host.start()
        return host

    yield start
    for host in started:
        host.kill()
