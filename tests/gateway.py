"""The gateway as tests start it: the repository's own distribution, built once, running the repository's own configs.

`start_gateway` is what tests ask for. It starts the real binary on free loopback ports through the environment
variables that the configs offer, so a test of a setting is a test of the file that users run.

The binary is kept in `.cache/gateway/` at the root of the repository (`OTEL_MODELDATA_TEST_CACHE` moves it), one
folder for each content of the manifest. Where Go is missing on a contributor's machine, the `rotel` wheel is the
gateway of those tests that need no more than "OTLP in, OTLP out"; it acknowledges from memory, so it can prove no
promise.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from prerequisites import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    class StartGateway(Protocol):
        """What the `start_gateway` fixture offers."""

        def __call__(self, config: str = ..., **variables: str) -> Gateway: ...

    class StartAnyGateway(Protocol):
        """What the `start_any_gateway` fixture offers."""

        def __call__(self, receiver: str) -> Gateway: ...


REPOSITORY = Path(__file__).parent.parent
CONFIGS = REPOSITORY / "otel-config"
MANIFEST = CONFIGS / "builder-config.yaml"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.159.0"
"""The builder of the release that the manifest names."""
BUILD_SECONDS = 1500
"""A first build downloads and compiles about 400 modules: 80 s on two idle cores, many times that on a busy machine."""
START_SECONDS = 60.0
BELOW = {"gateway-balanced.yaml": ["gateway.yaml"], "gateway-traces.yaml": ["gateway.yaml"]}
"""Configs that are merged into others."""
NO_GO = "install Go >= 1.25 (https://go.dev/dl), it builds the gateway once"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first pays for the build: none that may be it is stopped by the ordinary time limit."""
    for item in items:
        if {"gateway_binary", "start_any_gateway"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 300))


def cache_root() -> Path:
    """Where tests keep what is expensive to make; always safe to delete."""
    return Path(os.environ.get("OTEL_MODELDATA_TEST_CACHE") or REPOSITORY / ".cache")


def program(built_in: Path, manifest: Path = MANIFEST) -> Path:
    """Where the manifest tells the builder to leave the program, seen from the folder it ran in."""
    dist = yaml.safe_load(manifest.read_text())["dist"]
    return built_in.joinpath(dist["output_path"], dist["name"])


def built_folder(manifest: Path = MANIFEST) -> Path:
    """Where the distribution of the present manifest is kept."""
    key = hashlib.sha256(manifest.read_bytes() + f"{BUILDER} {sys.platform} {platform.machine()}".encode()).hexdigest()
    return cache_root() / "gateway" / key[:16]


def build(go: str, folder: Path, manifest: Path = MANIFEST) -> None:
    """Build the distribution into `folder`, whole or not at all: runs side by side do not see half a program."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        log = Path(scratch, "build.log")
        command = [go, "run", BUILDER, f"--config={manifest}"]
        with log.open("w") as output:
            done = subprocess.run(
                command, cwd=scratch, stdout=output, stderr=subprocess.STDOUT, timeout=BUILD_SECONDS, check=False
            )
        if done.returncode != 0:
            pytest.fail(f"building the gateway failed: {' '.join(command)}\n{log.read_text()[-4000:]}")
        _keep(Path(scratch), folder, manifest)


def _keep(built_in: Path, folder: Path, manifest: Path) -> None:
    """Move the program alone into the cache; another run may have been faster."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        finished = Path(scratch, "finished")
        target = program(finished, manifest)
        target.parent.mkdir(parents=True)
        shutil.copy2(program(built_in, manifest), target)
        try:
            finished.rename(folder)
        except OSError:
            if not program(folder, manifest).exists():
                raise


@pytest.fixture(scope="session")
def gateway_binary(request: pytest.FixtureRequest) -> Path:
    """The distribution of `otel-config/builder-config.yaml`, built now or taken from the cache."""
    go = need("go", NO_GO)
    folder = built_folder()
    if not program(folder).exists():
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\nbuilding the gateway into {folder}, once, this takes minutes ...", file=sys.stderr, flush=True)
        build(go, folder)
    return program(folder)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Gateway:
    """One gateway process, which can be stopped, killed and started again on the same ports and the same queue."""

    command: list[str]
    variables: dict[str, str]
    grpc: str
    http: str
    health: str | None
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process and wait until it serves."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command, env=os.environ | self.variables, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"the gateway did not start: {' '.join(self.command)}\n{self.log_text()[-4000:]}")
            time.sleep(0.02)

    def _serves(self) -> bool:
        try:
            if self.health is None:
                with socket.create_connection(self._address(self.grpc), timeout=5):
                    return True
            with urllib.request.urlopen(f"http://{self.health}/", timeout=5):
                return True
        except OSError:  # refused, or the health check's 503
            return False

    @staticmethod
    def _address(endpoint: str) -> tuple[str, int]:
        host, port = endpoint.split(":")
        return host, int(port)

    def stop(self) -> int:
        """SIGTERM, as a rollout does; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as running out of memory does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"the gateway ignored {how.name} for {START_SECONDS} s\n{self.log_text()[-4000:]}")

    def log_text(self) -> str:
        """What the process has printed so far, over all its starts."""
        return self.log.read_text(errors="replace")


def _otelcol(binary: Path, config: str, folder: Path, variables: Mapping[str, str]) -> Gateway:
    """A process of the real distribution; `config` is a file of `otel-config`."""
    kind = "AGENT" if config == "agent.yaml" else "GATEWAY"
    configs = [*BELOW.get(config, ()), config]
    grpc, http, health = (f"127.0.0.1:{free_port()}" for _ in range(3))
    own = {
        f"OTEL_MODELDATA_{kind}_LISTEN": grpc,
        f"OTEL_MODELDATA_{kind}_LISTEN_HTTP": http,
        f"OTEL_MODELDATA_{kind}_HEALTH": health,
        f"OTEL_MODELDATA_{kind}_METRICS_PORT": str(free_port()),
        f"OTEL_MODELDATA_{kind}_QUEUE": str(folder / "queue"),
    }
    return Gateway(
        command=[str(binary), *(f"--config={CONFIGS / name}" for name in configs)],
        variables=own | dict(variables),
        grpc=grpc,
        http=http,
        health=health,
        log=folder / "gateway.log",
    )


@pytest.fixture
def start_gateway(gateway_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Starts gateways: `start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=...)`; all are stopped after the test."""
    started: list[Gateway] = []

    def start(config: str = "gateway.yaml", **variables: str) -> Gateway:
        gateway = _otelcol(gateway_binary, config, tmp_path_factory.mktemp("gateway"), variables)
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.kill()


def rotel(agent: Path, receiver: str, folder: Path, *, protocol: str = "grpc") -> Gateway:
    """A process of the third-party gateway: everything goes to the receiver, nothing survives a kill."""
    grpc, http = (f"127.0.0.1:{free_port()}" for _ in range(2))
    flags = {
        "--otlp-grpc-endpoint": grpc,
        "--otlp-http-endpoint": http,
        "--otlp-grpc-max-recv-msg-size-mib": "68",
        "--exporter": "otlp",
        "--otlp-exporter-protocol": protocol,
        "--otlp-exporter-endpoint": f"http://{receiver}",
        "--pid-file": str(folder / "rotel.pid"),
    }
    command = [str(agent), "start", *(word for flag in flags.items() for word in flag)]
    return Gateway(command=command, variables={}, grpc=grpc, http=http, health=None, log=folder / "gateway.log")


def rotel_agent() -> Path | None:
    """The program inside the `rotel` wheel, where that is installed."""
    found = importlib.util.find_spec("rotel")
    return None if found is None or found.origin is None else Path(found.origin).parent / "rotel-agent"


@pytest.fixture
def start_any_gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartAnyGateway]:
    """Starts a gateway before `receiver`: ours, or where Go is missing the one of the `rotel` wheel."""
    agent = rotel_agent()
    ours = agent is None or os.environ.get("CI") == "true" or shutil.which("go") is not None
    binary = request.getfixturevalue("gateway_binary") if ours else None
    started: list[Gateway] = []

    def start(receiver: str) -> Gateway:
        folder = tmp_path_factory.mktemp("gateway")
        if binary is None:
            assert agent is not None
            gateway = rotel(agent, receiver, folder)
        else:
            gateway = _otelcol(binary, "gateway.yaml", folder, {"OTEL_MODELDATA_RECEIVER_ENDPOINT": receiver})
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.kill()
