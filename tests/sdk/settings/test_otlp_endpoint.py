from __future__ import annotations

from pathlib import Path

import pytest

from otel_modeldata._settings.otlp_endpoint import Endpoint, endpoint_warnings, load_endpoint
from otel_modeldata._settings.variables import DEFAULT_TIMEOUT_SECONDS
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.validation.problems import Problem


def _milliseconds(given: str, seconds: str) -> str:
    return (
        f"{given} is read as milliseconds, so one try may take {seconds} s: the unit is seconds here, at most 300 of "
        f"them are plausible; write {seconds}"
    )


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


@pytest.mark.parametrize("blank", ["", " ", "\n", '""', "' '"])
def test_a_blank_variable_for_logs_counts_as_unset(blank: str) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "a:1",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer s3cret",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    for_logs = {name.replace("OTLP_", "OTLP_LOGS_"): blank for name in environ}
    assert load_endpoint(environ | for_logs) == load_endpoint(environ)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://gateway", "gateway:4317"),
        ("http://gateway:", "gateway:4317"),
        ("http://gateway:1/", "gateway:1"),
        ("http://my_gateway.svc:1", "my_gateway.svc:1"),
        ("http://[::1]:9", "[::1]:9"),
        ("HTTP://gateway:1", "gateway:1"),
        ('"http://gateway:1"', "gateway:1"),
        ("http://gateway:1\n", "gateway:1"),
    ],
)
def test_a_url_becomes_host_and_port(url: str, target: str) -> None:
    assert load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url}).target == target


@pytest.mark.parametrize(
    "url",
    [
        *(
            "grpc://x:1",
            "http://",
            "http://x:port",
            "http://x:99999",
            "http://x:0",
            "http://[::1",
            "dns:///x:1",
            "http:x:1",
        ),
        *("http://gate way:1", "http://$GATEWAY:1", "http://<gateway>:1", "http://gätewäy:1", "::1"),
        *("http:/gateway:1", "http//gateway:1", "unix:/run/gateway"),
    ],
)
def test_an_endpoint_that_is_not_a_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert str(raised.value) == (
        f"OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT for TLS, got {url!r}"
    )


@pytest.mark.parametrize("url", ["localhost:4317", "gateway"])
def test_an_endpoint_without_a_scheme_needs_the_variable_that_says_whether_it_uses_tls(url: str) -> None:
    """OTLP's default is TLS, for which most gateways on a port like 4317 are not configured."""
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_INSECURE": "1"})
    assert str(raised.value) == (
        f"OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT for TLS, got {url!r}: write the "
        "scheme, or set OTEL_EXPORTER_OTLP_INSECURE to true for plain text or false for TLS"
    )


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_LOGS_INSECURE"])
@pytest.mark.parametrize(("insecure", "secure"), [("true", False), ("True", False), ("false", True)])
@pytest.mark.parametrize(
    ("url", "target"), [("gateway", "gateway:4317"), ("gateway:1", "gateway:1"), ("[::1]:1", "[::1]:1")]
)
def test_insecure_has_the_meaning_of_the_specification(
    name: str, insecure: str, url: str, target: str, *, secure: bool
) -> None:
    assert load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url, name: insecure}) == Endpoint(target=target, secure=secure)


@pytest.mark.parametrize("insecure", ["true", "false"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_scheme_of_an_endpoint_wins_over_insecure(scheme: str, insecure: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://x:1", "OTEL_EXPORTER_OTLP_INSECURE": insecure}
    assert load_endpoint(environ).secure is (scheme == "https")


@pytest.mark.parametrize("url", ["http://gateway:4318/v1/logs", "https://gateway/otlp", "http://gateway:1/?a=b"])
def test_an_endpoint_with_a_path_is_for_http_and_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": url})
    assert str(raised.value) == (
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT for TLS, got "
        f"{url!r}, whose path is for OTLP over HTTP, but records use gRPC: write it without the path, with the port of "
        "gRPC (usually 4317)"
    )


def test_a_token_in_the_path_of_an_endpoint_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://gateway/s3cret/v1/logs"})
    assert "got 'https://gateway/...', whose path is for OTLP over HTTP" in str(raised.value)


def test_credentials_in_an_endpoint_are_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as raised:
        load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://me:s3cret@x:1"})
    assert "s3cret" not in str(raised.value)


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


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_another_protocol_for_logs_is_refused_with_what_to_set(protocol: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://x:1", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": protocol}
    with pytest.raises(ConfigError) as raised:
        load_endpoint(environ)
    assert str(raised.value) == (
        f"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: expected grpc, got {protocol!r}: set it to grpc, and "
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to the gRPC endpoint of the gateway (its port is usually 4317)"
    )


def test_grpc_for_logs_wins_over_another_protocol_for_all_signals() -> None:
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "GRPC"}
    assert load_endpoint(environ) == Endpoint(target="localhost:4317")


@pytest.mark.parametrize(
    ("text", "seconds", "note"),
    [
        ("0.5", 0.5, None),
        ("300", 300.0, None),
        ("600", 600.0, "600 seconds for one try: after a failure that gives no answer, the next try waits as long"),
        ("10000", 10.0, _milliseconds("10000", "10")),
        ("1000", 1.0, _milliseconds("1000", "1")),
        ("900000", 300.0, _milliseconds("900000", "300")),
    ],
)
def test_a_timeout_that_is_too_long_for_seconds_is_read_as_milliseconds(
    text: str, seconds: float, note: str | None
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": text}
    endpoint = load_endpoint(environ)
    assert endpoint.timeout == seconds
    warnings = () if note is None else (Problem("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", note),)
    assert endpoint_warnings(endpoint, environ) == warnings


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e999", "10s", "ten"])
def test_a_timeout_that_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_TIMEOUT: expected seconds above 0, got"):
        load_endpoint({"OTEL_EXPORTER_OTLP_TIMEOUT": text})


def test_the_port_of_http_and_certificates_without_tls_are_warnings() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "/no/ca.pem"}
    endpoint = load_endpoint(environ)
    assert endpoint_warnings(endpoint, environ) == (
        Problem(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "port 4318 is usually OTLP over HTTP, but records use OTLP over gRPC, usually on port 4317",
        ),
        Problem("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "not used: the endpoint is plain text, use https:// for TLS"),
    )
    assert not endpoint.files()


def test_a_path_that_no_shell_expanded_is_expanded_or_refused() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "'~/ca.pem'\n",
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "$CERTS/key.pem",
    }
    with pytest.raises(ConfigError) as raised:
        load_endpoint(environ)
    assert str(raised.value) == (
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: expected a PEM file, got '$CERTS/key.pem', a variable that no shell has "
        "replaced: write the whole path"
    )
    del environ["OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY"]
    assert load_endpoint(environ).certificate == str(Path.home() / "ca.pem")


def test_a_token_file_and_a_header_for_the_same_thing_are_refused() -> None:
    environ = {"OTEL_MODELDATA_TOKEN_FILE": "/t", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20s3cret"}
    with pytest.raises(ConfigError) as raised:
        load_endpoint(environ)
    assert str(raised.value) == (
        "OTEL_EXPORTER_OTLP_HEADERS: expected one source of the header authorization, got OTEL_MODELDATA_TOKEN_FILE as "
        "well: remove one"
    )


@pytest.mark.parametrize(
    ("url", "environ", "name"),
    [
        ("http://gateway:1", {"https_proxy": "socks5://me:s3cret@p:1", "http_proxy": "http://p:1"}, "https_proxy"),
        ("http://gateway:1", {"http_proxy": "me:s3cret@p:1"}, "http_proxy"),
        ("http://gateway:1", {"grpc_proxy": "http://p:1", "http_proxy": "socks5://p:1"}, None),
        ("http://gateway:1", {"http_proxy": "socks5://p:1", "no_proxy": "other, gateway"}, None),
        ("http://localhost:1", {"http_proxy": "socks5://p:1"}, None),
        ("http://gateway:1", {"http_proxy": ""}, None),
    ],
)
def test_a_proxy_that_grpc_cannot_use_is_a_warning_without_its_value(
    url: str, environ: dict[str, str], name: str | None
) -> None:
    endpoint = load_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    message = "expected http://HOST:PORT, the only kind of proxy that gRPC uses, so this one is not used"
    assert endpoint_warnings(endpoint, environ) == (() if name is None else (Problem(name, message),))
