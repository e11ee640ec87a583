"""Processes that fork, exit, get signals or run as servers, and which of their events arrive.

Every program records the events that `collect` accepted. `history.check` compares them with the events that a real OTLP
server received; an event that arrived twice under one id counts once, as the receiver stores it once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from gateway import free_port
from history import Sent, check
from recording_backend import RecordingBackend

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TESTS = Path(__file__).parents[1] / "fixtures"
DRAIN = "import otel_modeldata\nreport = otel_modeldata.shutdown(60)\nassert not report.pending, report"
"""Run by the next process of a host, or by an operator."""
WARNINGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
"""Python 3.12 and later warn about a fork of a process with threads, which is tested here."""


@dataclass
class Host:
    """A machine that runs collecting programs: their environment, and the server they send to."""

    backend: RecordingBackend
    folder: Path
    spool: bool
    environ: dict[str, str] = field(init=False)
    _started: list[subprocess.Popen[str]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_"))}
        self.environ = clean | {
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "ACCEPTED": str(self.folder / "accepted"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.backend.endpoint}",
            "OTEL_MODELDATA_REPORT": str(self.folder / "reports"),
        }
        if self.spool:
            self.environ["OTEL_MODELDATA_SPOOL"] = str(self.folder / "spool")

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        program = self.folder / "program.py"  # a file, because children that are spawned import it
        program.write_text("from accepting import collect\n" + textwrap.dedent(code), "utf-8")
        return self.start_command(sys.executable, *WARNINGS, str(program), *arguments)

    def start_command(self, *command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, env=self.environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End processes that a failed test left, children included."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
            for pipe in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()  # type: ignore[union-attr]

    def run(self, code: str, status: int = 0) -> str:
        process = self.start(code)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == status, errors
        return output

    def accepted(self) -> list[str]:
        path = self.folder / "accepted"
        return path.read_text("utf-8").split() if path.exists() else []

    def lines(self) -> list[dict[str, Any]]:
        """The arrived events, one line for each event id, as in the receiver's store; `id` is the correlation id."""
        arrived = {}
        for request in self.backend.log_requests():
            for logs in request.resource_logs:
                producer = _values(logs.resource.attributes)[semconv.SERVICE_INSTANCE_ID]
                for record in logs.scope_logs[0].log_records:
                    values = _values(record.attributes)
                    arrived[values[semconv.CLOUDEVENTS_EVENT_ID]] = {
                        "id": values[semconv.AZUREML_CORRELATION_ID],
                        "type": values[semconv.CLOUDEVENTS_EVENT_TYPE],
                        "producer": producer,
                        "sequence": str(values[semconv.AZUREML_PRODUCER_SEQUENCE]),
                    }
        return list(arrived.values())

    def check(self, *, producers: int, lost: int = 0, unknown: Sequence[str] = ()) -> None:
        """Check that all accepted events except `lost` arrived, from `producers` producers, and that the spool is
        empty."""
        lines = self.lines()
        accepted = [Sent(id=key) for key in (*self.accepted(), *unknown)]
        check(accepted=accepted, store=lines, lost=lost, unknown=unknown)
        assert len({line["producer"] for line in lines}) == producers
        if self.spool:
            assert list((self.folder / "spool").iterdir()) == []

    def reports(self) -> dict[str, dict[str, Any]]:
        return {path.stem: json.loads(path.read_text("utf-8")) for path in (self.folder / "reports").glob("*.json")}


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@contextlib.contextmanager
def _host(folder: Path, *, spool: bool) -> Iterator[Host]:
    with RecordingBackend() as backend:
        opened = Host(backend, folder, spool)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(params=[False, True], ids=["memory", "spool"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with _host(tmp_path, spool=request.param) as opened:
        yield opened


@pytest.fixture
def with_spool(tmp_path: Path) -> Iterator[Host]:
    with _host(tmp_path, spool=True) as opened:
        yield opened


@pytest.fixture
def without_spool(tmp_path: Path) -> Iterator[Host]:
    with _host(tmp_path, spool=False) as opened:
        yield opened


# --- One process ---------------------------------------------------------------------------------------------------

ORDERLY = {
    "the end of the program": ("", 0),
    "sys.exit": ("import sys; sys.exit(3)", 3),
    "an uncaught exception": ("raise RuntimeError('bug')", 1),
    "SIGTERM with a handler": (
        "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), 15)",
        0,
    ),
    "SIGTERM without a handler": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGINT": ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "os._exit after shutdown": ("import os, otel_modeldata; otel_modeldata.shutdown(); os._exit(0)", 0),
}


@pytest.mark.parametrize("ending", ORDERLY)
def test_an_orderly_end_loses_nothing(without_spool: Host, ending: str, interrupts: None) -> None:
    code, status = ORDERLY[ending]
    without_spool.run("collect('a', 500)\n" + code, status)
    without_spool.check(producers=1)
    account = {"accepted": 500, "delivered": 500, "lost": {}}
    ((producer, report),) = without_spool.reports().items()
    assert report == {"producer": producer, "collections": {"model_inputs": account}}


ABRUPT = {
    "os._exit": ("import os; os._exit(0)", 0),
    "SIGTERM, left alone": (
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGTERM)",
        -signal.SIGTERM,
    ),
    "kill -9": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "abort": ("import os; os.abort()", -signal.SIGABRT),
}


@pytest.mark.parametrize("ending", ABRUPT)
def test_an_abrupt_end_loses_nothing_with_a_spool(with_spool: Host, ending: str) -> None:
    code, status = ABRUPT[ending]
    with_spool.run("collect('a', 500)\n" + code, status)
    with_spool.run(DRAIN)
    with_spool.check(producers=1)


@pytest.mark.parametrize("ending", ABRUPT)
def test_an_abrupt_end_without_a_spool_loses_the_last_sequence_numbers(without_spool: Host, ending: str) -> None:
    code, status = ABRUPT[ending]
    without_spool.run(
        "collect('a', 500)\nimport otel_modeldata; otel_modeldata.flush()\ncollect('b', 500)\n" + code, status
    )
    lines = without_spool.lines()
    assert len(without_spool.accepted()) == 1000
    assert [int(line["sequence"]) for line in lines] == list(range(len(lines)))
    assert len(lines) >= 500
    assert without_spool.reports() == {}
    without_spool.check(producers=1, lost=1000 - len(lines))


def test_an_outage_that_outlasts_the_process_loses_nothing_with_a_spool(with_spool: Host) -> None:
    """The endpoint is down when the process ends, and back when the next one starts."""
    with_spool.backend.stop()
    with_spool.run("collect('a', 500)\nimport otel_modeldata; otel_modeldata.shutdown(0.5)")
    ((_, report),) = with_spool.reports().items()
    assert report["collections"] == {"model_inputs": {"accepted": 500, "delivered": 0, "lost": {}, "pending": 500}}
    with_spool.backend.start()
    with_spool.run("collect('b', 5)")
    with_spool.check(producers=2)
    replayed = [one["replayed"] for one in with_spool.reports().values() if "replayed" in one]
    assert replayed == [{report["producer"]: {"model_inputs": {"accepted": 500, "delivered": 500, "lost": {}}}}]


def test_without_a_spool_losses_in_an_outage_that_outlasts_the_process_are_counted_exactly(without_spool: Host) -> None:
    without_spool.backend.stop()
    without_spool.run("collect('a', 500)\nimport otel_modeldata; otel_modeldata.shutdown(0.5)")
    ((_, report),) = without_spool.reports().items()
    assert report["collections"] == {"model_inputs": {"accepted": 500, "delivered": 0, "lost": {"shutdown": 500}}}


def _kill_in_the_middle(host: Host, name: str, at_least: int) -> str:
    """Returns the event that `collect` was called with: it is unknown whether it was accepted."""
    before = len(host.accepted())
    process = host.start(f"collect({name!r}, 10**9)")
    while len(host.accepted()) < before + at_least:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    return f"{name}-{len(host.accepted()) - before}"


def test_kill_9_in_the_middle_of_load_loses_nothing_with_a_spool(with_spool: Host) -> None:
    under_way = [_kill_in_the_middle(with_spool, f"run{n}", 300 + 611 * n) for n in range(3)]
    with_spool.run(DRAIN)
    with_spool.check(producers=3, unknown=under_way)


@pytest.mark.long
def test_many_kills_during_an_intermittent_outage_lose_nothing_with_a_spool(with_spool: Host) -> None:
    under_way = []
    for n in range(20):
        if n % 4 == 1:
            with_spool.backend.stop()
        if n % 4 == 3:
            with_spool.backend.start()
        under_way.append(_kill_in_the_middle(with_spool, f"run{n}", 50 + 397 * n % 1500))
    with_spool.run(DRAIN)
    with_spool.check(producers=20, unknown=under_way)


# --- Fork ----------------------------------------------------------------------------------------------------------


def test_children_forked_before_the_first_collect_are_separate_producers(host: Host) -> None:
    host.run(
        """
        import os, otel_modeldata
        children = [os.fork() for _ in range(1)]
        collect("parent" if children[0] else "child", 100)
        assert not otel_modeldata.shutdown(60).pending
        if not children[0]:
            os._exit(0)
        assert os.waitpid(children[0], 0)[1] == 0
        """
    )
    host.check(producers=2)


def test_children_forked_with_a_full_queue_send_none_of_it(host: Host) -> None:
    host.run(
        """
        import os, sys
        collect("parent", 1000)
        for n in range(3):
            if not os.fork():
                collect(f"child{n}", 50)
                sys.exit(0)
        for n in range(3):
            assert os.wait()[1] == 0
        """
    )
    host.check(producers=4)
    assert len(host.backend.records()) == 1150  # none twice, even before de-duplication


def _refuse_after(gate: threading.Event) -> Any:
    def refuse(context: grpc.ServicerContext) -> None:
        assert gate.wait(60)
        context.abort(grpc.StatusCode.UNAVAILABLE, "later")

    return refuse


def test_a_fork_during_a_request_does_not_affect_parent_or_child(host: Host) -> None:
    gate = threading.Event()
    host.backend.refuse(_refuse_after(gate))
    process = host.start(
        """
        import os, sys
        collect("before", 100)
        sys.stdin.readline()
        child = os.fork()
        collect("after" if child else "child", 100)
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )
    host.backend.wait_until(lambda backend: backend.refused >= 1)
    assert process.stdin is not None
    process.stdin.write("fork\n")
    process.stdin.flush()
    host.backend.wait_until(lambda backend: backend.refused >= 2)
    host.backend.refuse(None)
    gate.set()
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors
    host.check(producers=2)


def test_forks_beside_collecting_threads_do_not_affect_any_process(host: Host) -> None:
    host.run(
        """
        import os, threading, otel_modeldata
        done = threading.Event()
        def work(name):
            round = 0
            while not done.is_set():
                collect(f"{name}-{round}", 20)
                round += 1
        threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for n in range(8):
            child = os.fork()
            if not child:
                collect(f"child{n}", 10)
                assert not otel_modeldata.shutdown(60).pending
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        """
    )
    host.check(producers=9)


def test_the_spool_of_a_killed_parent_does_not_wait_for_its_children(with_spool: Host) -> None:
    gate = threading.Event()
    with_spool.backend.refuse(_refuse_after(gate))
    process = with_spool.start(
        """
        import os, signal, sys
        collect("parent", 100)
        if not os.fork():
            sys.stdin.readline()  # lives on
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process.wait(60)
    with_spool.backend.refuse(None)
    gate.set()
    with_spool.run(DRAIN)
    with_spool.check(producers=1)
    process.communicate("end\n", timeout=60)


# --- multiprocessing -----------------------------------------------------------------------------------------------

MULTIPROCESSING = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    collect("parent", 50)
    children = [context.Process(target=collect, args=(f"child{{n}}", 50)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_before_they_end(without_spool: Host, method: str) -> None:
    without_spool.run(MULTIPROCESSING.format(method=method))
    without_spool.check(producers=3)


def test_the_workers_of_an_executor_deliver_before_they_end(without_spool: Host) -> None:
    without_spool.run(
        """
        from concurrent.futures import ProcessPoolExecutor
        if __name__ == "__main__":
            with ProcessPoolExecutor(2) as executor:
                list(executor.map(collect, [f"task{n}" for n in range(20)], [10] * 20))
        """
    )
    without_spool.check(producers=len({line["producer"] for line in without_spool.lines()}))


def test_a_terminated_pool_loses_nothing(host: Host) -> None:
    host.run(
        """
        import multiprocessing, otel_modeldata
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:  # its end is SIGTERM
                pool.starmap(collect, [(f"task{n}", 10) for n in range(20)])
            pool.join()
            collect("parent", 1)
        """
    )
    host.check(producers=len({line["producer"] for line in host.lines()}))


# --- Servers -------------------------------------------------------------------------------------------------------


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as response:
        text: str = response.read().decode()
        return text


def _wait_for_server(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            _get(port, "first")
            return
        time.sleep(0.05)
    pytest.fail("the server did not answer within 60 s")


def _ask_until_two_workers_answered(port: int, name: str) -> set[str]:
    workers: set[str] = set()
    for n in range(500):
        workers.add(_get(port, f"{name}{n}"))
        if n >= 30 and len(workers) == 2:
            return workers
    pytest.fail(f"expected answers of two workers, got {workers}")


def _gunicorn(host: Host, worker: str, port: int) -> subprocess.Popen[str]:
    return host.start_command(
        *(sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--worker-class", worker),
        *("--threads", "2" if worker == "gthread" else "1", "--bind", f"127.0.0.1:{port}"),
        *("--no-control-socket", "accepting:wsgi_app"),
    )


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorns_preloaded_workers_deliver_before_they_end(without_spool: Host, worker: str) -> None:
    process = _gunicorn(without_spool, worker, port := free_port())
    _wait_for_server(port, process)
    _ask_until_two_workers_answered(port, "a")
    process.terminate()
    process.communicate(timeout=60)
    without_spool.check(producers=2)


def test_a_killed_worker_of_gunicorn_loses_nothing_with_a_spool(with_spool: Host) -> None:
    process = _gunicorn(with_spool, "sync", port := free_port())
    _wait_for_server(port, process)
    workers = _ask_until_two_workers_answered(port, "a")
    _get(port, "last")
    os.kill(int(workers.pop()), signal.SIGKILL)
    _ask_until_two_workers_answered(port, "b")
    process.terminate()
    process.communicate(timeout=60)
    with_spool.run(DRAIN)
    with_spool.check(producers=3)


def test_uvicorns_workers_deliver_before_they_end(host: Host) -> None:
    """uvicorn ends by raising the signal again, so Python's exit handlers do not run."""
    port = free_port()
    process = host.start_command(
        *(sys.executable, "-m", "uvicorn", "--workers", "2", "--port", str(port), "accepting:asgi_app"),
        *("--log-level", "warning"),
    )
    _wait_for_server(port, process)
    _ask_until_two_workers_answered(port, "a")
    process.terminate()
    process.communicate(timeout=60)
    host.check(producers=2)
