from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
import textwrap
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import otel_modeldata
from otel_modeldata.report import CollectionReport, DeliveryReport

if TYPE_CHECKING:
    from pathlib import Path

    from recording_backend import RecordingBackend


def test_before_the_first_collect_there_is_nothing_to_report() -> None:
    assert otel_modeldata.flush(1) == otel_modeldata.shutdown(1) == DeliveryReport()


@pytest.mark.parametrize(
    ("timeout", "got"), [("5", "'5' (str)"), ([1.0], "[1.0] (list)"), ("x" * 200, "'" + "x" * 79 + " (str)")]
)
def test_a_timeout_that_is_no_number_is_an_error_even_before_the_first_collect(timeout: Any, got: str) -> None:
    advice = ": give it as a number, such as 5.0"
    with pytest.raises(TypeError) as raised:
        otel_modeldata.flush(timeout)
    assert str(raised.value) == f"expected a number of seconds or None as timeout of flush, got {got}{advice}"
    with pytest.raises(TypeError) as raised:
        otel_modeldata.shutdown(timeout)
    assert str(raised.value) == f"expected a number of seconds as timeout of shutdown, got {got}{advice}"


def test_a_timeout_of_nan_is_an_error_and_no_endless_wait() -> None:
    for function in (otel_modeldata.flush, otel_modeldata.shutdown):
        with pytest.raises(ValueError, match=r", got nan: give it as a number, such as 5\.0$"):
            function(math.nan)


@pytest.mark.parametrize("timeout", [30, np.int64(30), np.float32(30), Fraction(30), math.inf, 10**400])
def test_any_real_number_of_seconds_is_a_timeout(timeout: Any, backend: RecordingBackend) -> None:
    otel_modeldata.Collector(name="model_inputs").collect(pd.DataFrame({"n": [1]}))
    assert otel_modeldata.flush(timeout).delivered == 1
    assert otel_modeldata.shutdown(timeout).delivered == 1
    assert len(_stored(backend)) == 1


def _run(code: str) -> str:
    result = subprocess.run(
        # Python 3.12 and later warn about a fork beside threads, which is tested here.
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


COLLECT = """
import pandas as pd
from otel_modeldata import Collector, flush
collector = Collector(name="model_inputs")
for n in range(1000):
    collector.collect(pd.DataFrame({"n": [n]}))
"""


def test_another_destination_after_the_first_event_is_reported(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a notebook, where a process has many Collectors."""
    for variables in ({}, {}, {"OTEL_SERVICE_NAME": "credit"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other:1"}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            otel_modeldata.Collector(name="model_inputs").collect(pd.DataFrame({"n": [1]}))
    report = otel_modeldata.flush(30)
    assert (report.delivered, report.deployment, len(_stored(backend))) == (8, "local/default", 8)
    sentence = (
        "expected the endpoint or store and the names with which this process began, got others: its events still "
        f"go to {backend.endpoint}, below local/default; set the variables before the first Collector, and restart the "
        "process or the notebook"
    )
    assert [record.getMessage() for record in caplog.records] == [sentence] * 2


def _stored(backend: RecordingBackend) -> list[str]:
    return [record.body.string_value for record in backend.records()]


def test_the_end_of_the_interpreter_delivers_pending_events(backend: RecordingBackend) -> None:
    _run(COLLECT)
    assert _stored(backend) == [f'[{{"n":{n}}}]' for n in range(1000)]


def test_an_exception_that_ends_the_program_loses_nothing(backend: RecordingBackend) -> None:
    _run(COLLECT + "import sys\nsys.exit(0)")
    assert len(_stored(backend)) == 1000


def test_a_forked_child_has_its_own_producer_and_sends_only_its_own(backend: RecordingBackend) -> None:
    _run(
        COLLECT
        + """
import os
import os
child = os.fork()
for n in range(10):
    collector.collect(pd.DataFrame({"from": ["parent" if child else "child"]}))
report = flush(60)
assert report.pending == 0 and not report.lost, report
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    )
    stored = _stored(backend)
    assert len(stored) == 1020
    assert stored.count('[{"from":"parent"}]') == stored.count('[{"from":"child"}]') == 10
    assert len(set(stored)) == 1002
    producers = {
        attribute.value.string_value
        for request in backend.log_requests()
        for logs in request.resource_logs
        for attribute in logs.resource.attributes
        if attribute.key == "service.instance.id"
    }
    assert len(producers) == 2


def test_importing_and_constructing_loads_neither_pandas_nor_grpc_nor_the_otel_sdk() -> None:
    heavy = _run(
        """
        import sys
        import otel_modeldata
        import otel_modeldata.context
        otel_modeldata.Collector(name="model_inputs")
        otel_modeldata.flush(1)
        heavy = ("pandas", "numpy", "grpc", "opentelemetry.sdk", "yaml", "google.protobuf", "asyncio", "aiohttp")
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert heavy == "[]"


def test_a_report_as_json_holds_the_counts_of_each_collection() -> None:
    report = DeliveryReport.of(
        "p",
        {
            "model_inputs": CollectionReport(accepted=10, delivered=8, lost={"refused": 1, "rejected": 1}),
            "model_outputs": CollectionReport(accepted=3, delivered=1, lost={"refused": 1}, pending=1),
        },
        {"dead": {"model_inputs": CollectionReport(accepted=2, delivered=2)}},
        deployment="credit/blue",
    )
    assert report == DeliveryReport(accepted=13, delivered=9, lost={"refused": 2, "rejected": 1}, pending=1)
    assert json.loads(report.to_json()) == {
        "producer": "p",
        "deployment": "credit/blue",
        "collections": {
            "model_inputs": {"accepted": 10, "delivered": 8, "lost": {"refused": 1, "rejected": 1}},
            "model_outputs": {"accepted": 3, "delivered": 1, "lost": {"refused": 1}, "pending": 1},
        },
        "replayed": {"dead": {"model_inputs": {"accepted": 2, "delivered": 2, "lost": {}}}},
    }


def test_shutdown_writes_the_final_report_as_one_whole_file(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_REPORT", str(tmp_path / "reports"))
    for name in ("model_inputs", "model_outputs"):
        otel_modeldata.Collector(name=name).collect(pd.DataFrame({"n": [1]}))
    report = otel_modeldata.shutdown(60)
    (path,) = (tmp_path / "reports").iterdir()
    assert path.name == f"{report.producer}.json"
    assert path.read_text("utf-8") == report.to_json()
    account = {"accepted": 1, "delivered": 1, "lost": {}}
    assert json.loads(report.to_json())["collections"] == {"model_inputs": account, "model_outputs": account}
    assert len(report.producer) == 32


def test_a_report_that_cannot_be_written_is_one_log_line(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_REPORT", str(tmp_path / "reports"))
    otel_modeldata.Collector(name="model_inputs").collect(pd.DataFrame({"n": [1]}))
    (tmp_path / "reports").rmdir()
    (tmp_path / "reports").touch()
    report = otel_modeldata.shutdown(60)
    assert report == DeliveryReport(accepted=1, delivered=1)
    assert [r.getMessage().split(":")[0] for r in caplog.records if r.levelname == "WARNING"] == [
        f"the report of producer {report.producer} cannot be written"
    ]


def test_on_a_full_disk_no_part_of_a_report_is_left_and_a_second_shutdown_does_not_say_it_again(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_REPORT", str(tmp_path / "reports"))
    otel_modeldata.Collector(name="model_inputs").collect(pd.DataFrame({"n": [1]}))

    def write_some(path: Path, text: str, _: str) -> None:
        path.write_bytes(text[:10].encode())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_text", write_some)
    for _ in range(2):
        assert otel_modeldata.shutdown(60) == DeliveryReport(accepted=1, delivered=1)
    assert list((tmp_path / "reports").iterdir()) == []
    assert [r.getMessage().rpartition("] ")[2] for r in caplog.records if r.levelname == "WARNING"] == [
        os.strerror(errno.ENOSPC)
    ]


def test_a_fork_while_another_thread_loads_the_delivery_side_waits_for_it(backend: RecordingBackend) -> None:
    """A child with a half-imported module would hang in its first `collect`."""
    _run(
        """
        import os, sys, threading
        import pandas as pd
        from otel_modeldata import Collector, flush
        frame = pd.DataFrame({"n": [1]})
        loading = threading.Event()

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "otel_modeldata._delivery.process_start":
                    loading.set()

        sys.meta_path.insert(0, Finder())
        def collect():
            Collector(name="model_inputs").collect(frame)

        thread = threading.Thread(target=collect)
        thread.start()
        assert loading.wait(60)
        child = os.fork()
        if not child:
            collect()
            assert flush(60).delivered == 1
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        thread.join()
        """
    )
    assert len(backend.records()) == 2
