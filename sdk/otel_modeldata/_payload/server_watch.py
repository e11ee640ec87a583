"""Reports, in one log line, that payload logging is on in a process whose server is not hooked.

Silence would look like success: such a process serves, and nothing of it is collected. There are two signs:

- A server starts that has neither an ASGI nor a WSGI application, such as aiohttp's: reported at once, with what to do.
- The process listens on a TCP port, and no application was wrapped soon afterwards: the server is unknown.

Processes that only supervise others, such as gunicorn's arbiter, listen and wrap nothing; their hooks name them. This
module patches nothing itself, see `server_hooks.py`.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 10.0
"""From the first `listen` to the report: servers load applications shortly before or after it."""
_IN_CODE: Final = (
    "wrap it in code: `from otel_modeldata.payload import ASGIMiddleware`, then `app = ASGIMiddleware(app)`, or "
    "WSGIMiddleware"
)


class ServerWatch:
    """What this process is known to serve.

    Args:
        grace_seconds: see `GRACE_SECONDS`.

    Attributes:
        is_on: whether payload logging is switched on without code; nothing is reported if it is not.
    """

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.is_on = True
        self._grace_seconds = grace_seconds
        self._is_served = False
        self._listens = False
        self._has_reported = False

    def wraps(self) -> None:
        """An application of this process is inside a middleware."""
        self._is_served = True

    def supervises(self) -> None:
        """This process listens for other processes, which serve."""
        self._listens = True

    def starts(self, server: str, advice: str) -> None:
        """A server starts that cannot be hooked.

        Args:
            server: its name.
            advice: what its user can do.
        """
        if not self._is_served:
            self._report("payload logging collects nothing from %s: %s", server, advice)

    def listens(self, address: object) -> None:
        """This process begins to listen; reports later if nothing is wrapped until then.

        Args:
            address: for the report.
        """
        if not self.is_on or self._is_served or self._listens:
            return
        self._listens = True
        timer = threading.Timer(self._grace_seconds, self._check, (address,))
        timer.daemon = True
        timer.start()

    def _check(self, address: object) -> None:
        if not self._is_served:
            self._report(
                "payload logging collects nothing: this process listens on %s, and it runs none of the servers that "
                "payload logging hooks; if it serves an ASGI or WSGI application, %s",
                address,
                _IN_CODE,
            )

    def _report(self, sentence: str, *values: object) -> None:
        if self.is_on and not self._has_reported:
            self._has_reported = True
            logger.warning(sentence, *values)


watch: Final = ServerWatch()
"""Of this process."""
