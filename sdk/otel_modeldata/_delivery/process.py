"""The delivery side of a process: producer id, queue and delivery thread, and their shutdown at its end.

Made by the first `collect`, so that importing the package loads neither pandas nor gRPC. A forked child starts empty:
it has another producer id and never sends what its parent had accepted.

`atexit` delivers pending records. Children of `multiprocessing` end by `os._exit` after their own finalizers, so they
use a finalizer instead.
"""

from __future__ import annotations

import atexit
import dataclasses
import logging
import multiprocessing
import uuid
from typing import TYPE_CHECKING

from .. import _forking
from .._encoding.log_record import RequestEnvelope
from .._settings.delivery import names_spool
from .._settings.settings import Settings
from ..context import prepare_ids
from . import current
from .disk_queue import DiskQueue
from .open_transport import open_transport
from .worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from ..report import DeliveryReport
    from ..transport import Transport

logger = logging.getLogger(__name__)

EXIT_SECONDS = 10.0
"""How long the end of the interpreter waits for deliveries: within the 30 s grace period of Kubernetes."""

_AFTER_QUEUES = -100
"""Priority among multiprocessing's finalizers: after those of its queues, which may still hold results."""


class Process:
    """The delivery side of one process."""

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        config, delivery = settings.config, settings.delivery
        self.producer = uuid.uuid4().hex
        self.report_folder = delivery.report
        envelope = RequestEnvelope(config, self.producer)
        self.deployment = envelope.deployment
        limits = dataclasses.replace(delivery.limits, queue_records=config.queue_capacity)
        disk_queue = None
        if delivery.spool is not None:
            disk_queue = DiskQueue(delivery.spool.folder, self.producer, envelope.request([]), delivery.spool.max_bytes)
            limits = dataclasses.replace(limits, record_bytes=min(limits.record_bytes, delivery.spool.max_bytes))
        self.delivery = Worker(
            envelope,
            transport or open_transport(settings),
            limits,
            producer=self.producer,
            disk_queue=disk_queue,
            only_overflow=delivery.spool is not None and delivery.spool.only_overflow,
            between_batches=prepare_ids,
        )

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Deliver what is pending, and write the final report if the settings name a folder for it."""
        report = self.delivery.shutdown(timeout)
        if self.report_folder is not None:
            try:
                _write(self.report_folder, report)
            except OSError as error:
                logger.warning("the report of producer %s cannot be written: %s", self.producer, error)
        return report


def _write(folder: Path, report: DeliveryReport) -> None:
    """Write the file atomically: an audit may read the folder at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.producer}.json"
    part = path.with_suffix(".part")
    part.write_text(report.to_json(), "utf-8")
    part.replace(path)


_of_parents: list[Process] = []
"""Delivery sides that a forked child inherited. They are not used, but kept: garbage collection would close their
channels, which would affect the parent's connections."""


def this_process(settings: Settings) -> Process:
    """The process's delivery side, made on first use."""
    process = current.process
    if process is None:
        with _forking.guard:
            process = current.process
            if process is None:
                process = Process(settings)
                current.replace_process(process)
                _end_with_multiprocessing()
    return process


def process_for_spool() -> Process | None:
    """The process's delivery side; made now if there is a spool, which may hold records of dead processes."""
    if current.process is None and names_spool():
        return this_process(Settings.from_env())
    return current.process


def _at_exit() -> None:
    process = current.process
    if process is not None:
        try:
            process.shutdown(EXIT_SECONDS)
        except KeyboardInterrupt:  # the user does not want to wait: what is left is counted and reported
            process.shutdown(0.0)


def _end_with_multiprocessing() -> None:
    if multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already in such a child

        Finalize(None, _at_exit, exitpriority=_AFTER_QUEUES)


def _after_fork_in_child() -> None:
    inherited = current.process
    if inherited is not None:
        inherited.delivery.abandon()
        _of_parents.append(inherited)
        current.replace_process(None)


atexit.register(_at_exit)
_forking.on_fork(after_in_child=_after_fork_in_child)
