"""Fixtures that every test may use, and the rule for long tests."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["gateway", "receiver_process", "azurite", "scoring_host"]
"""Servers that tests start; the modules stand beside this one."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `long`, unless CI asks for everything or the command line names them."""
    if os.environ.get("CI") == "true" or "long" in config.getoption("markexpr"):
        return
    skip = pytest.mark.skip(reason="takes minutes: run it with `-m long`, or everything with CI=true")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


@pytest.fixture
def anyio_backend() -> str:
    """The receiver is an asyncio program: anyio's pytest plugin runs its tests on that loop only."""
    return "asyncio"
