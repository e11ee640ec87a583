"""`flush` and `shutdown`: wait until collected events are delivered, and report what was delivered or lost.

Events that were accepted and are not yet delivered when a process ends (tests/end_to_end/test_exits.py):

| end of the process | in memory | with `OTEL_MODELDATA_SPOOL` |
|---|---|---|
| end of the program, `sys.exit`, uncaught exception, SIGINT | delivered, within 10 s | delivered, else kept |
| SIGTERM with a handler that ends in `sys.exit` (gunicorn's workers) | delivered, within 10 s | delivered, else kept |
| child of `multiprocessing`, worker of `ProcessPoolExecutor` | delivered, within 10 s | delivered, else kept |
| `shutdown()`, then anything | delivered, within its timeout | delivered, else kept |
| uvicorn, which raises SIGTERM again: `shutdown()` at the end of the lifespan | delivered | kept |
| SIGTERM without a handler, `Pool.terminate`, `os._exit`, `kill -9`, crash | lost: everything pending | kept |
| forked child | starts empty; the parent's events stay the parent's | same |
| power cut | lost | kept, except what the kernel had not written back |

Without an outage, the events of the last `merge_seconds` and `linger_seconds` (`_settings/delivery.py`) are pending;
during an outage, all events since it began.

*Kept* events are sent by the next process that collects with the same folder, by a running one within ten seconds, or
by `python -c "import otel_modeldata; otel_modeldata.shutdown(60)"`. An orderly end reports undelivered events as lost,
with the reason `shutdown`. An abrupt end cannot report its losses: the producer's last sequence numbers are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """
    process = _process_with_events()
    return DeliveryReport() if process is None else process.delivery.flush(timeout)


def shutdown(timeout: float = 10.0) -> DeliveryReport:
    """Deliver what is pending, then stop: later calls of `collect` are refused.

    The interpreter calls this when it exits. Call it yourself before `os._exit`, or to get the report.

    Args:
        timeout: maximum seconds to wait; events not delivered by then are counted as lost, or stay in the spool.

    Returns:
        The final counts: accepted = delivered + lost; with a spool, accepted = delivered + lost + pending.
    """
    process = _process_with_events()
    return DeliveryReport() if process is None else process.shutdown(timeout)


def _process_with_events() -> Process | None:
    """The delivery side, which the first `collect` makes; None when there is nothing to wait for.

    With a spool it is made here, because a dead process may have left events there.
    """
    if names_spool():
        from ._delivery.process_start import process_for_spool  # noqa: PLC0415 - loads gRPC, only when it is needed

        return process_for_spool()
    return current_process()
