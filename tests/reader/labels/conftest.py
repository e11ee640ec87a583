"""A clean environment, and a process-wide delivery that ends with each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

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
