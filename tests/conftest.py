"""Fixtures that every test may use."""

from __future__ import annotations

import pytest

pytest_plugins = ["gateway", "receiver_process", "azurite"]
"""Servers that tests start; the modules stand beside this one."""


@pytest.fixture
def anyio_backend() -> str:
    """The receiver is an asyncio program: anyio's pytest plugin runs its tests on that loop only."""
    return "asyncio"
