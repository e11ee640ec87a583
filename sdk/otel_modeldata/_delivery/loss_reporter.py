"""Reports losses to `on_error`, else to the log, and logs when an endpoint does not accept records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..exceptions import DeliveryError
from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..transport import Retry
    from .pending import OnError, Outcome, PendingRecord

logger = logging.getLogger(__name__)


class LossReporter:
    """Reports for one delivery worker. Each reason is logged at most once a minute."""

    def __init__(self) -> None:
        self._throttle = LogThrottle(logger)
        self.outage = ""
        """What the endpoint answered last if it does not accept records; "" if it does."""

    def lost(self, items: Sequence[PendingRecord], outcome: Outcome) -> None:
        """Report that all but `outcome.delivered` of these events are lost: once for each `on_error`."""
        count = len(items) - outcome.delivered
        event_ids: dict[OnError | None, list[str]] = {}
        for item in items:
            event_ids.setdefault(item.on_error, []).append(item.record.event_id)
        for on_error, ids in event_ids.items():
            error = DeliveryError(outcome.reason, outcome.detail, tuple(ids), min(count, len(ids)))
            if on_error is None:
                if outcome.reason != "shutdown":  # `Process.shutdown` reports these together
                    self._throttle.log(logging.WARNING, outcome.reason, "%s", error)
                continue
            try:
                on_error(error)
            except Exception:  # an error in the user's function must not end the delivery thread
                logger.exception("on_error itself failed for: %s", error)

    def waiting(self, answer: Retry, count: int, nbytes: int) -> None:
        """Report that the endpoint does not accept records now."""
        self.outage = f"{answer.code}: {answer.details}"
        message = "%d event(s), %d bytes, wait for the endpoint to come back; it answers %s: %s"
        self._throttle.log(logging.WARNING, "waiting", message, count, nbytes, answer.code, answer.details)
