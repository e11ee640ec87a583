from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from otel_modeldata._payload import last_resort

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("otel_modeldata.a_module")
OpenTelemetryHandler = type("OpenTelemetryHandler", (logging.NullHandler,), {"__module__": "opentelemetry.somewhere"})


@contextmanager
def root_with(*handlers: logging.Handler) -> Iterator[None]:
    """Only these handlers on the root logger, and this package's last resort."""
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = handlers
    last_resort.install()
    try:
        yield
    finally:
        last_resort.remove()
        root.handlers[:] = before


@pytest.mark.parametrize("handlers", [(), (OpenTelemetryHandler(),)])
def test_a_warning_that_reaches_no_handler_but_opentelemetrys_is_printed(
    handlers: tuple[logging.Handler, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with root_with(*handlers):
        last_resort.install()
        logger.warning("%s is off", "it")
        logger.info("not printed")
    assert capsys.readouterr() == ("", "it is off\n")


def test_a_warning_that_the_application_handles_is_not_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    with root_with(OpenTelemetryHandler(), logging.NullHandler()):
        logger.warning("handled")
    assert capsys.readouterr() == ("", "")


def test_without_this_handler_a_warning_would_be_printed_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    with root_with(OpenTelemetryHandler()):
        last_resort.remove()
        logger.warning("nowhere")
    assert capsys.readouterr() == ("", "")
