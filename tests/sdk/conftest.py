"""Fixtures of the SDK's tests: a clean environment, and a process-wide delivery that ends with each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import property_tests  # noqa: F401 - loads the profile; tests/conftest.py is not read with --confcutdir=tests/sdk
import pytest
from recording_backend import RecordingBackend

from otel_modeldata._delivery.process import replace_process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the environment variables of this machine from the SDK."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AZUREML_MDC_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def own_process() -> Iterator[None]:
    """Start each test like a process that has not collected yet."""
    replace_process(None)
    yield
    process = replace_process(None)
    if process is not None:
        process.delivery.shutdown(timeout=0.0)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingBackend]:
    """A real OTLP/gRPC server that the SDK sends to."""
    with RecordingBackend() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{running.endpoint}")
        yield running
