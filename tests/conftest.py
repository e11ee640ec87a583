"""Fixtures that every test may use, and the rule for long tests."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import property_tests  # noqa: F401 - loads the profile of property tests
import pytest

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; what commands print must not depend on it

WORKERS = 2
"""Tests wait for processes most of the time, but each process must have a core when it needs one."""
pytest_plugins = [
    "gateway",
    "receiver_process",
    "azurite",
    "scoring_host",
    "payload_servers",
    "ending_host",
    "engine_environment",
    "evidently_environment",
    "chromium",
    "studio_process",
    "unread_exceptions",
]
"""Servers and programs that tests start, and checks of the whole run; the modules are in `fixtures/`."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `long`, unless CI asks for everything or the command line names them."""
    if os.environ.get("CI") == "true" or "long" in config.getoption("markexpr"):
        return
    skip = pytest.mark.skip(reason="takes minutes: run it with `-m long`, or everything with CI=true")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """How many workers `--numprocesses=auto` of pyproject.toml is: the run of everything uses two cores."""
    if config.option.numprocesses != "auto":
        return None
    return WORKERS if os.environ.get("CI") == "true" else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """While a test marked `alone` runs, the other workers of this run wait: it needs both cores."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None or sys.platform == "win32":
        return (yield)
    base = Path(tempfile.gettempdir(), f"otel-modeldata-tests-{run}")
    with base.with_suffix(".gate").open("w") as gate, base.with_suffix(".lock").open("w") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)  # who waits for the other lock comes before those that arrive later
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


@pytest.fixture
def anyio_backend() -> str:
    """The receiver is an asyncio program: anyio's pytest plugin runs its tests on that loop only."""
    return "asyncio"


@pytest.fixture
def interrupts() -> Iterator[None]:
    """A background job of a shell ignores SIGINT, and its children inherit that; a handler set here they do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
