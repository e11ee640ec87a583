"""What `on_error` does never reaches the scoring request or the delivery thread."""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata import Collector
from otel_modeldata._delivery import on_error as module
from otel_modeldata._delivery.on_error import call_on_error
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata.report import DeliveryReport
from otel_modeldata.testing import capture
from otel_modeldata.transport import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _log_each_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_throttle", LogThrottle(module.logger))


def _raise(error: BaseException) -> Callable[[Exception], None]:
    def on_error(_: Exception) -> None:
        raise error

    return on_error


RAISED = [ValueError("broken"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]


@pytest.mark.parametrize("raised", RAISED, ids=repr)
def test_what_on_error_raises_does_not_reach_the_scoring_request(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with capture() as captured:
        collector = Collector(name="model_inputs", on_error=_raise(raised))
        for _ in range(3):
            collector.collect(pd.DataFrame({"a": [object()]}))
        collector.collect(pd.DataFrame({"a": [1]}))
        assert [event.rows for event in captured.events] == [[{"a": 1}]]
    assert [record.name for record in caplog.records] == ["otel_modeldata._delivery.on_error"]
    assert "on_error itself failed for: column 'a', row 0" in caplog.text


@pytest.mark.parametrize("raised", RAISED, ids=repr)
def test_what_on_error_raises_does_not_end_the_delivery_thread(raised: BaseException) -> None:
    worker = Worker(
        RequestEnvelope({}, "p"),
        Endpoint(lambda _: Refused("INTERNAL", "bad")),
        DeliveryLimits(**FAST),  # type: ignore[arg-type]
    )
    for name in ("a", "b"):
        worker.put(FakeRecord(name), _raise(raised))
        worker.flush(30)
    assert worker.shutdown(30) == DeliveryReport(accepted=2, lost={"refused": 2})


def test_an_on_error_that_collects_is_not_called_again_by_its_own_errors() -> None:
    calls: list[str] = []

    def on_error(error: Exception) -> None:
        calls.append(str(error))
        collector.collect(pd.DataFrame({"a": [object()]}))
        collector.collect(pd.DataFrame({"error": [str(error)]}))

    with capture() as captured:
        collector = Collector(name="model_inputs", on_error=on_error)
        collector.collect(pd.DataFrame({"b": [object()]}))
        assert [event.rows for event in captured.events] == [[{"error": calls[0]}]]
    assert len(calls) == 1


def test_an_on_error_may_call_everything_in_the_delivery_thread() -> None:
    endpoint = Endpoint(lambda names: Refused("INTERNAL", "bad"))
    reports: list[DeliveryReport] = []

    def on_error(_: Exception) -> None:
        worker.put(FakeRecord("from on_error"), on_error)
        reports.append(worker.flush())
        reports.append(worker.shutdown(30))

    worker = Worker(RequestEnvelope({}, "p"), endpoint, DeliveryLimits(**FAST))  # type: ignore[arg-type]
    worker.put(FakeRecord("a"), on_error)
    worker.flush(30)
    assert worker.shutdown(30) == DeliveryReport(accepted=2, lost={"refused": 2})
    assert [report.pending for report in reports] == [2, 2]


def test_a_signal_handler_that_exits_while_on_error_runs_ends_the_program() -> None:
    def exit_now(*_: object) -> None:
        raise SystemExit

    before = signal.signal(signal.SIGUSR1, exit_now)
    try:
        with pytest.raises(SystemExit):
            call_on_error(lambda _: signal.raise_signal(signal.SIGUSR1), ValueError())
    finally:
        signal.signal(signal.SIGUSR1, before)


class _Stop:
    def __call__(self, *_: object) -> None:
        raise SystemExit

    def stop(self, *_: object) -> None:
        raise SystemExit


def _time_out(*_: object) -> None:
    raise TimeoutError


HANDLERS = {
    "a partial function": (functools.partial(_Stop.stop, _Stop()), SystemExit),
    "an object": (_Stop(), SystemExit),
    "a method": (_Stop().stop, SystemExit),
    "a timeout": (_time_out, TimeoutError),
}


@pytest.mark.parametrize("name", HANDLERS)
def test_what_a_handler_of_any_kind_raises_while_on_error_runs_is_raised(name: str) -> None:
    handler, raised = HANDLERS[name]
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(raised):
            call_on_error(lambda _: signal.raise_signal(signal.SIGALRM), ValueError())
    finally:
        signal.signal(signal.SIGALRM, before)


def test_ctrl_c_while_on_error_runs_is_raised() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            call_on_error(lambda _: signal.raise_signal(signal.SIGINT), ValueError())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_of_ctrl_c_that_on_error_installs_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        call_on_error(lambda _: signal.signal(signal.SIGINT, signal.SIG_IGN), ValueError())
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
