"""`flush` and `shutdown`: wait for what was collected, and be told the truth about it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of the events that this process accepted.

    Attributes:
        accepted: taken by `collect`; equals delivered + lost + pending.
        delivered: the endpoint answered for them.
        lost: by reason: `rejected`, `refused`, `too_large`, `unencodable`, `shutdown`.
        pending: still waiting.
    """

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0


def flush(timeout: float | None = None) -> DeliveryReport:
    """Wait until everything collected before is delivered or lost.

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
        timeout: seconds to wait at most; what is not delivered by then is lost and counted.

    Returns:
        The final accounts: accepted = delivered + lost.
    """
    process = _loaded_process()
    report: DeliveryReport = DeliveryReport() if process is None else process.shutdown(timeout)
    return report


def _loaded_process() -> ModuleType | None:
    """The module of the delivery side, which the first `collect` loads; before, there is nothing to wait for."""
    return sys.modules.get(f"{__package__}._process")
