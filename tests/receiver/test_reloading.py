"""Which settings a reload applies, and which it only reports."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from otel_modeldata.validation.problems import Problem
from otel_modeldata_receiver.config.logs import LogLevel
from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.reloading import ConfigFile, Reloading, changed_keys
from otel_modeldata_receiver.time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


TLS = TlsConfig(cert_file="c", key_file="k", client_ca_file="ca", clients={"pod": ("credit/blue",)})
BEFORE = ReceiverConfig(tls=TLS)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task does."""
    async with timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


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


@pytest.mark.parametrize(("before", "after"), [(LogLevel.WARNING, LogLevel.INFO), (LogLevel.INFO, LogLevel.WARNING)])
def test_a_reload_is_logged_if_the_level_before_or_the_new_one_shows_it(
    caplog: pytest.LogCaptureFixture, before: LogLevel, after: LogLevel
) -> None:
    def use(level: LogLevel) -> None:
        caplog.set_level(level.value.upper())

    use(before)
    given = msgspec.structs.replace(BEFORE, log_level=after)
    config = msgspec.structs.replace(BEFORE, log_level=before)
    file = ConfigFile(path=None, read=lambda: given, changed=lambda renewed: use(renewed.log_level))
    Reloading(config, file, lambda _: None).reload()
    assert caplog.messages == ["the configuration was read again: log_level changed"]


def test_reloads_are_counted_by_outcome() -> None:
    outcomes: list[str] = []
    given: list[ReceiverConfig | ConfigError] = [
        BEFORE,
        msgspec.structs.replace(BEFORE, log_level=LogLevel.DEBUG),
        msgspec.structs.replace(BEFORE, listen="127.0.0.1:1"),
        ConfigError(Problem("listen", "expected HOST:PORT, got 'x'")),
    ]

    def read() -> ReceiverConfig:
        next_one = given.pop(0)
        if isinstance(next_one, ConfigError):
            raise next_one
        return next_one

    file = ConfigFile(path=None, read=read, changed=lambda _: None)
    reloading = Reloading(BEFORE, file, lambda _: None, count=outcomes.append)
    for _ in range(4):
        reloading.reload()
    assert outcomes == ["unchanged", "changed", "restart needed", "wrong"]


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


def test_grants_that_are_gone_need_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    """A file that was cut off, or edited by mistake, must not admit every client."""
    given = msgspec.structs.replace(BEFORE, tls=msgspec.structs.replace(TLS, clients=None), log_level=LogLevel.DEBUG)
    expected = msgspec.structs.replace(BEFORE, log_level=LogLevel.DEBUG)
    assert reloaded(given) == ([expected], [expected])
    assert caplog.messages == ["the configuration changed, restart the receiver to apply it: tls.clients"]


@pytest.mark.anyio
async def test_a_file_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text("log_level: info\n")
    applied: list[ReceiverConfig] = []
    read: list[str] = []

    def config() -> ReceiverConfig:
        read.append(path.read_text())
        if "defect" in read[-1]:
            raise RuntimeError
        return ReceiverConfig(log_level=LogLevel(read[-1].split()[1]))

    file = ConfigFile(path=path, read=config, changed=lambda _: None)
    reloading = Reloading(ReceiverConfig(), file, applied.append, poll_seconds=0.05)
    stamps = iter(range(1, 5))
    settled, stamp = asyncio.Event(), reloading._stamp

    def growing() -> tuple[int, int, int]:
        """The file grows between the first looks."""
        return (0, 0, next(stamps, 5)) if not settled.is_set() else stamp()

    reloading._stamp = growing  # type: ignore[method-assign]
    path.write_text("log_level: debug\n")
    reloading.start()
    await until(lambda: bool(applied))
    assert (next(stamps, None), [one.log_level for one in applied]) == (None, [LogLevel.DEBUG])
    settled.set()
    path.write_text("a defect, which does not end the watch")
    await until(lambda: "defect" in read[-1])
    path.write_text("log_level: error\n")
    for _ in range(100):
        reloading.request()
    await until(lambda: len(applied) == 2)
    assert applied[1].log_level is LogLevel.ERROR
    await reloading.stop()
    await reloading.stop()
