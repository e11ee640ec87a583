"""Reads the standard `OTEL_EXPORTER_OTLP_*` variables into an `Endpoint`, and opens its gRPC channel.

The stock OTLP exporter is not used: it retries for seven seconds and then drops, encodes every batch again on each
try, ignores the RetryInfo that the OTLP specification names, and silently uses TLS for `localhost:4317`.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..exceptions import ConfigError
from ..validation.loopback import is_loopback
from ..validation.problems import Problem, shown
from .variables import (
    CERTIFICATE,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    COMPRESSION,
    DEFAULT_TIMEOUT_SECONDS,
    ENDPOINT,
    HEADERS,
    PROTOCOL,
    TIMEOUT,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

logger = logging.getLogger(__name__)

_HEADER = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+[ \t]*=[ \t]*[ !#-+\--:<-\[\]-~]*")
"""What OpenTelemetry accepts."""
DEFAULT_ENDPOINT = ENDPOINT.default
"""The OTLP specification's own default for gRPC."""


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
        """Whether the host is this machine: requests to it never use a proxy."""
        return is_loopback(urlsplit(f"//{self.target}").hostname or "")

    def open_channel(self) -> grpc.Channel:
        """A new gRPC channel; connects on first use and again after each failure.

        Raises:
            ConfigError: a certificate file cannot be read.
        """
        import grpc  # noqa: PLC0415 - not before the first collect

        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_retries", 0),  # the delivery thread retries
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
    """Read the endpoint from the standard variables; those for logs take precedence.

    Raises:
        ConfigError: no scheme, no host, another protocol than gRPC, an unknown compression or a bad timeout.
    """
    env = os.environ if environ is None else environ
    url = _text(env, ENDPOINT) or DEFAULT_ENDPOINT
    compression = (_text(env, COMPRESSION) or "none").strip().lower()
    problems = (
        *_url_problems(env, url),
        *_protocol_problems(env),
        *(() if compression in ("none", "gzip") else (_set(env, COMPRESSION).problem(shown(compression)),)),
        *_timeout_problems(env),
    )
    if problems:
        raise ConfigError(*problems)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return Endpoint(
        target=host if parts.port else f"{host.rstrip(':')}:4317",
        secure=parts.scheme == "https",
        headers=_headers(env),
        gzip=compression == "gzip",
        timeout=float(_text(env, TIMEOUT) or DEFAULT_TIMEOUT_SECONDS),
        certificate=_text(env, CERTIFICATE),
        client_key=_text(env, CLIENT_KEY),
        client_certificate=_text(env, CLIENT_CERTIFICATE),
    )


def _for_logs(variable: Variable) -> str:
    return variable.name.replace("OTLP_", "OTLP_LOGS_", 1)


def _set(env: Mapping[str, str], variable: Variable) -> Variable:
    """The variable under the name that is set; the name for logs takes precedence."""
    return replace(variable, name=_for_logs(variable)) if env.get(_for_logs(variable)) else variable


def _text(env: Mapping[str, str], variable: Variable) -> str | None:
    return env.get(_set(env, variable).name) or None


def _url_problems(env: Mapping[str, str], url: str) -> tuple[Problem, ...]:
    if _is_url(url):
        return ()
    given = f"one with credentials in it (use {HEADERS.name} for them)" if "@" in url else shown(url)
    return (_set(env, ENDPOINT).problem(given),)


def _protocol_problems(env: Mapping[str, str]) -> tuple[Problem, ...]:
    protocol = _text(env, PROTOCOL) or PROTOCOL.default
    if protocol == "grpc" or env.get(_for_logs(ENDPOINT)):
        return ()
    cure = f"set {_for_logs(ENDPOINT)} to the gRPC endpoint of the gateway (its port is usually 4317)"
    return (_set(env, PROTOCOL).problem(f"{shown(protocol)}: {cure}"),)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_port = parts.port is None or parts.port > 0
    except ValueError:  # a port that is not a number, or above 65535; half of the brackets of an address
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_port


def _headers(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers; OpenTelemetry's own parser would log an invalid one with its value, which is a credential."""
    pairs = [pair for part in (_text(env, HEADERS) or "").split(",") if (pair := part.strip(" \t"))]
    valid = [pair for pair in pairs if _HEADER.fullmatch(pair)]
    if len(valid) < len(pairs):
        name = _set(env, HEADERS).name
        logger.warning("%s: expected %s; others are not sent: %d", name, HEADERS.unit, len(pairs) - len(valid))
    named = (pair.split("=", 1) for pair in valid)
    return tuple({unquote(name).strip().lower(): unquote(value).strip() for name, value in named}.items())


def _timeout_problems(env: Mapping[str, str]) -> tuple[Problem, ...]:
    text = _text(env, TIMEOUT)
    try:
        if text is None or float(text) > 0:
            return ()
    except ValueError:
        pass
    return (_set(env, TIMEOUT).problem(shown(text)),)


def _content(name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        return Path(name).read_bytes()
    except OSError as error:
        message = f"certificate file cannot be read: {error}"
        raise ConfigError(Problem("OTEL_EXPORTER_OTLP_*", message)) from None
