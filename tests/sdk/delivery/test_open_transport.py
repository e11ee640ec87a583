"""Records are sent to an endpoint, or written to a store in the same process."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from otel_modeldata._delivery import open_transport
from otel_modeldata._delivery.grpc_transport import GrpcTransport
from otel_modeldata._settings.settings import Settings
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.transport import Answer, Delivered

if TYPE_CHECKING:
    from pathlib import Path


class Recorder:
    """A transport that a package may offer for stores."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __call__(self, url: str) -> Recorder:
        self.log.append(f"open {url}")
        return self

    def check(self, url: str) -> None:
        self.log.append(f"check {url}")

    def send(self, request: bytes) -> Answer:
        return Delivered()

    def close(self) -> None: ...


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(open_transport, "_factory", lambda: Recorder(calls))
    monkeypatch.setattr(open_transport, "_checked", set())
    return calls


@pytest.mark.parametrize("store", [None, ""])
def test_without_a_store_records_are_sent_to_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, log: list[str], store: str | None
) -> None:
    if store is not None:
        monkeypatch.setenv("OTEL_MODELDATA_STORE", store)
    settings = Settings.from_env()
    open_transport.check(settings)
    transport = open_transport.open_transport(settings)
    transport.close()
    assert isinstance(transport, GrpcTransport)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "gateway")
    with pytest.raises(ConfigError, match="expected http://HOST:PORT"):
        Settings.from_env()
    assert log == []


def test_a_store_takes_precedence_over_the_endpoint_and_is_checked_once(
    monkeypatch: pytest.MonkeyPatch, log: list[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "not even a URL")
    monkeypatch.setenv("OTEL_MODELDATA_STORE", "az://container/prefix")
    settings = Settings.from_env()
    open_transport.check(settings)
    open_transport.check(settings)
    open_transport.open_transport(settings)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_MODELDATA_STORE", "./here")
    settings = Settings.from_env()
    open_transport.check(settings)
    monkeypatch.chdir("/")
    open_transport.open_transport(settings)
    assert log == [
        "check az://container/prefix",
        "open az://container/prefix",
        f"check {tmp_path}/here",
        f"open {tmp_path}/here",
    ]


def test_the_installed_package_offers_the_transport() -> None:
    (found,) = metadata.entry_points(group="otel_modeldata_transport", name="store")
    assert found.value == "otel_modeldata_receiver.listeners.in_process:StoreTransport"


def test_a_receiver_that_python_no_longer_imports_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ending:
        def load(self) -> None:
            raise RuntimeError("can't register atexit after shutdown")

    monkeypatch.setattr(metadata, "entry_points", lambda **_: [Ending()])
    with pytest.raises(ConfigError) as caught:
        open_transport._factory()
    assert str(caught.value) == (
        "OTEL_MODELDATA_STORE: expected the receiver, which writes to stores, got can't register atexit after "
        "shutdown: make the first Collector earlier"
    )
