"""Reads the standard `OTEL_EXPORTER_OTLP_*` variables into an `Endpoint`, and opens its gRPC channel.

The stock OTLP exporter is not used: it retries for seven seconds and then drops, encodes every batch again on each
try, ignores the RetryInfo that the OTLP specification names, and silently uses TLS for `localhost:4317`. Here an
endpoint without a scheme needs `OTEL_EXPORTER_OTLP_INSECURE`, which then has the meaning of the specification.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..exceptions import ConfigError
from ..validation.loopback import is_loopback
from ..validation.pasted import pasted
from ..validation.path_text import read_path
from ..validation.problems import Problem, may_be_token, shown, shown_choice
from .credentials import CredentialFiles, Credentials
from .headers import read_headers
from .variables import (
    CERTIFICATE,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    COMPRESSION,
    DEFAULT_TIMEOUT_SECONDS,
    ENDPOINT,
    HEADERS,
    INSECURE,
    LONG_TIMEOUT_SECONDS,
    MIN_MILLISECONDS,
    PROTOCOL,
    TIMEOUT,
    TOKEN_FILE,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    import grpc

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
"""A name or an address: what a name server and gRPC can look up."""
_DOMAIN: Final = re.compile(r"[a-z0-9-]{1,24}(\.[a-z0-9-]{1,24})*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BROKEN_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:/(?!/)|https?/", re.IGNORECASE)
"""A scheme that lacks a slash or its colon: what follows would be taken for a path."""
_PLAIN_PATH: Final = re.compile(r"(/[a-z]{1,16}|/v\d)*/*")
"""A path that may be shown: in another one, some backends have a token."""
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
_COMPRESSIONS: Final = ("none", "gzip")
_AUTHORIZATION: Final = "authorization"
_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""Variables that gRPC reads, in this order."""
_FILES: Final = (CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE, TOKEN_FILE)
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
        token_file: file of a token that is sent in the header `authorization`.
        credentials: what the files contained when they were checked; None before that.
    """

    target: str
    secure: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    gzip: bool = False
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    token_file: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)

    def is_loopback(self) -> bool:
        """Whether the host is this machine: requests to it never use a proxy."""
        return is_loopback(urlsplit(f"//{self.target}").hostname or "")

    def files(self) -> CredentialFiles:
        """The files that are used: without TLS, only the token's."""
        if not self.secure:
            return CredentialFiles(token=self.token_file)
        return CredentialFiles(
            authority=self.certificate,
            client_key=self.client_key,
            client_certificate=self.client_certificate,
            token=self.token_file,
        )

    def checked(self) -> Endpoint:
        """This endpoint with its credentials.

        Raises:
            ConfigError: a file cannot be read, or gRPC cannot use it.
        """
        return replace(self, credentials=self.files().read())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers, with the token of the credentials."""
        token = None if self.credentials is None else self.credentials.authorization
        return self.headers if token is None else (*self.headers, (_AUTHORIZATION, token))

    def open_channel(self) -> grpc.Channel:
        """A new gRPC channel; connects on first use and again after each failure.

        Raises:
            ConfigError: the credentials were not read before, and a file cannot be read, or gRPC cannot use it.
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
        found = self.credentials or self.files().read()
        credentials = grpc.ssl_channel_credentials(found.authority, found.client_key, found.client_certificate)
        return grpc.secure_channel(self.target, credentials, options, compression)


def load_endpoint(environ: Mapping[str, str] | None = None) -> Endpoint:
    """Read the endpoint from the standard variables; those for logs take precedence.

    Credential files are not opened; `Endpoint.checked` does that.

    Raises:
        ConfigError: lists every variable that is wrong. No message repeats a header.
    """
    env = os.environ if environ is None else environ
    url = _text(env, ENDPOINT) or DEFAULT_ENDPOINT
    compression = (_text(env, COMPRESSION) or "none").lower()
    headers, wrong_headers = _headers(env)
    paths, wrong_paths = _paths(env)
    problems = (
        *_url_problems(env, url),
        *_protocol_problems(env),
        *wrong_headers,
        *_compression_problems(env, compression),
        *_timeout_problems(env),
        *wrong_paths,
    )
    if problems:
        raise ConfigError(*problems)
    parts = _parts(url)
    host = parts.netloc
    certificate, client_key, client_certificate, token_file = paths
    return Endpoint(
        target=host if parts.port else f"{host.rstrip(':')}:{_GRPC_PORT}",
        secure=parts.scheme == "https" or (not parts.scheme and _insecure(env) == "false"),
        headers=headers,
        gzip=compression == "gzip",
        timeout=_timeout(env)[0],
        certificate=certificate,
        client_key=client_key,
        client_certificate=client_certificate,
        token_file=token_file,
    )


def endpoint_warnings(endpoint: Endpoint, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Values that are accepted, but probably not meant."""
    found = []
    timeout = _set(environ, TIMEOUT).name
    if note := _timeout(environ)[1]:
        found.append(Problem(timeout, note))
    if endpoint.target.endswith(f":{_HTTP_PORT}"):
        message = (
            f"port {_HTTP_PORT} is usually OTLP over HTTP, but records use OTLP over gRPC, usually on port {_GRPC_PORT}"
        )
        found.append(Problem(_set(environ, ENDPOINT).name, message))
    if not endpoint.secure:
        files = (endpoint.certificate, endpoint.client_key, endpoint.client_certificate)
        found += [
            Problem(_set(environ, variable).name, "not used: the endpoint is plain text, use https:// for TLS")
            for variable, path in zip(_FILES, files, strict=False)
            if path is not None
        ]
    return (*found, *_proxy_warnings(endpoint, environ))


def _proxy_warnings(endpoint: Endpoint, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """A proxy that gRPC cannot use: it then connects without one."""
    name = next((name for name in _PROXIES if environ.get(name)), None)
    host = urlsplit(f"//{endpoint.target}").hostname or ""
    without = ",".join(environ.get(name) or "" for name in ("no_grpc_proxy", "no_proxy")).split(",")
    is_direct = endpoint.is_loopback() or any(part.strip() and host.endswith(part.strip()) for part in without)
    if name is None or is_direct or environ[name].startswith("http://"):
        return ()
    return (Problem(name, "expected http://HOST:PORT, the only kind of proxy that gRPC uses, so this one is not used"),)


def name_set(environ: Mapping[str, str], name: str) -> str:
    """The name under which a variable is set: its own, or the one for logs alone."""
    return next((_set(environ, variable).name for variable in _FILES if variable.name == name), name)


def _for_logs(variable: Variable) -> str:
    return variable.name.replace("OTLP_", "OTLP_LOGS_", 1)


def _set(env: Mapping[str, str], variable: Variable) -> Variable:
    """The variable under the name that is set; the name for logs takes precedence. A blank one counts as unset."""
    return replace(variable, name=_for_logs(variable)) if pasted(env.get(_for_logs(variable)) or "") else variable


def _text(env: Mapping[str, str], variable: Variable) -> str | None:
    return pasted(env.get(_set(env, variable).name) or "") or None


def _insecure(env: Mapping[str, str]) -> str:
    return (_text(env, INSECURE) or "").lower()


def _parts(url: str) -> SplitResult:
    return urlsplit(url if _SCHEME.match(url) else f"//{url}")


def _url_problems(env: Mapping[str, str], url: str) -> tuple[Problem, ...]:
    variable = _set(env, ENDPOINT)
    if "@" in url:
        return (variable.problem(f"one with credentials in it (use {HEADERS.name} for them)"),)
    try:
        parts = _parts(url)
        is_port = parts.port is None or parts.port > 0
    except ValueError:  # a port that is not a number, or above 65535; half of the brackets of an address
        return (variable.problem(shown(url)),)
    is_host = _HOST.fullmatch(parts.hostname or "") is not None and not _BROKEN_SCHEME.match(url)
    if parts.scheme not in ("http", "https", "") or not is_port or not is_host:
        return (variable.problem(_shown_host(url)),)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        cure = f"write it without the path, with the port of gRPC (usually {_GRPC_PORT})"
        if _PLAIN_PATH.fullmatch(parts.path) is None:
            url = url.replace(parts.path, "/...", 1)
        return (variable.problem(f"{shown(url)}, whose path is for OTLP over HTTP, but records use gRPC: {cure}"),)
    if not parts.scheme and _insecure(env) not in ("true", "false"):
        cure = f"write the scheme, or set {INSECURE.name} to true for plain text or false for TLS"
        return (variable.problem(f"{_shown_host(url)}: {cure}"),)
    return ()


def _shown_host(url: str) -> str:
    """A URL for a message; a text without scheme, port and domain may be a token in the wrong variable."""
    return shown(url) if ":" in url or _DOMAIN.fullmatch(url) or not may_be_token(url) else shown_choice(url)


def _protocol_problems(env: Mapping[str, str]) -> tuple[Problem, ...]:
    """Records always use gRPC. Another protocol for all signals needs an endpoint for logs alone."""
    protocol = (_text(env, PROTOCOL) or PROTOCOL.default).lower()
    for_logs = _set(env, PROTOCOL) != PROTOCOL
    if protocol == "grpc" or (_set(env, ENDPOINT) != ENDPOINT and not for_logs):
        return ()
    cure = f"set {_for_logs(ENDPOINT)} to the gRPC endpoint of the gateway (its port is usually {_GRPC_PORT})"
    if for_logs:
        cure = f"set it to grpc, and {cure.removeprefix('set ')}"
    return (_set(env, PROTOCOL).problem(f"{shown_choice(protocol, ('grpc',))}: {cure}"),)


def _headers(env: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], tuple[Problem, ...]]:
    variable = _set(env, HEADERS)
    headers, problems = read_headers(env.get(variable.name) or "", variable)
    if _text(env, TOKEN_FILE) and _AUTHORIZATION in dict(headers):
        message = f"expected one source of the header {_AUTHORIZATION}, got {TOKEN_FILE.name} as well: remove one"
        problems = (*problems, Problem(variable.name, message))
    return headers, problems


def _paths(env: Mapping[str, str]) -> tuple[list[str | None], tuple[Problem, ...]]:
    """The credential files, in the order of `_FILES`."""
    paths: list[str | None] = []
    problems = []
    for variable in _FILES:
        text = _text(env, variable)
        path, wrong = read_path(text or "")
        paths.append(path or None)
        if wrong:
            problems.append(_set(env, variable).problem(f"{shown(text)}, {wrong}"))
    return paths, tuple(problems)


def _compression_problems(env: Mapping[str, str], compression: str) -> tuple[Problem, ...]:
    if compression in _COMPRESSIONS:
        return ()
    return (_set(env, COMPRESSION).problem(shown_choice(compression, _COMPRESSIONS)),)


def _timeout_problems(env: Mapping[str, str]) -> tuple[Problem, ...]:
    text = _text(env, TIMEOUT) or str(DEFAULT_TIMEOUT_SECONDS)
    try:
        if 0 < float(text) < float("inf"):
            return ()
    except ValueError:
        pass
    return (_set(env, TIMEOUT).problem(shown_choice(text)),)


def _timeout(env: Mapping[str, str]) -> tuple[float, str]:
    """Seconds for one try, and a warning if the variable is probably in another unit."""
    given = float(_text(env, TIMEOUT) or DEFAULT_TIMEOUT_SECONDS)
    if given <= LONG_TIMEOUT_SECONDS:
        return given, ""
    if given < MIN_MILLISECONDS:
        return given, f"{given:g} seconds for one try: after a failure that gives no answer, the next try waits as long"
    seconds = min(given / 1000, LONG_TIMEOUT_SECONDS)
    return seconds, (
        f"{given:g} is read as milliseconds, so one try may take {seconds:g} s: the unit is seconds here, at most "
        f"{LONG_TIMEOUT_SECONDS:g} of them are plausible; write {seconds:g}"
    )
