"""What the server of Studio is set to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

__all__ = ["WebSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Who may ask, and how much one question may take."""

    token: str | None = field(default=None, repr=False)
    """What every request must have; None where only this machine can connect."""
    seconds: float = 20.0
    """How long one answer may take."""
    queries: int = 4
    """How many answers are made at the same time."""
    waiting: int = 64
    """How many requests may wait for their turn."""
    lost_seconds: float = 5.0
    """How long a question whose time is over may take to end; then its thread is given up, and another one starts."""
    lost: int = 32
    """How many threads may be given up and not end: they wait for a store that does not answer."""
    answer_bytes: int = 4 << 20
    """The largest answer."""
    live_seconds: float = 1.0
    """How often the store is looked at while a page is live."""
    listeners: int = 16
    """How many pages may be live at the same time."""

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the cookie that a browser has after it brought the token.

        Neither tells the token. The name is one of this token, because cookies are not separated by ports.
        """
        digest = hashlib.sha256(f"otel-modeldata studio {self.token}".encode()).hexdigest()
        return f"studio_{digest[:8]}", digest[8:]
