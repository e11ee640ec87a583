"""`flush` and `shutdown`: wait until collected events are delivered, and report what was delivered or lost.

Events that were accepted and are not yet delivered when a process ends (tests/end_to_end/test_exits*.py):

| end of the process | in memory | with `OTEL_MODELDATA_SPOOL` |
|---|---|---|
| end of the program, `sys.exit`, uncaught exception, SIGINT | delivered, within 10 s | delivered, else kept |
| threads that outlive the main one, exit handlers that collect | delivered, within 10 s | delivered, else kept |
| SIGTERM under uvicorn, gunicorn, hypercorn, granian, KServe | delivered, within 10 s | delivered, else kept |
| SIGTERM without a handler: waitress, scripts (1) | delivered, within 10 s | delivered, else kept |
| child of `multiprocessing`, joblib, Celery, billiard, Dask | delivered, within 10 s | delivered, else kept |
| SIGTERM to such a child: `Pool.terminate` (1) | delivered, within 4 s | delivered, else kept |
| `shutdown()`, then anything | delivered, within its timeout | delivered, else kept |
| first process of a container, SIGTERM without a handler (2) | delivered, all but the last moment | kept |
| `os._exit`, `os.execv`, `kill -9`, crash, worker of Ray | lost: everything pending | kept |
| forked child | starts empty; the parent's events stay the parent's | same |
| power cut | lost | kept, except what the kernel had not written back |

(1) If a collector was made in the main thread. The SDK then handles SIGTERM: it delivers, restores the default and
raises the signal again. It replaces no handler of the application; `OTEL_MODELDATA_SIGTERM=leave` installs none.
(2) The kernel does not end such a process by SIGTERM: it works on until SIGKILL, and delivers without a pause.

Without an outage, the events of the last `merge_seconds` and `linger_seconds` (`_settings/delivery.py`) are pending;
during an outage, all events since it began.

*Kept* events are sent by the next process that collects with the same folder, by a running one within ten seconds, or
by `python -c "import otel_modeldata; otel_modeldata.shutdown(60)"`. An orderly end reports undelivered events as lost,
with the reason `shutdown`, and logs one line with their number. An abrupt end cannot report its losses: the producer's
last sequence numbers are missing. `_delivery/ending/` has the code for each end.
"""

from __future__ import annotations

from numbers import Real
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING

from . import _forking
from ._delivery.process import current_process
from ._settings.delivery import names_spool
from .report import DeliveryReport

__all__ = ["flush", "shutdown"]

if TYPE_CHECKING:
    from ._delivery.process import Process


def flush(timeout: float | None = None) -> DeliveryReport:
    """Wait until everything collected so far is delivered or lost.

    With a spool this includes events that dead processes left there, even before the first `collect`:
    `python -c "import otel_modeldata; otel_modeldata.shutdown(60)"` empties a spool.

    Args:
        timeout: maximum seconds to wait; None waits without a limit.

    Returns:
        The counts since the process started.

    Raises:
        TypeError: `timeout` is neither a number nor None.
        ValueError: it is NaN.
    """
    timeout = None if timeout is None else _seconds("flush", timeout, "a number of seconds or None")
    process = _process_with_events()
    return DeliveryReport() if process is None else process.delivery.flush(timeout)


def shutdown(timeout: float = 10.0) -> DeliveryReport:
    """Deliver what is pending, then stop: later calls of `collect` are refused.

    The interpreter calls this when it exits. Call it yourself before `os._exit`, or to get the report.

    Args:
        timeout: maximum seconds to wait; events not delivered by then are counted as lost, or stay in the spool.

    Returns:
        The final counts: accepted = delivered + lost; with a spool, accepted = delivered + lost + pending.

    Raises:
        TypeError: `timeout` is not a number.
        ValueError: it is NaN.
    """
    timeout = _seconds("shutdown", timeout, "a number of seconds")
    process = _process_with_events()
    return DeliveryReport() if process is None else process.shutdown(timeout)


def _seconds(function: str, timeout: object, expected: str) -> float:
    """A timeout as given by a program; one that is longer than the system can wait is the longest."""
    if not isinstance(timeout, Real):
        raise TypeError(
            f"expected {expected} as timeout of {function}, got {timeout!r:.80} ({type(timeout).__name__}): "
            "give it as a number, such as 5.0"
        )
    if timeout != timeout:  # noqa: PLR0124 - only NaN is not equal to itself
        raise ValueError(f"expected {expected} as timeout of {function}, got nan: give it as a number, such as 5.0")
    return float(timeout) if timeout < TIMEOUT_MAX else TIMEOUT_MAX


def _process_with_events() -> Process | None:
    """The delivery side, which the first `collect` makes; None when there is nothing to wait for.

    With a spool it is made here, because a dead process may have left events there.
    """
    process = current_process()
    if process is not None or not names_spool() or _forking.holds_guard():  # called while this thread loads it
        return process
    with _forking.guard:
        from ._delivery.process_start import process_for_spool  # noqa: PLC0415 - loads gRPC, only when it is needed

        return process_for_spool()
