"""`--watch`: makes the report again and again, and exports its figures as gauges of OpenTelemetry."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

from ...exceptions import ConfigError, StoreCheckError
from ...telemetry.export import METRICS_EXPORTER, start_metrics
from ..reader_session import reader_errors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_modeldata_reader.reporting import Report

__all__ = ["watch"]

SERVICE_NAME: Final = "otel-modeldata-report"


def watch(make: Callable[[], Report], put: Callable[[Report], object], arguments: argparse.Namespace, url: str) -> None:
    """Make the report every `arguments.watch` seconds until Ctrl-C or SIGTERM.

    An error of the first report ends the command. Later ones are printed, and the gauges keep the last figures, whose
    age is the gauge `otel_modeldata.report.time`.

    Args:
        make: makes the report.
        put: called with each report.
        arguments: of the command line.
        url: the store, for errors.

    Raises:
        ConfigError: nothing takes the figures.
        ReceiverError: as `make` raises for the first report.
    """
    exporter = os.environ.get(METRICS_EXPORTER, "").strip().lower()
    if exporter in {"", "none"} and arguments.html is None and not arguments.json:
        raise ConfigError(
            f"expected something that takes the figures of --watch, got neither {METRICS_EXPORTER} nor --html nor "
            f"--json: set {METRICS_EXPORTER}=otlp, and OTEL_EXPORTER_OTLP_ENDPOINT"
        )
    stop = threading.Event()
    with _ending(stop):
        latest = _Latest()
        latest.take(make())
        put(latest.report)
        metrics = start_metrics(uuid.uuid4().hex, service=SERVICE_NAME)
        try:
            latest.offer()
            while not stop.wait(arguments.watch):
                _again(latest, make, put, url)
        finally:
            metrics.stop()


def _again(latest: _Latest, make: Callable[[], Report], put: Callable[[Report], object], url: str) -> None:
    """One more report; an error is printed, because the next one may be made."""
    try:
        with reader_errors(url=url, began=time.monotonic()):
            latest.take(make())
            put(latest.report)
    except (ConfigError, StoreCheckError) as error:
        sys.stderr.write(f"otel-modeldata: {printable(str(error))}\n")
        sys.stderr.flush()


class _Latest:
    """The last report, and when it was made."""

    def __init__(self) -> None:
        self._report: Report | None = None
        self._made = 0.0

    @property
    def report(self) -> Report:
        """The last report."""
        assert self._report is not None  # noqa: S101 - there is one before it is asked for
        return self._report

    def take(self, report: Report) -> None:
        """A new one."""
        self._report, self._made = report, time.time()

    def offer(self) -> None:
        """Make the gauges, which have the figures of the last report whenever metrics are exported."""
        from opentelemetry.metrics import Observation, get_meter  # noqa: PLC0415 (only with --watch)

        from otel_modeldata_reader.reporting.gauges import GAUGES, TIME  # noqa: PLC0415 (likewise)

        meter = get_meter("otel_modeldata_reader.reporting")

        def observe(name: str) -> Callable[[CallbackOptions], list[Observation]]:
            def observed(_: CallbackOptions) -> list[Observation]:
                if name == TIME:
                    return [Observation(self._made, dict(next(self.report.gauges()).attributes))]
                found = self.report.gauges()
                return [Observation(one.value, dict(one.attributes)) for one in found if one.name == name]

            return observed

        for name, (unit, meaning) in GAUGES.items():
            meter.create_observable_gauge(name, callbacks=[observe(name)], unit=unit, description=meaning)


@contextmanager
def _ending(stop: threading.Event) -> Iterator[None]:
    """End at Ctrl-C and SIGTERM, also while a report is being made: that report is left, and none is half written."""

    def end(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        if not stop.is_set():
            raise
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
