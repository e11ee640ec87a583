"""Where records are sent: the standard `OTEL_EXPORTER_OTLP_*` variables, read into an `Endpoint`, and its channel.

The stock OTLP exporter is not used: it retries for seven seconds and then drops, encodes every batch again on each
try, ignores the RetryInfo that the OTLP specification names, and takes `localhost:4317` for TLS without a word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from opentelemetry.util.re import parse_env_headers

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

DEFAULT_ENDPOINT = "http://localhost:4317"
"""The OTLP specification's own default for gRPC."""

DEFAULT_TIMEOUT_SECONDS = 30.0
"""Of one try. OTLP's default is 10 s; a gateway without a queue answers only after the receiver's append."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A validated OTLP/gRPC endpoint.

    Attributes:
        target: `host:port`.
        secure: TLS, from the scheme `https`.
        headers: sent with each call; may hold credentials, hence not in `repr`.
        gzip: compress requests.
        timeout: seconds for one try.
        certificate: file of the CA that signed the server; None means the system's.
        client_key: file of the client's key, for mTLS.
        client_certificate: file of the client's certificate, for mTLS.
    """

    target: str
    secure: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    gzip: bool = False
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None

    def is_loopback(self) -> bool:
        """Whether the host is this machine: a proxy must never see what goes there."""
        host = urlsplit(f"//{self.target}").hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def open_channel(self) -> grpc.Channel:
        """A new gRPC channel; connects on first use and again after each failure.

        Raises:
            ConfigError: a certificate file cannot be read.
        """
        import grpc  # noqa: PLC0415 - not before the first collect

        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_retries", 0),  # retries are ours: they must know about deadlines and losses
            ("grpc.initial_reconnect_backoff_ms", 500),
            ("grpc.max_reconnect_backoff_ms", 5_000),  # gRPC's own 120 s would outlast most outages
        ]
        if self.is_loopback():
            options.append(("grpc.enable_http_proxy", 0))
        compression = grpc.Compression.Gzip if self.gzip else grpc.Compression.NoCompression
        if not self.secure:
            return grpc.insecure_channel(self.target, options, compression)
        files = (self.certificate, self.client_key, self.client_certificate)
        credentials = grpc.ssl_channel_credentials(*(_content(name) for name in files))
        return grpc.secure_channel(self.target, credentials, options, compression)


def load_endpoint(environ: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint that the standard variables name; those for logs win over the general ones.

    Raises:
        ConfigError: no scheme, no host, another protocol than gRPC, an unknown compression or a bad timeout.
    """
    env = os.environ if environ is None else environ

    def setting(name: str, default: str | None = None) -> str | None:
        return env.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}") or default

    problems: list[str] = []
    url = setting("ENDPOINT", DEFAULT_ENDPOINT) or DEFAULT_ENDPOINT
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_port(parts):
        given = "one with credentials in it (use OTEL_EXPORTER_OTLP_HEADERS for them)" if "@" in url else repr(url)
        problems.append(f"endpoint: expected http://HOST:PORT, or https://HOST:PORT for TLS, got {given}")
    protocol = setting("PROTOCOL", "grpc")
    if protocol != "grpc" and not env.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"):
        problems.append(
            f"protocol: expected grpc, got {protocol!r}: set OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to the gRPC endpoint "
            "of the gateway (its port is usually 4317)"
        )
    compression = (setting("COMPRESSION", "none") or "none").strip().lower()
    if compression not in ("none", "gzip"):
        problems.append(f"compression: expected none or gzip, got {compression!r}")
    timeout = _seconds(setting("TIMEOUT"), problems)
    if problems:
        raise ConfigError("OTEL_EXPORTER_OTLP_*", problems)
    return Endpoint(
        target=host if parts.port else f"{host.rstrip(':')}:4317",
        secure=parts.scheme == "https",
        headers=tuple(parse_env_headers(setting("HEADERS", "") or "", liberal=True).items()),
        gzip=compression == "gzip",
        timeout=timeout,
        certificate=setting("CERTIFICATE"),
        client_key=setting("CLIENT_KEY"),
        client_certificate=setting("CLIENT_CERTIFICATE"),
    )


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:  # not a number, or above 65535
        return False


def _seconds(text: str | None, problems: list[str]) -> float:
    if text is None:
        return DEFAULT_TIMEOUT_SECONDS
    try:
        if (seconds := float(text)) > 0:
            return seconds
    except ValueError:
        pass
    problems.append(f"timeout: expected seconds above 0, got {text!r}")
    return DEFAULT_TIMEOUT_SECONDS


def _content(name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigError("OTEL_EXPORTER_OTLP_*", [f"certificate file cannot be read: {error}"]) from None
