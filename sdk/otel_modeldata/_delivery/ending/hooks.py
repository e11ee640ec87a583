"""Installs the hooks for the end of a process.

`Collector(...)` installs them, because the first `collect` may come from a thread, which cannot handle signals. They
are installed again when a process, a forked one for example, collects for the first time: a server may have been loaded
in between.
"""

from __future__ import annotations

import signal

from .missed_signal import repeat_missed_signal
from .pool_child import deliver_when_child_ends, is_child_of_library
from .termination_signal import handle_sigterm, is_sigterm_missed
from .uvicorn_server import deliver_when_uvicorn_stops


def install_hooks(*, on_sigterm: bool = True) -> None:
    """Install the hooks; safe to call often, from any thread.

    Args:
        on_sigterm: False leaves SIGTERM, and servers that end by it, alone.
    """
    deliver_when_child_ends()
    if on_sigterm:
        deliver_when_uvicorn_stops()
        handle_sigterm()
        if is_child_of_library():
            repeat_missed_signal(signal.SIGTERM, is_sigterm_missed)
