"""The loopback test: which hosts are this machine."""

from __future__ import annotations

import pytest

from otel_modeldata.validation.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"])
def test_a_loopback_host_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "10.0.0.1", "localhost.example.com", "::"])
def test_any_other_host_is_not(host: str) -> None:
    assert not is_loopback(host)
