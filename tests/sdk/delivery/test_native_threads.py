"""In a process that gevent or eventlet has patched, greenlets run on while the gateway does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from prerequisites import skip_without
from recording_backend import RecordingBackend, unavailable_with_retry_info

from otel_modeldata._delivery import native_threads
from otel_modeldata._delivery.native_threads import ShortTurns

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

pytestmark = pytest.mark.slow

GEVENT = "from gevent import monkey; monkey.patch_all()"
EVENTLET = "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()"
INIT_GRPC = "import grpc.experimental.gevent as support; support.init_gevent()"
IMPORT = "import otel_modeldata, otel_modeldata._delivery.native_threads"
SCRIPT = """
import sys, time, threading
import pandas as pd
from otel_modeldata import Collector, flush, shutdown
collector = Collector(name="model_inputs")
ticks = []
def tick():
    while True:
        time.sleep(0.001)
        ticks.append(1)
threading.Thread(target=tick, daemon=True).start()  # a greenlet
collector.collect(pd.DataFrame({"n": [0]}))
assert flush(0.5).pending == 1
assert ticks
print("waits", flush=True)
assert sys.stdin.readline() == "answered\\n"
collector.collect(pd.DataFrame({"n": [1]}))
before = len(ticks)
assert flush(60).delivered == 2
assert len(ticks) > before
assert shutdown(60).delivered == 2
print("done", flush=True)
""".replace("\\\\n", "\\n")


@pytest.mark.parametrize(
    "beginning",
    [f"{GEVENT}", f"{IMPORT}\n{GEVENT}", f"{GEVENT}\n{INIT_GRPC}", f"{EVENTLET}", f"{IMPORT}\n{EVENTLET}"],
    ids=["gevent", "gevent after the import", "gevent in gRPC", "eventlet", "eventlet after the import"],
)
def test_greenlets_run_while_the_gateway_does_not_answer(beginning: str) -> None:
    skip_without("eventlet" if "eventlet" in beginning else "gevent")
    answers = threading.Event()

    def hold(context: grpc.ServicerContext) -> None:
        answers.wait(120)
        unavailable_with_retry_info(context)

    with RecordingBackend() as backend:
        backend.refuse(hold)
        # A try that stopped the other greenlets would do so for longer than this test may last.
        env = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{backend.endpoint}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "200",
            "OTEL_MODELDATA_BATCH_MS": "0",
        }
        command = [sys.executable, "-c", f"{beginning}\n{SCRIPT}"]
        with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "waits\n"
                backend.refuse(None)
                answers.set()
                assert process.communicate("answered\n", timeout=120)[0] == "done\n"
            finally:
                answers.set()
                process.kill()
        assert [record.body.string_value for record in backend.records()] == ['[{"n":0}]', '[{"n":1}]']


NO_ONE_LISTENS = "http://127.0.0.1:9"
UNANSWERED = """
import sys, time, threading
import pandas as pd
from otel_modeldata import Collector, flush, shutdown
collector = Collector(name="model_inputs")
ticks = []
def tick():
    while True:
        time.sleep(0.001)
        ticks.append(1)
threading.Thread(target=tick, daemon=True).start()  # a greenlet
collector.collect(pd.DataFrame({"n": [0]}))
flush(1)
waited = len(ticks)
report = shutdown(float(sys.argv[1]))
print(waited > 10, len(ticks) > waited, report.accepted, report.delivered, report.pending, report.lost, flush=True)
"""


@pytest.mark.parametrize("beginning", [GEVENT, EVENTLET], ids=["gevent", "eventlet"])
@pytest.mark.parametrize("is_dead", [False, True], ids=["slow", "dead"])
def test_greenlets_run_while_the_gateway_is_slow_or_dead(beginning: str, *, is_dead: bool) -> None:
    """A slow gateway answers "later" after a second."""
    skip_without("eventlet" if beginning == EVENTLET else "gevent")

    def answer_slowly(context: grpc.ServicerContext) -> None:
        threading.Event().wait(1)
        backend.refuse(None)
        unavailable_with_retry_info(context)

    with RecordingBackend() as backend:
        backend.refuse(answer_slowly)
        endpoint = NO_ONE_LISTENS if is_dead else f"http://{backend.endpoint}"
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_MODELDATA_BATCH_MS": "0"}
        command = [sys.executable, "-c", f"{beginning}\n{UNANSWERED}", "3" if is_dead else "60"]
        done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=120)
        counts = "1 0 0 {'shutdown': 1}" if is_dead else "1 1 0 {}"
        assert (done.returncode, done.stdout) == (0, f"True True {counts}\n"), done.stderr
        assert len(backend.records()) == (0 if is_dead else 1)


STORE = """
import pandas as pd
from otel_modeldata import Collector, shutdown
collector = Collector(name="model_inputs")
collector.collect(pd.DataFrame({"n": [1]}))
print(shutdown(60).delivered)
"""


MADE = """
import pandas as pd
from otel_modeldata import Collector, flush, shutdown
collector = Collector(name="model_inputs")
"""
COLLECTS = """
def collect():
    collector.collect(pd.DataFrame({"n": [1]}))
collect()
"""
FORKS = """
import os
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
CHECKS_ANOTHER_STORE = """
import os
flush(60)
os.environ["OTEL_MODELDATA_STORE"] += "/other"
Collector(name="model_inputs")
"""
ENDS = """
print(shutdown(60).delivered, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((GEVENT, MADE, COLLECTS), id="before the import"),
        pytest.param((MADE, GEVENT, COLLECTS), id="after the collector is made"),
        pytest.param((MADE, COLLECTS, GEVENT), id="after the first collect"),
        pytest.param((MADE, FORKS, GEVENT, COLLECTS), id="in a forked child, as with gunicorn --preload"),
        pytest.param((GEVENT, MADE, FORKS, COLLECTS), id="before a fork"),
        pytest.param((GEVENT, MADE, COLLECTS, CHECKS_ANOTHER_STORE), id="while another store is checked"),
    ],
)
def test_a_store_is_written_in_a_process_that_gevent_patches(tmp_path: Path, parts: tuple[str, ...]) -> None:
    skip_without("gevent", "aiohttp")  # the receiver writes to the store
    command = [sys.executable, "-c", "\n".join(("import os", *parts, ENDS))]
    env = os.environ | {"OTEL_MODELDATA_STORE": str(tmp_path)}
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1


def test_a_store_is_refused_in_a_process_that_eventlet_has_patched(tmp_path: Path) -> None:
    skip_without("eventlet", "aiohttp")  # the receiver writes to the store
    command = [sys.executable, "-c", f"{EVENTLET}\n{STORE}"]
    env = os.environ | {"OTEL_MODELDATA_STORE": str(tmp_path)}
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=120)
    assert done.stderr.strip().splitlines()[-1] == (
        "otel_modeldata.exceptions.ConfigError: OTEL_MODELDATA_STORE: expected a process without eventlet's patches, "
        "got one with them: send to an endpoint instead"
    )


def test_a_thread_that_takes_short_turns_lets_another_one_run() -> None:
    usual = sys.getswitchinterval()
    turns, has_run = ShortTurns(), threading.Event()
    sys.setswitchinterval(10_000.0)  # now only a thread that waits gives the interpreter away
    try:
        threading.Timer(0.01, has_run.set).start()
        while not has_run.is_set():
            turns.pause()
    finally:
        sys.setswitchinterval(usual)


def test_a_thread_pauses_between_many_items_and_leaves_out_none(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, pauses = ShortTurns(), []
    monkeypatch.setattr(turns, "pause", lambda: pauses.append(None))
    for count in (0, 1, 255, 256, 1000):
        pauses.clear()
        assert list(turns.each(range(count))) == list(range(count))
        assert len(pauses) == count // 256


class _Clock:
    """Time that passes only by work and by pauses, in which other threads of this process run for some seconds."""

    def __init__(self, pause_seconds: float, others_seconds: float) -> None:
        self.now = self.began = 1.0
        self.pause_seconds = pause_seconds
        self.others_seconds = others_seconds
        self.used = 0.0
        self.turns: list[float] = []

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.used

    def sleep(self, _: float) -> None:
        self.turns.append(round(self.now - self.began, 4))
        self.now += self.pause_seconds
        self.used += self.others_seconds
        self.began = self.now


@pytest.mark.parametrize(
    ("is_urgent", "pause_seconds", "others_seconds", "expected"),
    [
        (False, 0.00008, 0.0, [0.0003, 0.0003, 0.0003, 0.0003]),
        (True, 0.00008, 0.0, [0.0011, 0.0011, 0.0011, 0.0011]),
        (True, 0.00008, 0.00008, [0.0011, 0.0011, 0.0011, 0.0011]),  # gRPC's threads sent meanwhile
        (True, 0.002, 0.0019, [0.0003, 0.0003, 0.0003, 0.0003]),  # another thread scored meanwhile
        (True, 0.002, 0.0002, [0.0011, 0.0011, 0.0011, 0.0011]),  # another process had the processor
    ],
)
def test_turns_are_longer_while_work_is_urgent_and_no_other_thread_runs(
    monkeypatch: pytest.MonkeyPatch,
    is_urgent: bool,
    pause_seconds: float,
    others_seconds: float,
    expected: list[float],
) -> None:
    clock = _Clock(pause_seconds, others_seconds)
    monkeypatch.setattr(native_threads, "time", clock)
    monkeypatch.setattr(native_threads, "sleep", clock.sleep)
    turns = ShortTurns(lambda: is_urgent)
    turns.pause()  # it has not begun: this ends the first turn
    clock.turns.clear()
    while len(clock.turns) < len(expected):
        clock.now += 0.0001
        turns.pause()
    assert clock.turns == expected
