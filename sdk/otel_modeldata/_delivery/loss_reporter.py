"""What delivery tells: losses to `on_error`, else one log line a minute for each condition that lasts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ..exceptions import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grpc_transport import Retry
    from .pending import OnError, Waiting

logger = logging.getLogger(__name__)

QUIET_SECONDS = 60.0


class Notices:
    """Speaks for one delivery, called by its thread only, or for another condition that lasts."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}

    def lost(self, items: Sequence[Waiting], reason: str, detail: str, count: int) -> None:
        """`count` of these events are lost: told once per batch and `on_error`."""
        by_receiver: dict[OnError | None, list[str]] = {}
        for item in items:
            by_receiver.setdefault(item.on_error, []).append(item.record.event_id)
        for on_error, event_ids in by_receiver.items():
            error = DeliveryError(reason, detail, tuple(event_ids), min(count, len(event_ids)))
            if on_error is None:
                self.warn(reason, "%s", error)
                continue
            try:
                on_error(error)
            except Exception:  # what the user's function does must not end the delivery thread
                logger.exception("on_error itself failed for: %s", error)

    def waiting(self, answer: Retry, count: int, nbytes: int) -> None:
        """The endpoint says "later"."""
        message = "%d event(s), %d bytes, wait for the endpoint to come back; it answers %s: %s"
        self.warn("waiting", message, count, nbytes, answer.code, answer.details)

    def warn(self, condition: str, message: str, *values: object) -> None:
        """One log line a minute for `condition`."""
        now = time.monotonic()
        if now >= self._quiet_until.get(condition, 0.0):
            self._quiet_until[condition] = now + QUIET_SECONDS
            logger.warning(message, *values)
