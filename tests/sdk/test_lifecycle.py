from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import otel_modeldata
from otel_modeldata.lifecycle import DeliveryReport

if TYPE_CHECKING:
    from recording_backend import RecordingBackend


def test_before_the_first_collect_there_is_nothing_to_report() -> None:
    assert otel_modeldata.flush(1) == otel_modeldata.shutdown(1) == DeliveryReport()


def _run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
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


def _stored(backend: RecordingBackend) -> list[str]:
    return [record.body.string_value for record in backend.records()]


def test_the_end_of_the_interpreter_delivers_what_waits(backend: RecordingBackend) -> None:
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
        heavy = ("pandas", "numpy", "grpc", "opentelemetry.sdk", "yaml", "google.protobuf")
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert heavy == "[]"
