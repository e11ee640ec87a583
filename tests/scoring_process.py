"""A scoring process under load: the real SDK, or the stock OTel pipe, in a process of its own, which can be killed.

Run as a program it collects frames at a pace and writes the correlation id of each to a file as soon as `collect` has
returned: what is in the file was accepted, whatever becomes of the process. The last line on stdout is its report.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

EXIT_SECONDS: Final = 240.0
"""Only ever reached by a failing test."""


@dataclass(kw_only=True)
class ScoringProcess:
    """The process and its books.

    Args:
        endpoint: `host:port` of what takes OTLP.
        folder: where the books are kept.
        count: how many frames to collect.
        per_second: the pace; 0 is as fast as it goes.
        size: bytes of text in each frame.
        variables: more environment variables.
        shutdown_seconds: how long the last `shutdown` may take.
        poison_every: each so manieth frame holds text that is no Unicode, which UTF-8 cannot carry.
        stock: send through OTel's own BatchLogRecordProcessor and OTLPLogExporter instead, for comparison; it is
            flushed with every poisoned record, so that each has a batch of 512 to spoil.
        name: tells several of them apart; correlation ids begin with it.
    """

    endpoint: str
    folder: Path
    count: int
    per_second: float = 0.0
    size: int = 10
    variables: dict[str, str] = field(default_factory=dict)
    shutdown_seconds: float = 120.0
    poison_every: int = 0
    stock: bool = False
    name: str = "scoring"
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def _books(self) -> Path:
        return self.folder / f"{self.name}.accepted"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "count": self.count,
            "per_second": self.per_second,
            "size": self.size,
            "shutdown_seconds": self.shutdown_seconds,
            "poison_every": self.poison_every,
            "stock": self.stock,
            "books": str(self._books),
            "name": self.name,
        }
        with (self.folder / f"{self.name}.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, json.dumps(settings)],
                env=_clean_environment() | self._own_environment() | self.variables,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _own_environment(self) -> dict[str, str]:
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.endpoint}",
            "OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=credit,azureml.deployment.name=blue",
        }

    def accepted(self) -> list[str]:
        """The correlation ids of what `collect` has accepted so far."""
        return self._books.read_text().split() if self._books.exists() else []

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def wait_until_accepted(self, count: int) -> None:
        """Return when at least `count` frames are accepted."""
        deadline = time.monotonic() + EXIT_SECONDS
        while len(self.accepted()) < count:
            assert time.monotonic() < deadline, f"{len(self.accepted())} of {count} accepted"
            assert self._process is not None
            assert self._process.poll() in {None, 0}, self.log()
            time.sleep(0.01)

    def stop(self) -> None:
        """Collect nothing more (SIGTERM); `finish` waits for the end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def finish(self) -> dict[str, Any]:
        """Wait for the end; the final report."""
        process, self._process = self._process, None
        assert process is not None
        with process:
            output, _ = process.communicate(timeout=EXIT_SECONDS)
        assert process.returncode == 0, self.log()
        report: dict[str, Any] = json.loads(output.splitlines()[-1])
        return report

    def kill(self) -> None:
        """SIGKILL, as running out of memory does."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.kill()

    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()[-4000:]


def _clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "AZUREML_"))}


class _Ours:
    """`otel_modeldata`, as score.py uses it."""

    def __init__(self, size: int) -> None:
        import pandas as pd

        import otel_modeldata
        from otel_modeldata.context import BasicCorrelationContext
        from otel_modeldata.exceptions import CollectError

        self._package, self._context, self._error = otel_modeldata, BasicCorrelationContext, CollectError
        self._collector = otel_modeldata.Collector(name="model_inputs")
        self._frame = pd.DataFrame({"text": ["x" * size], "number": [0.5]})
        self._poison = pd.DataFrame({"text": pd.Series(["\ud800"], dtype=object), "number": [0.5]})

    def collect(self, key: str, *, poison: bool) -> bool:
        """Whether a frame was accepted."""
        try:
            self._collector.collect(self._poison if poison else self._frame, self._context(id=key))
        except self._error:
            return False
        return True

    def finish(self, seconds: float) -> dict[str, Any]:
        report = self._package.shutdown(seconds)
        return {"lost": dict(report.lost), "pending": report.pending}


class _Stock:
    """The pipe that OTel's Python SDK offers, at its defaults."""

    def __init__(self, size: int) -> None:
        import logging

        from opentelemetry._logs import LogRecord
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

        logging.disable(logging.CRITICAL)
        self._record = LogRecord
        self._provider = LoggerProvider()
        self._provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        self._logger = self._provider.get_logger("stock")
        self._rows = json.dumps([{"text": "x" * size, "number": 0.5}])

    def collect(self, key: str, *, poison: bool) -> bool:
        """Emit a record; nobody says whether it was accepted, so it counts as accepted."""
        attributes = {"azureml.collection.name": "model_inputs", "azureml.correlation.id": key}
        attributes["cloudevents.event_id"] = key
        body = "\ud800" if poison else self._rows
        self._logger.emit(self._record(timestamp=time.time_ns(), body=body, attributes=attributes))
        if poison:
            self._provider.force_flush()
        return True

    def finish(self, seconds: float) -> dict[str, Any]:
        self._provider.shutdown()
        return {"lost": {}, "pending": 0}


def main(settings: dict[str, Any]) -> None:
    """Collect as `settings` say."""
    side: _Ours | _Stock = (_Stock if settings["stock"] else _Ours)(settings["size"])
    books = os.open(settings["books"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    refused = 0
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    start = time.perf_counter()
    for number in range(settings["count"]):
        if stop.is_set():
            break
        while settings["per_second"] and (wait := start + number / settings["per_second"] - time.perf_counter()) > 0:
            time.sleep(wait)
        key = f"{settings['name']}-{number}"
        poison = settings["poison_every"] and (number + 1) % settings["poison_every"] == 0
        if side.collect(key, poison=poison):
            os.write(books, f"{key}\n".encode())
        else:
            refused += 1
    print(json.dumps({"refused": refused, **side.finish(settings["shutdown_seconds"])}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
