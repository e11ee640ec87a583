"""What a process has once: its producer id, its queue and its delivery thread.

Made by the first `collect`, so that importing the package loads neither pandas nor gRPC. A forked child starts afresh:
it has another producer id and never sends what its parent had accepted.
"""

from __future__ import annotations

import atexit
import os
import threading
import uuid
from typing import TYPE_CHECKING

from ._delivery import Delivery, DeliveryLimits
from ._endpoint import load_endpoint
from ._export import GrpcTransport
from ._record import RequestFrame
from .exceptions import ConfigError
from .lifecycle import DeliveryReport

if TYPE_CHECKING:
    from ._export import Transport
    from .config import CollectorConfig

QUEUE_BYTES_VARIABLE = "OTEL_MODELDATA_QUEUE_BYTES"

EXIT_SECONDS = 10.0
"""How long the end of the interpreter waits for deliveries: within the 30 s grace period of Kubernetes."""


class Process:
    """The delivery side of one process."""

    def __init__(self, config: CollectorConfig, transport: Transport | None = None) -> None:
        self.producer = uuid.uuid4().hex
        self.delivery = Delivery(
            RequestFrame(config, self.producer), transport or GrpcTransport(load_endpoint()), _limits(config)
        )


def _limits(config: CollectorConfig) -> DeliveryLimits:
    text = os.environ.get(QUEUE_BYTES_VARIABLE)
    if text is None:
        return DeliveryLimits(queue_records=config.queue_capacity)
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ConfigError(QUEUE_BYTES_VARIABLE, [f"expected bytes above 0, got {text!r}"])
    return DeliveryLimits(queue_bytes=int(text), queue_records=config.queue_capacity)


_lock = threading.Lock()
_process: Process | None = None
_of_parents: list[Process] = []
"""What a forked child inherited. Never used, and never collected either: closing its channel here would reach into
the parent's connection."""


def this_process(config: CollectorConfig) -> Process:
    """The process's delivery side, made on first use."""
    global _process  # noqa: PLW0603 - one per process is the meaning
    if _process is None:
        with _lock:
            if _process is None:
                _process = Process(config)
    return _process


def replace_process(process: Process | None) -> Process | None:
    """Put another in its place, as tests do; returns the one before."""
    global _process
    with _lock:
        before, _process = _process, process
        return before


def flush(timeout: float | None) -> DeliveryReport:
    """See `otel_modeldata.flush`."""
    return DeliveryReport() if _process is None else _process.delivery.flush(timeout)


def shutdown(timeout: float) -> DeliveryReport:
    """See `otel_modeldata.shutdown`."""
    return DeliveryReport() if _process is None else _process.delivery.shutdown(timeout)


def _at_exit() -> None:
    shutdown(EXIT_SECONDS)


def _after_fork_in_child() -> None:
    global _lock, _process  # noqa: PLW0603
    _lock = threading.Lock()
    if _process is not None:
        _of_parents.append(_process)
        _process = None


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
