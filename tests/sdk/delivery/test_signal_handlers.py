"""A signal handler may interrupt any line of the queue, and there collect, wait, report, shut down or raise."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import interruption
import opentelemetry.context
import opentelemetry.sdk._logs
import opentelemetry.sdk.trace
import pandas as pd
import pytest
from interruption import interrupt
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_trace_id
from recording_backend import RecordingBackend
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata import Collector
from otel_modeldata._delivery import spool_writer
from otel_modeldata._delivery.native_threads import wait_until
from otel_modeldata._delivery.spool import disk_queue
from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.exceptions import QueueFullError, ShutDownError
from otel_modeldata.testing import capture

try:
    from opentelemetry.sdk._logs.export import LogRecordExporter as LogExporter
except ImportError:  # releases before 1.39
    from opentelemetry.sdk._logs.export import LogExporter  # type: ignore[attr-defined, no-redef]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = 30.0
"""How long a wait may last before it counts as a hang."""


class Attempt:
    """A queue with its endpoint, and what was put into it."""

    def __init__(self, folder: Path | None, **limits: object) -> None:
        self.endpoint = Endpoint()
        self.put_whole: list[str] = []
        self.put_in_part: list[str] = []
        envelope = RequestEnvelope({}, "p")
        spill = limits.pop("spill", False)
        self.worker = Worker(
            envelope,
            self.endpoint,
            DeliveryLimits(**{**FAST, "merge_seconds": 0.0, **limits}),  # type: ignore[arg-type]
            producer="p",
            disk_queue=None if folder is None else DiskQueue(folder, "p", envelope.request([]), 2**24),
            only_overflow=bool(spill),
        )

    def put(self, name: str, size: int = 10) -> None:
        self.put_in_part.append(name)
        try:
            self.worker.put(FakeRecord(name, size), None)
        except (ShutDownError, QueueFullError):
            self.put_in_part.remove(name)
            raise
        self.put_in_part.remove(name)
        self.put_whole.append(name)

    def check(self) -> None:
        """Every record that was accepted is delivered, once, with its own number."""
        report = self.worker.shutdown(SECONDS)
        assert (report.pending, report.lost) == (0, {})
        assert report.accepted == report.delivered == len(self.endpoint.stored)
        assert sorted(set(self.endpoint.stored)) == sorted(self.endpoint.stored)
        delivered = set(self.endpoint.stored)
        assert set(self.put_whole) <= delivered <= {*self.put_whole, *self.put_in_part}
        assert self.put_in_part or self.worker.gauges().queue_bytes == 0


class Case(NamedTuple):
    handler: Callable[[Attempt], object]
    is_over: bool = False
    """Whether the queue accepts nothing afterwards."""


def _flush(attempt: Attempt) -> None:
    assert attempt.worker.flush(SECONDS).pending <= 1  # what the interrupted or the nested `put` has not written yet


def _shutdown(attempt: Attempt) -> None:
    assert attempt.worker.shutdown(SECONDS).pending <= 1


def _report(attempt: Attempt) -> None:
    report = attempt.worker.report()
    assert report.accepted == report.delivered + report.pending


def _put(attempt: Attempt) -> None:
    attempt.put("nested")


def _put_and_flush(attempt: Attempt) -> None:
    attempt.put("nested")
    _report(attempt)
    _flush(attempt)


def _raise(_: Attempt) -> None:
    raise KeyboardInterrupt


def _put_and_exit(attempt: Attempt) -> None:
    attempt.put("nested")
    raise SystemExit


CASES = {
    "flush": Case(_flush),
    "shutdown": Case(_shutdown, is_over=True),
    "report": Case(_report),
    "put": Case(_put),
    "put and flush": Case(_put_and_flush),
    "raise": Case(_raise),
    "put and exit": Case(_put_and_exit),
}
QUEUES: dict[str, dict[str, object]] = {
    "memory": {},
    "memory, block": {"block_seconds": SECONDS},
    "spool": {"spool": True},
    "spool without room in memory": {"spool": True, "queue_records": 2, "linger_seconds": 0.01},
    "spill": {"spool": True, "spill": True, "queue_records": 2, "linger_seconds": 0.01},
}


def _attempt(queue: str, folder: Path) -> Attempt:
    options = dict(QUEUES[queue])
    return Attempt(folder if options.pop("spool", False) else None, **options)


def _interrupted_put(queue: str, case: Case, folder: Path, at: int) -> bool:
    attempt = _attempt(queue, folder)
    for n in range(3):
        attempt.put(f"before {n}")

    def call() -> None:
        with contextlib.suppress(KeyboardInterrupt, SystemExit, ShutDownError):
            attempt.put("interrupted")

    reached = interrupt(at, lambda: case.handler(attempt), call)
    with contextlib.suppress(ShutDownError):
        attempt.put("after")
        assert not (reached and case.is_over)
    attempt.check()
    return reached


STEP = 17
"""Every this many opcodes a `put` is interrupted: each case begins at another one, so that they meet all together."""


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("name", CASES)
def test_a_put_that_a_signal_handler_interrupts_is_accounted_for(
    queue: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (disk_queue, spool_writer):  # the delivery thread waits in vain for the interrupted one
        monkeypatch.setattr(module, "MARK_WAITS_SECONDS", 0.001)
    start = list(CASES).index(name) * len(QUEUES) + list(QUEUES).index(queue)
    for at in itertools.count(start, STEP):
        if not _interrupted_put(queue, CASES[name], tmp_path / str(at), at):
            break
    assert at >= start + 2 * STEP


@pytest.mark.timeout(SECONDS)
def test_a_signal_handler_that_interrupts_a_span_may_collect() -> None:
    frame, step = (
        pd.DataFrame({"n": [1]}),
        3,
    )  # releases before 1.25 hold the lock of the context for a few opcodes only
    with capture() as captured, TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        collector = Collector(name="model_inputs")
        collector.collect(frame)

        def call() -> None:
            span.set_attribute("user", "a")
            collector.collect(frame)

        for at in itertools.count(0, step):
            if not interrupt(
                at, lambda: collector.collect(frame), call, opentelemetry.context, opentelemetry.sdk.trace
            ):
                break
        assert at >= 2 * step
        trace_ids = {event.trace_id for event in captured.events}
    assert len(captured.events) == 1 + 2 * at // step + 1
    assert trace_ids == {format_trace_id(span.get_span_context().trace_id)}


class _Keeping(LogExporter):
    """Keeps the numbers of the records; each of its calls has a lock, as exporters have."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._lock = threading.Lock()

    def export(self, batch: Any) -> Any:
        with self._lock:
            self.numbers += [data.log_record.attributes["azureml.producer.sequence"] for data in batch]

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


@pytest.mark.timeout(4 * SECONDS)
@pytest.mark.parametrize("processor", ["batch", "simple"])
def test_a_signal_handler_that_interrupts_the_provider_of_the_application_may_collect(processor: str) -> None:
    exporter, frame, step = _Keeping(), pd.DataFrame({"n": [1]}), 7
    provider = LoggerProvider(shutdown_on_exit=False)
    if processor == "batch":
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=1))
    else:
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    collector = Collector(name="model_inputs", logger_provider=provider)
    collector.collect(frame)
    own = sys.modules[__name__]  # the exporter is in this file
    for at in itertools.count(0, step):
        call = functools.partial(collector.collect, frame)
        if not interrupt(at, call, call, opentelemetry.sdk._logs, threading, own):
            break
    assert at >= 2 * step
    expected = 1 + 2 * at // step + 1

    def are_all_kept() -> bool:
        provider.force_flush()  # what it returns is right since OpenTelemetry 1.34 only
        return len(exporter.numbers) == expected

    assert wait_until(are_all_kept, SECONDS)
    first = min(exporter.numbers)
    assert sorted(exporter.numbers) == list(range(first, first + expected))
    provider.shutdown()


def test_what_the_provider_raises_after_the_interruption_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Interrupted(SimpleLogRecordProcessor):
        """Collects while the SDK runs, as a handler does."""

        is_first = True

        def on_emit(self, *arguments: Any, **named: Any) -> None:
            if Interrupted.is_first:
                Interrupted.is_first = False
                collector.collect(frame)
            else:
                raise ZeroDivisionError("broken")

        emit = on_emit  # of old releases

    provider, frame = LoggerProvider(shutdown_on_exit=False), pd.DataFrame({"n": [1]})
    provider.add_log_record_processor(Interrupted(_Keeping()))
    collector = Collector(name="model_inputs", logger_provider=provider)
    collector.collect(frame)
    assert wait_until(lambda: bool(caplog.messages), SECONDS)
    assert caplog.messages == [
        (
            "collection model_inputs: expected the logger provider to take a record, got ZeroDivisionError: broken: "
            "it is lost"
        )
    ]


REAL = """
import os, random, signal, sys
import pandas as pd
from otel_modeldata import Collector, flush, shutdown
accepted = depth = 0
collector = Collector(name="model_inputs")
frame = pd.DataFrame({"n": [1]})

def handler(signum, _):
    global accepted, depth
    if depth == 8:  # on a slow machine signals come faster than handlers end
        return
    depth += 1
    if random.random() < 0.7:
        collector.collect(frame)
        accepted += 1
    if random.random() < 0.2:
        flush(0.001)
    depth -= 1

def stop(signum, _):
    signal.setitimer(signal.ITIMER_REAL, 0)
    report = shutdown(60)
    print(report.accepted, report.delivered, report.pending, sum(report.lost.values()), flush=True)
    sys.exit(0)

signal.signal(signal.SIGALRM, handler)
signal.signal(signal.SIGTERM, stop)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0007)
for n in range(400):
    collector.collect(frame)
while True:
    collector.collect(frame)
    if random.random() < 0.01:
        signal.raise_signal(signal.SIGTERM)
"""


def _run(env: Mapping[str, str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=250)


@pytest.mark.slow
@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
def test_real_signals_while_the_main_thread_collects_lose_nothing(*, spool: bool, tmp_path: Path) -> None:
    with RecordingBackend() as backend:
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{backend.endpoint}", "OTEL_MODELDATA_BATCH_MS": "0"}
        if spool:
            env["OTEL_MODELDATA_SPOOL"] = str(tmp_path / "spool")
        done = _run(env, REAL)
        assert (done.returncode, done.stderr) == (0, "")
        accepted, delivered, pending, lost = map(int, done.stdout.split())
        assert (accepted, lost) == (delivered + pending, 0)
        if spool:  # what a `put` that the handler interrupted has left is kept
            env["OTEL_MODELDATA_SPOOL"] = str(tmp_path / "spool")
            code = "import otel_modeldata; otel_modeldata.shutdown(60)"
            subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=200)
        numbers = [
            attribute.value.int_value
            for record in backend.records()
            for attribute in record.attributes
            if attribute.key == "azureml.producer.sequence"
        ]
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    assert accepted <= len(set(numbers)) <= accepted + 1


FIRST = """
import os, sys, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # of `fork`, Python 3.12
import pandas as pd
sys.path.insert(0, sys.argv[1])
from interruption import interrupt
from otel_modeldata import Collector, flush, shutdown
step = int(sys.argv[2])
frame = pd.DataFrame({"n": [1]})
at, reached = 7, True
while reached:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        collectors = []
        def handler():
            if collectors:
                collectors[0].collect(frame)
            flush(20)
        def first():
            del sys.modules["pandas"]  # then the first `collect` loads the package
            collectors.append(Collector(name="model_inputs"))
            sys.modules["pandas"] = pd
            collectors[0].collect(frame)
        reached = interrupt(at, handler, first)
        report = shutdown(20)
        assert report.accepted == report.delivered, report
        assert 1 <= report.accepted <= 2, report
        os.write(write, b"1" if reached else b"0")
        os._exit(0)
    os.close(write)
    status = os.waitpid(child, 0)[1]
    assert status == 0, (at, status)
    reached = os.read(read, 1) == b"1"
    os.close(read)
    at += step
print(at)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("spool", "step"), [(False, 701), (True, 709)], ids=["memory", "spool"])
def test_a_signal_handler_may_collect_and_wait_during_the_first_collect(
    *, spool: bool, step: int, tmp_path: Path
) -> None:
    with RecordingBackend() as backend:
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{backend.endpoint}", "OTEL_MODELDATA_BATCH_MS": "0"}
        if spool:
            env["OTEL_MODELDATA_SPOOL"] = str(tmp_path / "spool")
        done = _run(env, FIRST, str(Path(interruption.__file__).parent), str(step))
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 3 * step
