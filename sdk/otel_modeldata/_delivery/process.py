"""What a process has once: its producer id, its queue and its delivery thread, and how they end with it.

Made by the first `collect`, so that importing the package loads neither pandas nor gRPC. A forked child starts afresh:
it has another producer id and never sends what its parent had accepted.

The end of the interpreter delivers what waits (`atexit`). Children of `multiprocessing` end by `os._exit` after their
own finalizers: there it is one of these.
"""

from __future__ import annotations

import atexit
import dataclasses
import logging
import multiprocessing
import os
import uuid
from typing import TYPE_CHECKING

from .. import _forking
from .._encoding.log_record import RequestFrame
from .._settings.delivery import names_spool
from .._settings.settings import Settings
from ..context import prepare_ids
from ..report import DeliveryReport
from .disk_queue import Spool
from .open_transport import open_transport
from .worker import Delivery

if TYPE_CHECKING:
    from pathlib import Path

    from ..transport import Transport

logger = logging.getLogger(__name__)

EXIT_SECONDS = 10.0
"""How long the end of the interpreter waits for deliveries: within the 30 s grace period of Kubernetes."""

_AFTER_QUEUES = -100
"""Priority among multiprocessing's finalizers: after those of its queues, which may still hold somebody's results."""


class Process:
    """The delivery side of one process."""

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        config, delivery = settings.config, settings.delivery
        self.producer = uuid.uuid4().hex
        self.report_folder = delivery.report
        frame = RequestFrame(config, self.producer)
        self.deployment = frame.deployment
        limits = dataclasses.replace(delivery.limits, queue_records=config.queue_capacity)
        spool = None
        if delivery.spool is not None:
            spool = Spool(delivery.spool.folder, self.producer, frame.request([]), delivery.spool.max_bytes)
            limits = dataclasses.replace(limits, record_bytes=min(limits.record_bytes, delivery.spool.max_bytes))
        self.delivery = Delivery(
            frame,
            transport or open_transport(settings),
            limits,
            producer=self.producer,
            spool=spool,
            only_overflow=delivery.spool is not None and delivery.spool.only_overflow,
            aside=prepare_ids,
        )

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Deliver what waits and write the final accounts where the settings say so."""
        report = self.delivery.shutdown(timeout)
        if self.report_folder is not None:
            try:
                _write(self.report_folder, report)
            except OSError as error:
                logger.warning("the report of producer %s cannot be written: %s", self.producer, error)
        return report


def _write(folder: Path, report: DeliveryReport) -> None:
    """All or nothing: an audit may read the folder at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.producer}.json"
    part = path.with_suffix(".part")
    part.write_text(report.to_json(), "utf-8")
    part.replace(path)


_process: Process | None = None
_of_parents: list[Process] = []
"""What a forked child inherited. Never used, and never collected either: closing its channel here would reach into
the parent's connection."""


def this_process(settings: Settings) -> Process:
    """The process's delivery side, made on first use."""
    global _process  # noqa: PLW0603 - one per process is the meaning
    if _process is None:
        with _forking.guard:
            if _process is None:
                _process = Process(settings)
                _end_with_multiprocessing()
    return _process


def current_process() -> Process | None:
    """The process's delivery side if there is one already."""
    return _process


def replace_process(process: Process | None) -> Process | None:
    """Put another in its place, as tests do; returns the one before."""
    global _process
    with _forking.guard:
        before, _process = _process, process
        return before


def flush(timeout: float | None) -> DeliveryReport:
    """See `otel_modeldata.flush`."""
    process = _process_with_something()
    return DeliveryReport() if process is None else process.delivery.flush(timeout)


def shutdown(timeout: float) -> DeliveryReport:
    """See `otel_modeldata.shutdown`."""
    process = _process_with_something()
    return DeliveryReport() if process is None else process.shutdown(timeout)


def _process_with_something() -> Process | None:
    """The process, made now if a spool may hold what dead ones left."""
    if _process is None and names_spool():
        return this_process(Settings.from_env())
    return _process


def _at_exit() -> None:
    if _process is not None:
        try:
            _process.shutdown(EXIT_SECONDS)
        except KeyboardInterrupt:  # somebody does not want to wait: what is left is counted, and told
            _process.shutdown(0.0)


def _end_with_multiprocessing() -> None:
    if multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already, as this is such a child

        Finalize(None, _at_exit, exitpriority=_AFTER_QUEUES)


def _after_fork_in_child() -> None:
    global _process  # noqa: PLW0603
    if _process is not None:
        _process.delivery.abandon()
        _of_parents.append(_process)
        _process = None


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
