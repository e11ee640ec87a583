"""SIGTERM in processes with and without a handler of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from prerequisites import skip_without
from recording_backend import RecordingBackend

from otel_modeldata._settings.delivery import load_settings
from otel_modeldata.exceptions import ConfigError

pytestmark = pytest.mark.slow

HEAD = """
import os, signal, sys, threading
import pandas as pd
from otel_modeldata import Collector

def collect(number=5):
    inputs = Collector(name="model_inputs")
    for n in range(number):
        inputs.collect(pd.DataFrame({"n": [n]}))

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
"""


def run(backend: RecordingBackend, code: str, **variables: str) -> tuple[int, str]:
    """Exit status and standard output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_"))}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(code)],
        env=clean | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{backend.endpoint}"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_a_process_without_a_handler_delivers_and_ends_by_the_signal() -> None:
    with RecordingBackend() as backend:
        assert run(backend, "collect()\nterminate()\nprint('lives on')") == (-signal.SIGTERM, "")
        assert len(backend.records()) == 5


def test_a_process_that_collected_nothing_ends_by_the_signal() -> None:
    with RecordingBackend() as backend:
        assert run(backend, "collect(0)\nterminate()\nprint('lives on')") == (-signal.SIGTERM, "")


def test_a_second_signal_does_not_end_the_delivery() -> None:
    with RecordingBackend() as backend:
        code = "collect(500)\nthreading.Timer(0.01, terminate).start()\nterminate()"
        assert run(backend, code) == (-signal.SIGTERM, "")
        assert len(backend.records()) == 500


@pytest.mark.parametrize("handler", ["lambda *_: print('handled', flush=True)", "signal.SIG_IGN"])
def test_the_handler_of_the_application_stays(handler: str) -> None:
    with RecordingBackend() as backend:
        code = f"""
        handler = {handler}
        signal.signal(signal.SIGTERM, handler)
        collect()
        assert signal.getsignal(signal.SIGTERM) is handler
        terminate()
        print("lives on")
        """
        expected = "handled\nlives on\n" if "lambda" in handler else "lives on\n"
        assert run(backend, code) == (0, expected)
        assert len(backend.records()) == 5


def test_a_later_handler_that_calls_the_previous_one_decides_about_the_end() -> None:
    with RecordingBackend() as backend:
        code = """
        collect()
        previous = signal.getsignal(signal.SIGTERM)
        def handle(signum, frame):
            if callable(previous):
                previous(signum, frame)
            print("cleaned up", flush=True)
            os._exit(7)
        signal.signal(signal.SIGTERM, handle)
        terminate()
        """
        assert run(backend, code) == (7, "cleaned up\n")
        assert len(backend.records()) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which signals native code handles")
def test_a_handler_of_native_code_stays() -> None:
    with RecordingBackend() as backend:
        code = """
        import faulthandler, tempfile
        file = tempfile.TemporaryFile("w+")
        faulthandler.register(signal.SIGTERM, file)
        collect()
        terminate()
        file.seek(0)
        print(bool(file.read()))
        """
        assert run(backend, code) == (0, "True\n")


def test_a_handler_of_native_code_that_is_registered_later_chains_to_the_delivery() -> None:
    with RecordingBackend() as backend:
        code = """
        import faulthandler, tempfile
        collect()
        faulthandler.register(signal.SIGTERM, tempfile.TemporaryFile("w+"), chain=True)
        terminate()
        """
        assert run(backend, code) == (-signal.SIGTERM, "")
        assert len(backend.records()) == 5


def test_a_collector_that_a_thread_makes_leaves_the_signal_alone() -> None:
    with RecordingBackend() as backend:
        code = """
        thread = threading.Thread(target=collect)
        thread.start()
        thread.join()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
        assert run(backend, code) == (0, "True\n")


def test_sigterm_during_the_last_delivery_after_asyncio_handled_one_does_not_end_it() -> None:
    """`loop.remove_signal_handler`, which the end of the loop calls, restores the default action."""
    with RecordingBackend() as backend:
        code = """
        import asyncio
        async def main():
            stopped = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
            collect(500)
            terminate()
            await stopped.wait()
        asyncio.run(main())
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        import otel_modeldata._delivery.worker as module
        shutdown = module.Worker.shutdown
        def terminated(self, timeout):
            module.Worker.shutdown = shutdown
            terminate()
            return shutdown(self, timeout)
        module.Worker.shutdown = terminated
        """
        assert run(backend, code) == (-signal.SIGTERM, "")
        assert len(backend.records()) == 500


@pytest.mark.parametrize("raised", ["SystemExit(3)", "TimeoutError"])
def test_a_handler_that_raises_again_and_again_during_the_last_delivery_does_not_end_it(raised: str) -> None:
    """Many handlers of SIGTERM call `sys.exit`, and the signal may come twice."""
    with RecordingBackend() as backend:
        code = f"""
        import logging
        import otel_modeldata._delivery.worker as module
        logging.disable()
        sys.unraisablehook = lambda *_: None
        def end(*_):
            raise {raised}
        signal.signal(signal.SIGTERM, end)
        collect(500)
        stop, signals = module.DeliveryQueue.stop, [1, 2, 3]
        def terminated(self, timeout):
            if signals:
                signals.pop()
                terminate()
            return stop(self, timeout)
        module.DeliveryQueue.stop = terminated
        """
        assert run(backend, code) == (0, "")
        assert len(backend.records()) == 500


def test_what_a_handler_cannot_be_kept_from_interrupting_is_counted() -> None:
    with RecordingBackend() as backend:
        code = """
        import logging
        import otel_modeldata._delivery.worker as module
        logging.disable()
        sys.unraisablehook = lambda *_: None
        def end(*_):
            raise SystemExit
        signal.signal(signal.SIGTERM, end)
        collect(500)
        stop = module.DeliveryQueue.stop
        def terminated(self, timeout):
            if timeout > 0:
                terminate()
            return stop(self, timeout)
        module.DeliveryQueue.stop = terminated
        """
        with tempfile.TemporaryDirectory() as folder:
            assert run(backend, code, OTEL_MODELDATA_REPORT=folder) == (0, "")
            (report,) = Path(folder).glob("*.json")
            (counts,) = json.loads(report.read_text("utf-8"))["collections"].values()
        assert counts["accepted"] == counts["delivered"] + sum(counts["lost"].values()) == 500


def test_leave_leaves_the_signal_and_uvicorn_alone() -> None:
    skip_without("uvicorn")
    with RecordingBackend() as backend:
        code = """
        import uvicorn.server
        before = uvicorn.server.Server.shutdown
        collect()
        assert uvicorn.server.Server.shutdown is before
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
        assert run(backend, code, OTEL_MODELDATA_SIGTERM="leave") == (0, "True\n")


def test_another_value_of_the_variable_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"OTEL_MODELDATA_SIGTERM: expected deliver or leave, got 'ignore'"):
        load_settings({"OTEL_MODELDATA_SIGTERM": "ignore"})


def test_the_first_process_of_a_container_works_on_and_delivers_without_a_pause() -> None:
    """The kernel ignores SIGTERM there if the process has no handler of its own."""
    with RecordingBackend() as backend:
        code = """
        import time
        from otel_modeldata._delivery.ending import termination_signal
        termination_signal._INIT_PID = os.getpid()
        collect()
        terminate()
        collect()
        while sum(thread.name == "otel-modeldata-ending" for thread in threading.enumerate()) != 1:
            time.sleep(0.01)
        import otel_modeldata
        while otel_modeldata.flush(60).delivered < 10:
            pass
        print("lives on", flush=True)
        os._exit(0)
        """
        assert run(backend, code) == (0, "lives on\n")
        assert len(backend.records()) == 10
