"""Calls the user's `on_error`, so that nothing that it does reaches the scoring request or the delivery thread.

In the main thread, a signal handler may run in the middle of `on_error`. What it raises (`sys.exit`, Ctrl-C, a timeout)
is meant for the program: it is recognized by the handler's frame in the traceback, and raised.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import threading
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    handled. What a signal handler raised while `on_error` ran is raised.
    """
    if _is_running.get():
        _throttle.log(logging.ERROR, "in on_error", "an error inside on_error: %s", error)
        return
    token = _is_running.set(True)
    try:
        with _ctrl_c_with_a_frame():
            on_error(error)
    except BaseException as raised:  # edge: what the user's function raises must not reach the scoring request
        if _comes_from_signal(raised):
            raise
        _throttle.log(logging.ERROR, "failed", "on_error itself failed for: %s", error, exc_info=raised)
    finally:
        _is_running.reset(token)


def _comes_from_signal(error: BaseException) -> bool:
    """Whether a signal handler raised this, or called what raised it."""
    if threading.current_thread() is not threading.main_thread():
        return False
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} | {_interrupt.__code__}
    return any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


def _code(handler: Any) -> Any:
    """The code that a frame of a handler runs; None if it is not Python code."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _ctrl_c_with_a_frame() -> Iterator[None]:
    """Meanwhile Python's own handler of Ctrl-C, which has no frame, is replaced by a function that does the same."""
    default = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not default:
        yield
        return
    try:
        signal.signal(signal.SIGINT, _interrupt)
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, default)
