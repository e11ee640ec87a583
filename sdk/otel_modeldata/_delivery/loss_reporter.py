"""Reports losses to `on_error`, else to the log, and logs when an endpoint does not accept records."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ..exceptions import CredentialsError, DeliveryError
from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..transport import Retry
    from .pending import OnError, Outcome, PendingRecord

logger = logging.getLogger(__name__)


_QUIET_SECONDS = 60.0


class LossReporter:
    """Reports for one delivery worker. Each reason is logged at most once a minute."""

    def __init__(self) -> None:
        self._throttle = LogThrottle(logger)
        self._quiet_until: dict[OnError, float] = {}

    def lost(self, items: Sequence[PendingRecord], outcome: Outcome) -> None:
        """Report that all but `outcome.delivered` of these events are lost: once for each `on_error`."""
        count = len(items) - outcome.delivered
        event_ids: dict[OnError | None, list[str]] = {}
        for item in items:
            event_ids.setdefault(item.on_error, []).append(item.record.event_id)
        for on_error, ids in event_ids.items():
            error = DeliveryError(outcome.reason, outcome.detail, tuple(ids), min(count, len(ids)))
            if on_error is None:
                self._throttle.log(logging.WARNING, outcome.reason, "%s", error)
                continue
            try:
                on_error(error)
            except Exception:  # an error in the user's function must not end the delivery thread
                logger.exception("on_error itself failed for: %s", error)

    def unauthorized(self, items: Sequence[PendingRecord], answer: Retry) -> None:
        """Report to each `on_error` of these events, at most once a minute, that the credentials are not accepted."""
        error = CredentialsError(answer.code, answer.details)
        for on_error in dict.fromkeys(item.on_error for item in items):
            if on_error is not None and time.monotonic() >= self._quiet_until.get(on_error, 0.0):
                self._quiet_until[on_error] = time.monotonic() + _QUIET_SECONDS
                try:
                    on_error(error)
                except Exception:  # an error in the user's function must not end the delivery thread
                    logger.exception("on_error itself failed for: %s", error)

    def waiting(self, answer: Retry, count: int, nbytes: int) -> None:
        """Report that the endpoint does not accept records now."""
        message = "%d event(s), %d bytes, wait for the endpoint to come back; it answers %s: %s"
        self._throttle.log(logging.WARNING, "waiting", message, count, nbytes, answer.code, answer.details)
