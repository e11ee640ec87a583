"""Workloads of one SDK in its own process: ours with a real receiver, azureml-ai-monitoring with an HTTP sink."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from receiver_process import ReceiverProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arrivals import Arrivals
    from case import Run

HERE: Final = Path(__file__).parent
LONGEST_SECONDS: Final = 3600.0


class CountingSink:
    """Replaces Azure's sidecar: answers 200 to each POST and counts them.

    Args:
        arrivals: what checks the rows of each event.
    """

    def __init__(self, arrivals: Arrivals | None = None) -> None:
        self._arrivals = arrivals

    def __enter__(self) -> Self:
        sink = self
        self.count = 0
        self.wrong: list[AssertionError] = []
        self.open = threading.Event()
        self.open.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sink.open.wait()
                sink._take(self.headers["ce-type"], self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, event_type: str, rows: bytes) -> None:
        if self._arrivals is not None:
            try:
                self._arrivals.add(event_type.removeprefix("azureml.inference."), rows)
            except AssertionError as wrong:
                self.wrong.append(wrong)
        self.count += 1

    @property
    def variables(self) -> dict[str, str]:
        """The variables that make the official SDK send here."""
        return {
            "AZUREML_MDC_ENABLED": "true",
            "AZUREML_MDC_HOST": "127.0.0.1",
            "AZUREML_MDC_PORT": str(self.port),
            "AZUREML_MDC_QUEUE_CAPACITY": "1000000",
        }


@contextmanager
def receiver(store: str = "", config: str = "", **variables: str) -> Iterator[ReceiverProcess]:
    """A receiver on `store`, by default a new folder, with the settings of the YAML text `config`."""
    with tempfile.TemporaryDirectory() as scratch:
        flags = ["--instance-id", "0" * 32]
        if config:
            Path(scratch, "receiver.yaml").write_text(config)
            flags += ["--config", f"{scratch}/receiver.yaml"]
        log = Path(scratch, "log")
        process = ReceiverProcess(store=store or f"{scratch}/store", flags=tuple(flags), variables=variables, log=log)
        process.start()
        try:
            yield process
        finally:
            process.kill()


def ours(workload: str, settings: dict[str, Any], script: str = "workloads.py") -> Run:
    """Run a workload with our SDK; stored events must equal sent events in number, order and rows."""
    with receiver() as one:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{one.endpoint}"}
        result = run(workload, settings | {"sender": "ours"}, environ, script)
        assert one.stop() == 0
        check(Path(one.store), round(result["sent"]), settings.get("rows", 1))
    return result


def check(store: Path, sent: int, rows: int) -> None:
    """Every event is stored once, whole, in the order in which it was collected."""
    following: Counter[str] = Counter()
    decode = msgspec.json.Decoder(_Line).decode
    for blob in sorted(store.rglob("*.jsonl")):
        with blob.open("rb") as content:
            for raw in content:
                line = decode(raw)
                assert (int(line.producersequence), len(line.data)) == (following[line.type], rows), raw[:500]
                following[line.type] += 1
    assert following.total() == sent, (following, sent)


class _Line(msgspec.Struct):
    type: str
    producersequence: str
    data: list[msgspec.Raw]


def official(workload: str, settings: dict[str, Any], script: str = "workloads.py") -> Run:
    """Run a workload with azureml-ai-monitoring, and count the events that arrive."""
    with CountingSink() as sink:
        result = run(workload, settings | {"sender": "official"}, sink.variables, script)
        assert sink.count == result["sent"], (sink.count, result)
    return result


def run(workload: str, settings: dict[str, Any], environ: dict[str, str], script: str = "workloads.py") -> Run:
    """The answer of a workload in a process without this one's OpenTelemetry and Azure settings."""
    command = [sys.executable, str(HERE / script), workload, json.dumps(settings)]
    done = subprocess.run(
        command, env=clean() | environ, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer: Run = json.loads(done.stdout.splitlines()[-1])
    return answer


def clean() -> dict[str, str]:
    """The environment without variables that would redirect either SDK."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_", "HTTP_PROXY", "http_proxy"))}
