"""Starts the delivery side of a process, and shuts it down at the end of the process.

The first `collect` starts it, so that importing the package loads neither pandas nor gRPC. A forked child starts empty:
it has another producer id and never sends what its parent had accepted.

`atexit` delivers pending records. Children of `multiprocessing` end by `os._exit` after their own finalizers, so they
use a finalizer instead.
"""

from __future__ import annotations

import atexit
import dataclasses
import multiprocessing
import uuid
from typing import TYPE_CHECKING

from .. import _forking
from .._encoding.log_record import RequestEnvelope
from .._settings.delivery import names_spool
from .._settings.settings import Settings
from ..context import prepare_ids
from .disk_queue import DiskQueue
from .open_transport import open_transport
from .process import Process, current_process, replace_process
from .worker import Worker

if TYPE_CHECKING:
    from ..transport import Transport

EXIT_SECONDS = 10.0
"""How long the end of the interpreter waits for deliveries: within the 30 s grace period of Kubernetes."""

_AFTER_QUEUES = -100
"""Priority among multiprocessing's finalizers: after those of its queues, which may still hold results."""


def start_process(settings: Settings, transport: Transport | None = None) -> Process:
    """Make the delivery side of a process: its queue, its transport, and the thread that sends."""
    config, delivery, producer = settings.config, settings.delivery, uuid.uuid4().hex
    envelope = RequestEnvelope(settings.sender.of_this_process().attributes, producer)
    limits = dataclasses.replace(delivery.limits, queue_records=config.queue_capacity)
    disk_queue = None
    if delivery.spool is not None:
        disk_queue = DiskQueue(delivery.spool.folder, producer, envelope.request([]), delivery.spool.max_bytes)
        limits = dataclasses.replace(limits, record_bytes=min(limits.record_bytes, delivery.spool.max_bytes))
    worker = Worker(
        envelope,
        transport or open_transport(settings),
        limits,
        producer=producer,
        disk_queue=disk_queue,
        only_overflow=delivery.spool is not None and delivery.spool.only_overflow,
        between_batches=prepare_ids,
    )
    return Process(producer=producer, deployment=envelope.deployment, delivery=worker, report_folder=delivery.report)


_of_parents: list[Process] = []
"""Delivery sides that a forked child inherited. They are not used, but kept: garbage collection would close their
channels, which would affect the parent's connections."""


def this_process(settings: Settings) -> Process:
    """The process's delivery side, made on first use."""
    process = current_process()
    if process is None:
        with _forking.guard:
            process = current_process()
            if process is None:
                process = start_process(settings)
                replace_process(process)
                _end_with_multiprocessing()
    return process


def process_for_spool() -> Process | None:
    """The process's delivery side; made now if there is a spool, which may hold records of dead processes."""
    if current_process() is None and names_spool():
        return this_process(Settings.from_env())
    return current_process()


def _at_exit() -> None:
    process = current_process()
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
    inherited = current_process()
    if inherited is not None:
        inherited.delivery.abandon()
        _of_parents.append(inherited)
        replace_process(None)


atexit.register(_at_exit)
_forking.on_fork(after_in_child=_after_fork_in_child)
