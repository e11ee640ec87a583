"""Delivers when a uvicorn server has shut down after SIGTERM.

uvicorn installs its signal handlers before it imports the application. At its end it restores the previous ones and
raises the signal again: by default this ends the process at once, without Python's exit handlers. Its public coroutine
`Server.shutdown` returns just before that, when the last request is answered and the lifespan is over. So that method
is wrapped. Signals and handlers stay as they are.

Gunicorn's uvicorn workers, `--workers`, `--reload`, FastAPI's and MLflow's servers all end in that method.
"""

from __future__ import annotations

import functools
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from .last_delivery import deliver_and_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_MARK: Final = "_otel_modeldata_delivers"
_LOOK_SECONDS: Final = 0.02


def deliver_when_uvicorn_stops() -> None:
    """Wrap the method if uvicorn is loaded; later calls do nothing."""
    server: Any = getattr(sys.modules.get("uvicorn.server"), "Server", None)
    if server is not None and not hasattr(server.shutdown, _MARK):
        server.shutdown = _delivering(server.shutdown)


def _delivering(shut_down: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(shut_down)
    async def shutdown(self: Any, *args: Any, **kwargs: Any) -> None:
        await shut_down(self, *args, **kwargs)
        if _ends_without_exit_handlers(self):
            await _deliver(self)

    setattr(shutdown, _MARK, True)
    return shutdown


def _ends_without_exit_handlers(server: Any) -> bool:
    """Whether uvicorn will raise a signal that ends the process; SIGINT becomes KeyboardInterrupt, an orderly end.

    Versions before 0.29 do not raise it, and neither does a server outside the main thread.
    """
    return any(signum != signal.SIGINT for signum in getattr(server, "_captured_signals", ()))


async def _deliver(server: Any) -> None:
    """Deliver on a thread, so that a second signal (`force_exit`) still ends the server at once."""
    import asyncio  # noqa: PLC0415 - loaded already, by uvicorn

    thread = threading.Thread(target=deliver_and_end, name="otel-modeldata-ending", daemon=True)
    thread.start()
    thread.join(_LOOK_SECONDS)
    while thread.is_alive() and not getattr(server, "force_exit", False):  # noqa: ASYNC110 - an attribute of uvicorn
        await asyncio.sleep(_LOOK_SECONDS)
