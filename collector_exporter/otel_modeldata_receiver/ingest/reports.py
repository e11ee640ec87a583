"""What is counted and logged of requests: metrics, the totals of the process, and one log line for a condition."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata.log_throttle import LogThrottle

from ..config.kept_spans import KeptSpans
from ..exceptions import ReceiverError, StoreError
from ..layout import partition
from ..telemetry.receiver_metrics import RECEIVER
from .line_time import event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mapping.outcomes import Mapped
    from ..mapping.signal import Signal
    from ..telemetry import Instruments
    from .commit import Committed
    from .request_info import RequestInfo
    from .totals import Totals

__all__ = ["Reports"]

logger = logging.getLogger(__name__)

_WITHOUT_CONTENT: Final = (
    "calls of a language model in %s carry no prompts and answers: their spans %s; if they may be collected, set in "
    "the application, with OpenTelemetry's instrumentation, OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental "
    "and OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only"
)


class Reports:
    """Counts and logs what becomes of requests.

    Args:
        instruments: metrics.
        totals: counts since the start.
        spans: which spans become lines.
    """

    def __init__(self, instruments: Instruments, totals: Totals, spans: KeptSpans) -> None:
        self._instruments = instruments
        self._totals = totals
        self._spans = spans
        self._log = LogThrottle(logger)
        self._log_once = LogThrottle(logger, math.inf)

    def stored(  # noqa: PLR0913 (each is a part of what is counted)
        self, mapped: Mapped, committed: Committed, signal: Signal, info: RequestInfo, *, tenant: str, now_ns: int
    ) -> None:
        """Count a piece of a request of `tenant` that is durable."""
        rejected = 0
        if committed.rejected or mapped.refused:
            rejected = sum(one.records for one in committed.rejected) + sum(mapped.refused.values())
        self._received(signal, info, "accepted", mapped, mapped.records - rejected)
        if mapped.lines and (time_ns := event_time(next(iter(mapped.lines.values()))[0].data)):
            self._instruments.delay.record(max(0.0, (now_ns - time_ns) / 1e9))
        if mapped.left_out:
            self._instruments.left_out.add(mapped.left_out)
        if mapped.calls_without_content:
            self._without_content(mapped.calls_without_content, tenant)
        if committed.duplicates:
            self._instruments.duplicates.add(committed.duplicates)
        if committed.rejected or committed.defects:
            self.rejected(committed)
        if mapped.refused:
            self.dropped(mapped.refused)
        self._totals.stored += mapped.records - mapped.left_out - rejected - committed.duplicates
        self._totals.duplicates += committed.duplicates
        self._totals.add_folders(mapped.folders)

    def not_stored(self, mapped: Mapped, signal: Signal, info: RequestInfo) -> None:
        """Count a piece of a request that the store refuses."""
        self._received(signal, info, "refused", mapped, mapped.records)

    def _received(self, signal: Signal, info: RequestInfo, outcome: str, mapped: Mapped, records: int) -> None:
        received = self._instruments.received[signal.name]
        counter = received.accepted if outcome == "accepted" else received.refused
        counter.add(records, {"receiver": RECEIVER, "transport": info.transport})
        for tenant, of_tenant in mapped.records_by_tenant.items():
            self._instruments.tenant_records.add(of_tenant, tenant, outcome)

    def refused(self, error: Exception, info: RequestInfo) -> None:
        """Count a refused request, and log its kind; `on_store_error` reports what the store refuses."""
        kind = type(error).__name__
        self._totals.refused += 1
        self._instruments.refused_requests.add(1, {"error.type": kind, "transport": info.transport})
        if isinstance(error, StoreError):
            return
        expected = isinstance(error, (ReceiverError, TimeoutError))
        message = "the store did not confirm in time" if isinstance(error, TimeoutError) else error
        exc_info = None if expected else error
        self._log.log(logging.WARNING, kind, "requests are refused: %s: %s", kind, message, exc_info=exc_info)

    def rejected(self, committed: Committed) -> None:
        """Count and log the records that are in quarantine, by kind."""
        for defect in committed.defects:
            kind = type(defect).__name__
            message = "internal error (a bug): %s: records are in quarantine, or were mapped one by one"
            self._log.log(logging.WARNING, ("defect", kind), message, kind, exc_info=defect)
        self._totals.quarantined += sum(one.records for one in committed.rejected)
        kinds: dict[str, int] = {}
        for one in committed.rejected:
            if one.records:
                kinds[one.kind] = kinds.get(one.kind, 0) + one.records
        for kind, count in kinds.items():
            self._instruments.quarantined.add(count, {"reason": kind})
            message = "%d records went to %s: %s"
            self._log.log(logging.WARNING, ("quarantine", kind), message, count, partition.QUARANTINE, kind)

    def dropped(self, refused: Mapping[str, int]) -> None:
        """Count and log the records that are neither stored nor kept, by reason."""
        for reason, count in refused.items():
            kind = reason.partition(":")[0]
            self._totals.dropped += count
            self._instruments.dropped.add(count, {"reason": kind})
            self._log.log(logging.WARNING, ("dropped", kind), "%d records were answered as rejected: %s", count, reason)

    def _without_content(self, calls: int, tenant: str) -> None:
        """Count calls of a language model that no monitor can grade, and say once for a deployment what to set."""
        self._instruments.without_content.add(calls)
        outcome = "are not stored" if self._spans is KeptSpans.CONTENT else f"are in {semconv.SPAN_COLLECTION}"
        self._log_once.log(logging.WARNING, tenant, _WITHOUT_CONTENT, tenant, outcome)
