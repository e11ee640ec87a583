"""What every test of the receiver is checked for."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def checked_for_unread_exceptions(every_exception_is_read: None) -> None:
    """No test of the receiver leaves an exception that no one reads."""
