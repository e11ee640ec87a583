"""The last delivery of a process: what waits is sent, within a bound, and what stays is reported in one line.

`atexit` calls it at the end of the interpreter. It is registered when the package is imported, so that `atexit`
handlers which the application registers later run before it and may still collect.
"""

from __future__ import annotations

import atexit
import logging
import time
from typing import TYPE_CHECKING

from ..process import current_process

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

EXIT_SECONDS = 10.0
"""How long the end of a process waits for deliveries: within the 30 s grace period of Kubernetes."""

_FORGET_SECONDS = 3 * EXIT_SECONDS
_MOST_INTERRUPTS = 20
"""How often a delivery goes on that a signal handler interrupts; then what is left is counted and reported."""
_FAILED = "the last delivery of this process failed"

_ends_since = -_FORGET_SECONDS
_ended: set[str] = set()
"""The producers whose last delivery has begun: a server's hook and a signal handler may both call it."""


def _remaining(seconds: float) -> float:
    """What is left of `seconds`: the end of a lifespan, of a server and of the interpreter share their time."""
    global _ends_since  # noqa: PLW0603 - a process ends once
    now = time.monotonic()
    if now - _ends_since > _FORGET_SECONDS:
        _ends_since = now
    return max(0.0, _ends_since + seconds - now)


def deliver_and_end(seconds: float = EXIT_SECONDS) -> None:
    """Deliver while threads may still collect, then refuse further events; returns after at most about `seconds`.

    Ctrl-C ends the wait: what is left is counted and reported.
    """
    process = current_process()
    if process is None:
        return

    def deliver() -> None:
        if process.producer not in _ended:
            _ended.add(process.producer)
            process.delivery.flush(_remaining(seconds))
        process.shutdown(_remaining(seconds))

    _in_any_case(deliver)


def deliver_only(seconds: float = EXIT_SECONDS) -> None:
    """Deliver what waits; the process goes on."""
    process = current_process()
    if process is not None:
        _safely(lambda: process.delivery.flush(_remaining(seconds)))


def _at_exit() -> None:
    process = current_process()
    if process is not None:  # no thread of the application is left that could collect
        _in_any_case(lambda: process.shutdown(_remaining(EXIT_SECONDS)))


def _in_any_case(deliver: Callable[[], object]) -> None:
    """Deliver, and go on if a signal handler of the application raises: what waits must not be lost uncounted.

    Many handlers of SIGTERM call `sys.exit`, and the signal may come twice.

    Raises:
        BaseException: what a handler raised to end the process, as `SystemExit`; after the delivery.
    """
    raised: BaseException | None = None
    is_logged = False
    for _ in range(_MOST_INTERRUPTS):
        try:
            deliver()
            break
        except KeyboardInterrupt:  # the user does not want to wait
            _count_rest()
            return
        except Exception:  # an error here must not change how the application ends
            if not is_logged:
                logger.exception(_FAILED)
            is_logged = True
        except BaseException as error:  # noqa: BLE001 - raised again, later
            raised = error
    else:
        _count_rest()
    if raised is not None:
        raise raised


def _count_rest() -> None:
    process = current_process()
    if process is not None:
        _safely(lambda: process.shutdown(0.0))


def _safely(deliver: Callable[[], object]) -> None:
    try:
        deliver()
    except Exception:  # an error here must not change how the application ends
        logger.exception(_FAILED)


atexit.register(_at_exit)
