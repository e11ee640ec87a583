"""The canary: a test event that the SDK sends in a collection of its own, so that it can be followed."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
import yaml

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.environment import CONFIG_VARIABLE, SPOOL_VARIABLE
from otel_modeldata.exceptions import DeliveryError
from otel_modeldata.testing import capture

from ...mapping import resource
from ...otlp_messages import AnyValue, KeyValue, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.config import CollectorConfig

    from ...mapping.resource import DeploymentResource

__all__ = ["Canary", "Sender", "environment_of_canary"]

_LARGE_ROWS: Final = 5
_MIB: Final = 2**20
_LOGGERS: Final = ("otel_modeldata", "otel_modeldata_receiver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """An event that was sent.

    Attributes:
        correlation_id: correlation id of the event.
        began: a moment before the event's own time, in seconds since the epoch.
        ended: a moment after it.
        seconds: time until the endpoint answered, or until the wait ended.
        problem: why it was not acknowledged; None when it was.
        reason: the reason of its loss, as in `DeliveryError.reason`; None when it was not lost.
    """

    correlation_id: str
    began: float
    ended: float
    seconds: float
    problem: str | None
    reason: str | None


@contextmanager
def environment_of_canary(config: CollectorConfig, collection: str) -> Iterator[None]:
    """Set the variables of this process so that `collection` is collected whatever the configuration lists.

    Names and rate stay as configured. Records of other processes that wait in a spool are not sent.
    """
    block: dict[str, object] = {"collections": {collection: {"enabled": True}}}
    if config.rolling_rate is not None:
        block["rolling_rate"] = config.rolling_rate
    names = {"endpoint_name": config.endpoint, "name": config.deployment}
    document = {**{key: name for key, name in names.items() if name is not None}, "data_collector": block}
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="otel-modeldata-doctor-") as folder:
        path = Path(folder, "deployment.yml")
        path.write_text(yaml.safe_dump(document), "utf-8")
        os.environ[CONFIG_VARIABLE] = str(path)
        os.environ.pop(SPOOL_VARIABLE, None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


class Sender:
    """Sends canaries; use and close it inside `environment_of_canary`.

    Args:
        collection: collection of the canaries.

    Raises:
        otel_modeldata.exceptions.ConfigError: the SDK refuses to start.
    """

    def __init__(self, collection: str) -> None:
        self._losses: list[Exception] = []
        self._collector = Collector(name=collection, on_error=self._losses.append)
        self._delivered = 0
        self._log = _LastMessage()
        self._log.start()

    def origin(self) -> DeploymentResource:
        """The endpoint and deployment that the receiver reads from the events of this process.

        Raises:
            BadRecordError: the receiver refuses the names.
        """
        with capture() as captured:
            self._collector.collect(pd.DataFrame({"canary": [0]}))
            values = captured.events[0].resource
        attributes = [KeyValue(key=key, value=AnyValue(string_value=str(value))) for key, value in values.items()]
        return resource.read(Resource(attributes=attributes).SerializeToString())

    def send(self, timeout: float, *, large: bool = False) -> Canary:
        """Collect an event and wait until it is acknowledged, `timeout` seconds at most."""
        context = BasicCorrelationContext(id=f"doctor-{uuid.uuid4()}")
        rows = ["x" * _MIB] * _LARGE_ROWS if large else ["a canary of otel-modeldata doctor"]
        self._losses.clear()
        began, start = time.time(), time.perf_counter()
        self._collector.collect(pd.DataFrame({"canary": rows}), context)
        ended = time.time()
        report = otel_modeldata.flush(timeout)
        acknowledged, self._delivered = report.delivered > self._delivered, report.delivered
        return Canary(
            correlation_id=context.get_id(),
            began=began,
            ended=ended,
            seconds=time.perf_counter() - start,
            problem=None if acknowledged else self._problem(timeout),
            reason=None if acknowledged else self._reason(),
        )

    def _problem(self, timeout: float) -> str:
        if self._losses:
            return str(self._losses[-1])
        return f"no acknowledgment within {timeout:g} s; {self._log.last or 'no reason given'}"

    def _reason(self) -> str | None:
        last = self._losses[-1] if self._losses else None
        return last.reason if isinstance(last, DeliveryError) else None

    def close(self) -> None:
        """Drop events that were not acknowledged."""
        otel_modeldata.shutdown(0.0)
        self._log.stop()


class _LastMessage(logging.Handler):
    """Keeps the last log message of the SDK, which would otherwise be printed between the lines of the report."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._propagated = {name: logging.getLogger(name).propagate for name in _LOGGERS}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of `record`."""
        self.last = record.getMessage()

    def start(self) -> None:
        """Capture the SDK's messages from now on."""
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)
            logging.getLogger(name).propagate = False

    def stop(self) -> None:
        """Restore the SDK's loggers."""
        for name, propagated in self._propagated.items():
            logging.getLogger(name).removeHandler(self)
            logging.getLogger(name).propagate = propagated
