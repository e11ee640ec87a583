"""Starts the delivery side of a process. `ending/` shuts it down at the end of the process.

The first `collect` starts it, so that importing the package loads neither pandas nor gRPC. A forked child starts empty:
it has another producer id and never sends what its parent had accepted.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

from .. import _forking
from .._encoding.log_record import RequestEnvelope
from .._settings.delivery import names_spool
from .._settings.settings import Settings
from ..context import prepare_ids
from .ending.hooks import install_hooks
from .ending.pool_child import ends_without_notice
from .open_transport import open_transport, place_of
from .process import Process, current_process, replace_process
from .spool.disk_queue import DiskQueue
from .worker import Worker

if TYPE_CHECKING:
    from ..transport import Transport


def start_process(settings: Settings, transport: Transport | None = None) -> Process:
    """Make the delivery side of a process: its queue, its transport, and the thread that sends."""
    config, delivery, producer = settings.config, settings.delivery, uuid.uuid4().hex
    envelope = RequestEnvelope(settings.sender.of_this_process().attributes, producer)
    limits = dataclasses.replace(delivery.limits, queue_records=config.queue_capacity)
    if ends_without_notice():
        limits = dataclasses.replace(limits, merge_seconds=0.0, linger_seconds=limits.busy_seconds)
    disk_queue = None
    if delivery.spool is not None:
        disk_queue = DiskQueue(delivery.spool.folder, producer, envelope.request([]), delivery.spool.max_bytes)
        limits = dataclasses.replace(limits, record_bytes=min(limits.record_bytes, delivery.spool.max_bytes))
    worker = Worker(
        envelope,
        transport or open_transport(settings),
        limits,
        producer=producer,
        destination="the store" if isinstance(settings.destination, str) else settings.destination.target,
        disk_queue=disk_queue,
        only_overflow=delivery.spool is not None and delivery.spool.only_overflow,
        between_batches=prepare_ids,
    )
    destination = settings.destination
    return Process(
        producer=producer,
        deployment=envelope.deployment,
        delivery=worker,
        report_folder=delivery.report,
        destination="the store" if isinstance(destination, str) else destination.target,
        spool_folder=None if delivery.spool is None else delivery.spool.folder,
        place=None if transport else place_of(settings),
    )


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
                process = _start_once(settings)
    return process


def _start_once(settings: Settings) -> Process:
    started = start_process(settings)
    earlier = current_process()
    if earlier is not None:  # a signal handler of this thread collected in between
        started.delivery.shutdown(0.0)
        return earlier
    replace_process(started)
    install_hooks(on_sigterm=settings.delivery.on_sigterm)
    return started


def process_for_spool() -> Process | None:
    """The process's delivery side; made now if there is a spool, which may hold records of dead processes."""
    if current_process() is None and names_spool():
        return this_process(Settings.from_env())
    return current_process()


def _after_fork_in_child() -> None:
    inherited = current_process()
    if inherited is not None:
        inherited.delivery.abandon()
        _of_parents.append(inherited)
        replace_process(None)


_forking.on_fork(after_in_child=_after_fork_in_child)
