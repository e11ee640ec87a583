"""How long an append may take before its lines are parked."""

from __future__ import annotations

from typing import Final

__all__ = ["BYTES_PER_SECOND", "PATIENCE_SECONDS", "append_patience"]

PATIENCE_SECONDS: Final = 1.0
"""How long an append may take, without its size, before its lines are parked."""
BYTES_PER_SECOND: Final = float(1 << 20)
"""A store that takes bytes more slowly takes none."""


def append_patience(size: int) -> float:
    """Seconds that an append of this size may take."""
    return PATIENCE_SECONDS + size / BYTES_PER_SECOND
