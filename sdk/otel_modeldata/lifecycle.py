"""`flush` and `shutdown`: wait for what was collected, and be told the truth about it.

What becomes of the events that were accepted and not yet delivered when a process ends (tests/test_exits.py):

| end of the process | in memory | with `OTEL_MODELDATA_SPOOL` |
|---|---|---|
| end of the program, `sys.exit`, uncaught exception, SIGINT | delivered, within 10 s | delivered, else kept |
| SIGTERM with a handler that ends in `sys.exit` (gunicorn's workers) | delivered, within 10 s | delivered, else kept |
| child of `multiprocessing`, worker of `ProcessPoolExecutor` | delivered, within 10 s | delivered, else kept |
| `shutdown()`, then anything | delivered, within its timeout | delivered, else kept |
| uvicorn, which raises SIGTERM again: `shutdown()` at the end of the lifespan | delivered | kept |
| SIGTERM without a handler, `Pool.terminate`, `os._exit`, `kill -9`, crash | lost: 50 ms' worth or the backlog | kept |
| forked child | starts empty; the parent's events stay the parent's | same |
| power cut | lost | lost is what the kernel had not written back |

*Kept* is sent by the next process that collects with the same folder, by a living one within ten seconds, or by
`python -c "import otel_modeldata; otel_modeldata.shutdown(60)"`. What an orderly end cannot deliver is reported as
lost, `shutdown`; what an abrupt end loses, nobody can report: it is a tail of the producer's sequence numbers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ._settings.delivery import names_spool
from .report import DeliveryReport

if TYPE_CHECKING:
    from types import ModuleType


def flush(timeout: float | None = None) -> DeliveryReport:
    """Wait until everything collected before is delivered or lost.

    With a spool this includes what dead processes left there, even before the first `collect`:
    `python -c "import otel_modeldata; otel_modeldata.shutdown(60)"` empties a spool.

    Args:
        timeout: seconds to wait at most; None waits as long as it takes.

    Returns:
        The accounts since the process started.
    """
    process = _loaded_process()
    report: DeliveryReport = DeliveryReport() if process is None else process.flush(timeout)
    return report


def shutdown(timeout: float = 10.0) -> DeliveryReport:
    """Deliver what waits, then stop: later calls of `collect` are refused.

    The end of the interpreter does this by itself. Call it before `os._exit`, or to hear the report.

    Args:
        timeout: seconds to wait at most; what is not delivered by then is lost and counted, or stays in the spool.

    Returns:
        The final accounts: accepted = delivered + lost, with a spool + pending.
    """
    process = _loaded_process()
    report: DeliveryReport = DeliveryReport() if process is None else process.shutdown(timeout)
    return report


def _loaded_process() -> ModuleType | None:
    """The module of the delivery side, which the first `collect` loads.

    Before, there is nothing to wait for, unless there is a spool in which a dead process left something.
    """
    if names_spool():
        from ._delivery import process as _process  # noqa: PLC0415 - not before it is needed

        return _process
    return sys.modules.get(f"{__package__}._delivery.process")
