"""The connection to an endpoint, layer by layer: name, TCP, TLS, HTTP/2, and whether it accepts the credentials.

gRPC reports UNAVAILABLE for all of these. Each layer is tried on its own here, the lowest first. The first failure ends
the check, because the layers above would fail for the same reason.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import grpc

from ...mapping.signal import LOGS
from .hop import Hop, failed, not_checked, passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_modeldata.environment import Endpoint

    from .hop import Announce

__all__ = ["ENDPOINT_VARIABLE", "endpoint_variable", "hops"]

ENDPOINT_VARIABLE: Final = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
"""Wins over the endpoint of all signals."""
_SHARED_ENDPOINT_VARIABLE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"

_NAME: Final = "name"
_CONNECTION: Final = "connection"
_TLS: Final = "TLS"
_PROTOCOL: Final = "protocol"
_AUTHORIZED: Final = "authorized"

_PROBE_SECONDS: Final = 5.0
"""Time limit for connecting, for the handshake and for the first frame; each takes about one round trip."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""RFC 9113, 3.4: a client's preface and an empty SETTINGS frame; the server's first frame is its SETTINGS."""
_FRAME_HEADER_BYTES: Final = 9
_SETTINGS: Final = 4
_TLS_ALERT: Final = b"\x15"
_TIMES: Final = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""
_HTTP1: Final = (b"HTTP/1", b"<!DOCTYPE", b"<html")
"""The first bytes of answers from servers that do not support HTTP/2."""
_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""Variables that gRPC reads, in this order."""

_CURES: Final = {
    grpc.StatusCode.UNAUTHENTICATED: (
        "put credentials into OTEL_EXPORTER_OTLP_HEADERS, as in authorization=Bearer%20TOKEN"
    ),
    grpc.StatusCode.PERMISSION_DENIED: (
        "ask for the right to write, or put other credentials into OTEL_EXPORTER_OTLP_HEADERS"
    ),
    grpc.StatusCode.UNIMPLEMENTED: "use the gateway's otlp receiver in a logs pipeline, or correct the port",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "it is overloaded: look at its memory and its queue",
}
_LOOK_AT_LOG: Final = "look at its log"


def endpoint_variable(variables: Mapping[str, str]) -> str:
    """The variable of an environment from which the endpoint is read."""
    return ENDPOINT_VARIABLE if variables.get(ENDPOINT_VARIABLE) else _SHARED_ENDPOINT_VARIABLE


def hops(endpoint: Endpoint, timeout: float, named: str, announce: Announce = lambda *_: None) -> Iterator[Hop]:
    """Each step of a connection to an endpoint, until one fails.

    Args:
        endpoint: as the SDK reads it.
        timeout: seconds for the answer to an empty request.
        named: where the endpoint is set, for sentences.
        announce: called before each step that may wait.
    """
    parts = urlsplit(f"//{endpoint.target}")
    host, port = parts.hostname or "", parts.port or 0
    if (proxy := _proxy(endpoint, host)) is not None:
        for name in (_NAME, _CONNECTION, _TLS, _PROTOCOL):
            yield not_checked(name, f"gRPC uses the proxy of the variable {proxy}")
    else:
        for hop in _direct(endpoint, host, port, named, announce):
            yield hop
            if hop.outcome == "failed":
                return
    timeout = min(timeout, endpoint.timeout)
    announce(_AUTHORIZED, f"the answer of {endpoint.target} to an empty request", timeout)
    yield _authorized(endpoint, timeout)


def _proxy(endpoint: Endpoint, host: str) -> str | None:
    """The variable that names gRPC's proxy; None for an endpoint on this machine (`Endpoint.open_channel`)."""
    if endpoint.is_loopback() or urllib.request.proxy_bypass(host):
        return None
    return next((name for name in _PROXIES if os.environ.get(name)), None)


def _direct(endpoint: Endpoint, host: str, port: int, named: str, announce: Announce) -> Iterator[Hop]:
    yield (resolved := _resolved(host, port, named))
    if resolved.outcome == "failed":
        return
    announce(_CONNECTION, f"a listener on {endpoint.target}", _PROBE_SECONDS)
    began = time.perf_counter()
    try:
        connection = socket.create_connection((host, port), _PROBE_SECONDS)
    except OSError as error:
        yield failed(_CONNECTION, _no_connection(endpoint.target, error, named))
        return
    yield passed(_CONNECTION, f"{endpoint.target} answered in {(time.perf_counter() - began) * 1000:.1f} ms")
    with closing(connection):
        if not endpoint.secure:
            yield not_checked(_TLS, "not used: the endpoint's URL begins with http://")
            announce(_PROTOCOL, f"the first bytes of {endpoint.target}", _PROBE_SECONDS)
            yield _protocol(connection, endpoint, named)
            return
        announce(_TLS, f"the handshake of {endpoint.target}", _PROBE_SECONDS)
        try:
            encrypted = _context(endpoint).wrap_socket(connection, server_hostname=host)
        except (OSError, ValueError) as error:
            yield failed(_TLS, _no_handshake(endpoint, error))
            return
    with closing(encrypted):
        yield passed(_TLS, _certificate(encrypted))
        announce(_PROTOCOL, f"the first bytes of {endpoint.target}", _PROBE_SECONDS)
        yield _protocol(encrypted, endpoint, named)


def _resolved(host: str, port: int, named: str) -> Hop:
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return failed(
            _NAME,
            f"expected an address of {host!r}, got {error}: correct {named}, or the names that this machine resolves",
        )
    addresses = dict.fromkeys(str(address[0]) for *_, address in resolved)
    return passed(_NAME, f"{host} is {', '.join(addresses)}")


def _no_connection(target: str, error: OSError, named: str) -> str:
    if isinstance(error, TimeoutError):
        cure = "a firewall may drop the connection, or the address is wrong"
        return f"expected a listener on {target}, got no answer within {_PROBE_SECONDS:g} s: {cure}"
    return (
        f"expected a listener on {target}, got {error.strerror or error}: start the gateway or a receiver there "
        f"(otel-modeldata receive), correct the port in {named}, or do without either "
        "(OTEL_MODELDATA_STORE=./modeldata)"
    )


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.certificate)
    if endpoint.client_certificate is not None:
        context.load_cert_chain(endpoint.client_certificate, endpoint.client_key)
    context.set_alpn_protocols(["h2"])
    return context


def _no_handshake(endpoint: Endpoint, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _TIMES:
        return (
            f"expected a certificate for {endpoint.target} that is valid now, got {error.verify_message}: renew it "
            "there, or correct the clock of this machine"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"expected a certificate for {endpoint.target} from an authority that is trusted here, got "
            f"{error.verify_message}: name the authority's file in OTEL_EXPORTER_OTLP_CERTIFICATE, or correct the "
            "certificate"
        )
    if isinstance(error, ssl.SSLError) or not isinstance(error, (FileNotFoundError, PermissionError)):
        what = (getattr(error, "reason", None) or str(error) or type(error).__name__).replace("_", " ").lower()
        return (
            f"expected {endpoint.target} to use TLS, got {what}: use http:// if it does not, or another port, or "
            "correct the files in OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_KEY and _CLIENT_CERTIFICATE"
        )
    return f"expected to read the certificate files, got {error}: correct OTEL_EXPORTER_OTLP_CERTIFICATE and the others"


def _certificate(connection: ssl.SSLSocket) -> str:
    certificate = connection.getpeercert() or {}
    return f"{connection.version()}, the certificate is valid until {certificate.get('notAfter', 'unknown')}"


def _protocol(connection: socket.socket, endpoint: Endpoint, named: str) -> Hop:
    """Whether the endpoint supports HTTP/2, which gRPC is based on."""
    connection.settimeout(_PROBE_SECONDS)
    try:
        connection.sendall(_PREFACE)
        answer = _first_bytes(connection)
    except TimeoutError:
        return failed(
            _PROTOCOL,
            f"expected gRPC on {endpoint.target}, got no answer for {_PROBE_SECONDS:g} s: correct the port",
        )
    except OSError:  # reset, or an alert of TLS
        answer = b""
    if len(answer) == _FRAME_HEADER_BYTES and answer[3] == _SETTINGS:
        return passed(_PROTOCOL, "HTTP/2, as gRPC needs it")
    return failed(_PROTOCOL, _no_http2(answer, endpoint, named))


def _first_bytes(connection: socket.socket) -> bytes:
    """The bytes of a frame header; fewer when the peer closes the connection first."""
    answer = b""
    while len(answer) < _FRAME_HEADER_BYTES:
        part = connection.recv(_FRAME_HEADER_BYTES - len(answer))
        if not part:
            break
        answer += part
    return answer


def _no_http2(answer: bytes, endpoint: Endpoint, named: str) -> str:
    if answer.startswith(_HTTP1):
        return (
            f"expected gRPC on {endpoint.target}, got an HTTP/1 server: OTLP over gRPC usually has port 4317, and 4318 "
            "is OTLP over HTTP"
        )
    if answer and not answer.startswith(_TLS_ALERT):
        return f"expected gRPC on {endpoint.target}, got something else: correct the port"
    if endpoint.secure:
        return f"expected {endpoint.target} to accept this client, got a closed connection: " + (
            "it may want a certificate in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
            if endpoint.client_certificate is None
            else "the certificate in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE may have expired (`openssl x509 -noout "
            f"-enddate -in {endpoint.client_certificate}` shows it), or its authority is not trusted there"
        )
    return (
        f"expected gRPC in plain text on {endpoint.target}, got a closed connection: if it uses TLS, write "
        f"https:// in {named}"
    )


def _authorized(endpoint: Endpoint, timeout: float) -> Hop:
    """Whether the endpoint accepts an empty request with these headers; it stores nothing."""
    headers = ", ".join(name for name, _ in endpoint.metadata())
    with_them = f"with the headers {headers}" if headers else "without any headers"
    with closing(endpoint.open_channel()) as channel:
        export = channel.unary_unary(f"/{LOGS.service}/Export")
        try:
            export(b"", timeout=timeout, metadata=endpoint.metadata())
        except grpc.RpcError as error:
            code = error.code()
            cure = _CURES.get(code, _LOOK_AT_LOG)
            got = f"{code.name}: {error.details() or 'no details'}"
            return failed(_AUTHORIZED, f"expected an answer to an empty request {with_them}, got {got}: {cure}")
    return passed(_AUTHORIZED, f"an empty request {with_them} was answered with OK")
