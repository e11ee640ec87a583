"""What all folders of a sink share, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..telemetry import Instruments
    from .folders.known_ids import IdMemory
    from .sink_limits import SinkLimits
    from .store import Store

__all__ = ["SinkContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """What all folders of a sink share.

    Attributes:
        store: where the blobs are.
        limits: see `SinkLimits`.
        memory: where the ids of stored lines are remembered.
        linger: seconds that a first line waits for others while no append is in flight.
        instruments: metrics.
    """

    store: Store
    limits: SinkLimits
    memory: IdMemory
    linger: float
    instruments: Instruments
