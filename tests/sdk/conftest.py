"""Fixtures of the SDK's tests: a clean environment, and a process-wide delivery that ends with each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import property_tests  # noqa: F401 - loads the profile; tests/conftest.py is not read with --confcutdir=tests/sdk
import pytest
from own_process import clean_environment, own_process  # noqa: F401 - fixtures of every test
from recording_backend import RecordingBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingBackend]:
    """A real OTLP/gRPC server that the SDK sends to."""
    with RecordingBackend() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{running.endpoint}")
        yield running
