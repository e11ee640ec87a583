"""Reports losses to `on_error`, else to the log, and logs when an endpoint does not accept records."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ..exceptions import CredentialsError, DeliveryError
from ..log_throttle import LogThrottle
from .native_threads import RLock
from .on_error import call_on_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..transport import Retry
    from .pending import OnError, Outcome, PendingRecord

logger = logging.getLogger(__name__)

_DOCTOR = "`otel-modeldata doctor` looks for the cause"
_NO_SERVER = (
    "start `otel-modeldata receive` or a gateway there, set OTEL_EXPORTER_OTLP_ENDPOINT to where one runs, or set "
    f"OTEL_MODELDATA_STORE to write to a store without one; {_DOCTOR}"
)
_UNREACHABLE_SIGNS = ("failed to connect", "dns resolution", "name resolution", "socket closed", "connection reset")
"""What gRPC says if no server answers, in lower case."""
_ANOTHER_PROTOCOL = (
    "it speaks HTTP, not gRPC: set OTEL_EXPORTER_OTLP_ENDPOINT to the gRPC endpoint of the gateway, whose port is "
    "usually 4317; that of OTLP/HTTP is 4318"
)
_HTTP_1_SIGNS = ("http1", "http/1", "failed parsing http/2", "http2 header with status")
"""What gRPC says about an answer that is not HTTP/2 or not gRPC, in lower case."""
NO_ANSWER = "it did not answer in time"
"""About an endpoint whose last try had no answer when the process ended."""

_QUIET_SECONDS = 60.0


class LossReporter:
    """Reports for one delivery worker. Each reason is logged at most once a minute.

    Args:
        destination: where records are sent, for the log.
    """

    def __init__(self, destination: str = "the endpoint") -> None:
        self._destination = destination
        self._throttle = LogThrottle(logger)
        self.outage = ""
        """What the endpoint answered last if it does not accept records; "" if it does."""
        self._quiet_until: dict[OnError, float] = {}
        self._telling = RLock()
        """Held while an `on_error` runs for events that were accepted: several threads report their losses."""

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
            else:
                self._tell(on_error, error)

    def unauthorized(self, items: Sequence[PendingRecord], answer: Retry) -> None:
        """Report to each `on_error` of these events, at most once a minute, that the credentials are not accepted."""
        error = CredentialsError(answer.code, answer.details)
        for on_error in dict.fromkeys(item.on_error for item in items):
            if on_error is not None and time.monotonic() >= self._quiet_until.get(on_error, 0.0):
                self._quiet_until[on_error] = time.monotonic() + _QUIET_SECONDS
                self._tell(on_error, error)

    def _tell(self, on_error: OnError, error: DeliveryError | CredentialsError) -> None:
        with self._telling:
            call_on_error(on_error, error)

    def waiting(self, answer: Retry, count: int) -> None:
        """Report that the endpoint does not accept records now."""
        self.outage = f"{answer.code}: {answer.details}"
        message = "%d event(s) wait for %s, which answers %s: %s (%s)"
        hint = _hint(answer)
        self._throttle.log(
            logging.WARNING, "waiting", message, count, self._destination, answer.code, answer.details, hint
        )


def _hint(answer: Retry) -> str:
    """What to do about an endpoint that does not accept records."""
    details = answer.details.lower()
    if any(sign in details for sign in _HTTP_1_SIGNS):
        return _ANOTHER_PROTOCOL
    if answer.code == "DEADLINE_EXCEEDED" or any(sign in details for sign in _UNREACHABLE_SIGNS):
        return _NO_SERVER
    return _DOCTOR
