"""The receiver's certificates: checked for each new connection, so that renewed files need no restart.

A renewal replaces several files, and not all at once. Files that do not belong together are therefore not used: the
connection gets the previous certificate, with one log line for each state of the files.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from ..config.receiver import TlsConfig

logger = logging.getLogger(__name__)

_State = tuple[tuple[int, int], ...]


def server_credentials(tls: TlsConfig) -> grpc.ServerCredentials:
    """Credentials that follow changes of the files of `tls`; with `client_ca_file` clients need a certificate (mTLS).

    Raises:
        ConfigError: the files cannot be read, or do not belong together.
    """
    files = _Files(tls)
    try:
        initial = files.configuration()
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(error, tls) from None
    return grpc.dynamic_ssl_server_credentials(
        initial, files.renewed, require_client_authentication=tls.client_ca_file is not None
    )


def ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    """The same for HTTP: a context that switches a handshake to a new context when the files of `tls` changed.

    Raises:
        ConfigError: the files cannot be read, or do not belong together.
    """
    files = _Files(tls)
    try:
        files.configuration()
        first = current = _context(tls)
    except OSError as error:
        raise _unusable(error, tls) from None

    def use_current(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        nonlocal current
        if files.renewed() is not None:
            current = _context(tls)
        connection.context = current

    first.sni_callback = use_current
    return first


def _context(tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.cert_file, tls.key_file)
    if tls.client_ca_file:
        context.load_verify_locations(tls.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.num_tickets = 0  # a resumed session would not present its certificate again
    return context


def _unusable(error: OSError, tls: TlsConfig) -> ConfigError:
    files = ", ".join(_names(tls))
    return ConfigError(
        f"tls: expected readable PEM files that belong together, got {error.strerror or error} in {files}; correct them"
    )


def _names(tls: TlsConfig) -> list[str]:
    return [name for name in (tls.cert_file, tls.key_file, tls.client_ca_file) if name]


class _Files:
    def __init__(self, tls: TlsConfig) -> None:
        self._tls = tls
        self._seen: _State | None = None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """The present content of the files."""
        tls = self._tls
        self._seen = self._state()
        # For wrong files gRPC reports only that it could not bind; this check reports what is wrong with them.
        ssl.create_default_context(cafile=tls.client_ca_file).load_cert_chain(tls.cert_file, tls.key_file)
        key, chain = Path(tls.key_file).read_bytes(), Path(tls.cert_file).read_bytes()
        client_ca = Path(tls.client_ca_file).read_bytes() if tls.client_ca_file else None
        return grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The content of the files if they changed since the last call; gRPC calls this for each handshake."""
        try:
            if self._state() == self._seen:
                return None
            configuration = self.configuration()
        except OSError as error:
            logger.warning("tls: the files changed and do not belong together, the previous ones are used: %s", error)
            return None
        logger.info("tls: renewed certificates are used")
        return configuration

    def _state(self) -> _State:
        return tuple(_version(Path(name)) for name in _names(self._tls))


def _version(path: Path) -> tuple[int, int]:
    """Changes whenever the file is written or replaced; a missing file, during a renewal, has a version too."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)
