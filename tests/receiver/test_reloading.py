"""Which settings a reload applies, and which it only reports."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from otel_modeldata.validation.problems import Problem
from otel_modeldata_receiver.config.logs import LogLevel
from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.reloading import ConfigFile, Reloading, changed_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

TLS = TlsConfig(cert_file="c", key_file="k", client_ca_file="ca", clients={"pod": ("credit/blue",)})
BEFORE = ReceiverConfig(tls=TLS)


def reloaded(given: ReceiverConfig) -> tuple[list[ReceiverConfig], list[ReceiverConfig]]:
    """What a reload of `given` applies to the server, and what it reports to the command."""
    applied: list[ReceiverConfig] = []
    changed: list[ReceiverConfig] = []
    file = ConfigFile(path=None, read=lambda: given, changed=changed.append)
    Reloading(BEFORE, file, applied.append).reload()
    return applied, changed


def test_changed_keys_name_the_parts_of_tls() -> None:
    after = msgspec.structs.replace(BEFORE, store="az://c", tls=msgspec.structs.replace(TLS, clients=None))
    assert changed_keys(BEFORE, after) == ("store", "tls.clients")
    assert changed_keys(BEFORE, msgspec.structs.replace(BEFORE, tls=None)) == ("tls",)
    assert changed_keys(BEFORE, BEFORE) == ()


def test_clients_and_the_log_are_applied_and_the_rest_needs_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clients = {"pod": ("fraud/*",)}
    tls = msgspec.structs.replace(TLS, clients=clients, cert_file="other")
    given = msgspec.structs.replace(BEFORE, tls=tls, log_level=LogLevel.DEBUG, listen="127.0.0.1:1")
    expected = msgspec.structs.replace(
        BEFORE, tls=msgspec.structs.replace(TLS, clients=clients), log_level=LogLevel.DEBUG
    )
    assert reloaded(given) == ([expected], [expected])
    assert caplog.messages == [
        "the configuration was read again: log_level, tls.clients changed",
        "the configuration changed, restart the receiver to apply it: listen, tls.cert_file",
    ]


def test_nothing_is_applied_without_a_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert reloaded(BEFORE) == ([], [])
    assert caplog.messages == ["the configuration was read again: no change"]


def test_a_wrong_configuration_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> ReceiverConfig:
        raise ConfigError(Problem("listen", "expected HOST:PORT, got 'x'"), Problem("store", "expected a URL, got ''"))

    applied: list[ReceiverConfig] = []
    ignored: Callable[[ReceiverConfig], None] = applied.append
    Reloading(BEFORE, ConfigFile(path=None, read=read, changed=ignored), applied.append).reload()
    assert applied == []
    assert caplog.messages == [
        (
            "the configuration is wrong, the previous one stays in use: listen: expected HOST:PORT, got 'x'; "
            "store: expected a URL, got ''"
        )
    ]
