"""Whether a signal handler is running that interrupts a call of OpenTelemetry's SDK.

Spans, processors and exporters of the SDK have locks that are not reentrant: a handler that calls the one which it
interrupts waits for its own thread.
"""

from __future__ import annotations

import sys
import threading

__all__ = ["interrupts_otel"]

_WITH_LOCKS = ("opentelemetry.sdk.", "opentelemetry.attributes")


def interrupts_otel() -> bool:
    """Whether a caller of this function is code of OTel's SDK, which may hold the locks of a span or of a processor."""
    if threading.get_ident() != threading.main_thread().ident:  # Python runs signal handlers in the main thread
        return False
    frame = sys._getframe()  # noqa: SLF001 - documented, and the only cheap way to look at the callers
    while (caller := frame.f_back) is not None:
        frame = caller
        if str(frame.f_globals.get("__name__")).startswith(_WITH_LOCKS):
            return True
    return False
