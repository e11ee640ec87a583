"""Calls the user's `on_error`, so that nothing that it does reaches the scoring request or the delivery thread."""

from __future__ import annotations

import dis
import logging
import signal
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from types import TracebackType

    from .pending import OnError

logger = logging.getLogger(__name__)

_throttle = LogThrottle(logger)
_is_running: ContextVar[bool] = ContextVar("otel_modeldata_on_error", default=False)


def is_in_on_error() -> bool:
    """Whether an `on_error` runs here: errors of its own calls are logged, not given to it again."""
    return _is_running.get()


def call_on_error(on_error: OnError, error: Exception) -> None:
    """Call `on_error`; what it raises is logged once a minute.

    That includes `SystemExit` and `KeyboardInterrupt`: a scoring request must not end because of how its errors are
    handled. If a signal handler raised one of them while `on_error` ran, it is meant for the program, and is raised.
    """
    if _is_running.get():
        _throttle.log(logging.ERROR, "in on_error", "an error inside on_error: %s", error)
        return
    token = _is_running.set(True)
    try:
        on_error(error)
    except BaseException as raised:
        if _comes_from_signal(raised):
            raise
        _throttle.log(logging.ERROR, "failed", "on_error itself failed for: %s", error, exc_info=raised)
    finally:
        _is_running.reset(token)


def _comes_from_signal(error: BaseException) -> bool:
    """Whether a signal handler raised this, at a line of `on_error` that does not raise it itself."""
    if isinstance(error, Exception) or threading.current_thread() is not threading.main_thread():
        return False
    handlers = {getattr(handler, "__code__", None) for handler in map(signal.getsignal, signal.valid_signals())}
    last: TracebackType | None = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in handlers:
            return True
        last, step = step, step.tb_next
    # Python's own handler of SIGINT has no frame.
    return isinstance(error, KeyboardInterrupt) and last is not None and not _raises(last)


def _raises(step: TracebackType) -> bool:
    return dis.opname[step.tb_frame.f_code.co_code[step.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")
