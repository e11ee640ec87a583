from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel_modeldata._payload.server_watch import ServerWatch

if TYPE_CHECKING:
    import pytest

ADDRESS = "127.0.0.1:8000"
UNKNOWN = (
    "payload logging collects nothing: this process listens on 127.0.0.1:8000, and it runs none of the servers that "
    "payload logging hooks; if it serves an ASGI or WSGI application, wrap it in code: `from otel_modeldata.payload "
    "import ASGIMiddleware`, then `app = ASGIMiddleware(app)`, or WSGIMiddleware"
)


def after_its_timers() -> None:
    """Return when the timers of watches have ended."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()


def test_a_process_that_listens_and_wraps_nothing_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = ServerWatch(grace_seconds=0)
    watch.listens(ADDRESS)
    watch.listens("127.0.0.1:8001")
    after_its_timers()
    watch.starts("tornado", "do something")
    assert caplog.messages == [UNKNOWN]


def test_a_process_is_not_reported_whose_application_is_wrapped_before_or_after_it_listens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, after = ServerWatch(grace_seconds=0), ServerWatch(grace_seconds=0.2)
    before.wraps()
    before.listens(ADDRESS)
    before.starts("tornado", "do something")
    after.listens(ADDRESS)
    after.wraps()
    after_its_timers()
    assert caplog.messages == []


def test_a_process_is_not_reported_that_listens_for_its_workers(caplog: pytest.LogCaptureFixture) -> None:
    watch = ServerWatch(grace_seconds=0)
    watch.supervises()
    watch.listens(ADDRESS)
    after_its_timers()
    assert caplog.messages == []


def test_a_worker_is_reported_whose_server_cannot_be_hooked(caplog: pytest.LogCaptureFixture) -> None:
    watch = ServerWatch()
    watch.supervises()
    watch.starts("aiohttp", "do something")
    watch.starts("aiohttp", "do something")
    assert caplog.messages == ["payload logging collects nothing from aiohttp: do something"]


def test_nothing_is_reported_after_payload_logging_is_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    watch = ServerWatch(grace_seconds=0.1)
    watch.listens(ADDRESS)
    watch.is_on = False
    after_its_timers()
    watch.listens(ADDRESS)
    watch.starts("tornado", "do something")
    assert caplog.messages == []
