from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_modeldata._settings.otlp_endpoint import Endpoint, load_endpoint
from otel_modeldata._settings.variables import DEFAULT_TIMEOUT_SECONDS
from otel_modeldata.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_variables_the_endpoint_is_otlps_default() -> None:
    assert load_endpoint({}) == Endpoint(target="localhost:4317")


def test_every_standard_variable_is_read() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://gateway:443",
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20s3cret,x-tenant=a",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "cert.pem",
    }
    endpoint = load_endpoint(environ)
    assert endpoint == Endpoint(
        target="gateway:443",
        secure=True,
        headers=(("authorization", "Bearer s3cret"), ("x-tenant", "a")),
        gzip=True,
        timeout=2.5,
        certificate="ca.pem",
        client_key="key.pem",
        client_certificate="cert.pem",
    )
    assert "s3cret" not in repr(endpoint)


def test_variables_for_logs_take_precedence() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://b:2"}
    assert load_endpoint(environ).target == "b:2"


@pytest.mark.parametrize(
    ("url", "target"),
    [("http://gateway", "gateway:4317"), ("http://[::1]:9", "[::1]:9"), ("http://gateway:1/v1/logs", "gateway:1")],
)
def test_a_url_becomes_host_and_port(url: str, target: str) -> None:
    assert load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url}).target == target


@pytest.mark.parametrize(
    "url", ["localhost:4317", "gateway", "grpc://x:1", "http://", "http://x:port", "http://x:99999", "http://[::1"]
)
def test_an_endpoint_that_is_not_a_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert str(raised.value) == (
        f"OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT for TLS, got {url!r}"
    )


def test_credentials_in_an_endpoint_are_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://me:s3cret@x:1"})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("wrong", ["Authorization: Bearer s3cret", "s3cret", 'key="s3cret"'])
def test_a_header_that_is_no_pair_is_reported_without_its_value(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": f"a=1,{wrong},, b = x y ,c=%20z"}
    assert load_endpoint(environ).headers == (("a", "1"), ("b", "x y"), ("c", "z"))
    assert "s3cret" not in caplog.text
    (record,) = caplog.records
    assert record.getMessage() == (
        "OTEL_EXPORTER_OTLP_HEADERS: expected name=value pairs, percent-encoded and separated by commas; "
        "others are not sent: 1"
    )


def test_every_wrong_variable_is_named_in_one_error() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    }
    with pytest.raises(ConfigError) as raised:
        load_endpoint(environ)
    assert tuple(map(str, raised.value.problems)) == (
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc, got 'http/protobuf': set OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to "
            "the gRPC endpoint of the gateway (its port is usually 4317)"
        ),
        "OTEL_EXPORTER_OTLP_COMPRESSION: expected none or gzip, got 'zip'",
        "OTEL_EXPORTER_OTLP_TIMEOUT: expected seconds above 0, got 'soon'",
    )


def test_an_application_that_exports_its_spans_over_http_needs_only_the_endpoint_for_logs() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://gateway:4317",
    }
    assert load_endpoint(environ) == Endpoint(target="gateway:4317", timeout=DEFAULT_TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("gateway:1", False),
        ("10.0.0.1:1", False),
    ],
)
def test_a_loopback_endpoint_is_recognized_by_its_address(target: str, *, loopback: bool) -> None:
    assert Endpoint(target=target).is_loopback() is loopback


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    endpoint = Endpoint(target="x:1", secure=True, certificate=str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match=r"certificate file cannot be read: .*ca\.pem"):
        endpoint.open_channel()
