"""The credentials of a connection: certificate files and a token file, read into memory only if gRPC can use them.

gRPC ends the whole process (SIGABRT) for half of a client certificate and for an empty file, and reports other files
that it cannot read only as a failed connection. So every file is read with Python's `ssl` first.

The files are read again while the process lives (`credential_renewal.py`): certificates are renewed and tokens
rotate. A renewal may write two files one after the other, and may be in progress. `read` accepts only contents that
fit together and did not change while they were read.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigError
from ..validation.problems import Problem, may_be_token
from .variables import CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY, TOKEN_FILE, Variable

if TYPE_CHECKING:
    import ssl

_BOM: Final = b"\xef\xbb\xbf"
"""Editors on Windows write it; gRPC then does not find the first certificate."""
_TOKEN: Final = re.compile(r"[!-~][ -~]*")
_MAX_BYTES: Final = 8 * 2**20
"""The bundle of all public authorities has 0.3 MiB."""
_OF_ANOTHER_CERTIFICATE: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""Of OpenSSL, for a key of another certificate: the last one if it is of another kind, such as RSA and EC."""
_TRIES: Final = 3
"""How often files that change while they are read are read again."""

Contents = tuple[bytes | None, bytes | None, bytes | None, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a connection is opened with; secret, hence not in `repr`.

    Attributes:
        authority: PEM of the authorities that may have signed the server's certificate; None means gRPC's own list.
        client_key: PEM of the client's private key, for mTLS.
        client_certificate: PEM of the client's certificate and its chain, for mTLS.
        authorization: value of the header `authorization`, from the token file.
    """

    authority: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    client_certificate: bytes | None = field(default=None, repr=False)
    authorization: str | None = field(default=None, repr=False)

    def is_same_channel(self, other: Credentials) -> bool:
        """Whether a channel opened with these also serves `other`: only the token differs, if anything."""
        return (self.authority, self.client_key, self.client_certificate) == (
            other.authority,
            other.client_key,
            other.client_certificate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFiles:
    """The files that credentials are read from; None for each that is not used.

    Attributes:
        authority: certificates of authorities.
        client_key: private key of the client.
        client_certificate: certificate of the client.
        token: a bearer token.
    """

    authority: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    token: str | None = None

    def __bool__(self) -> bool:
        """Whether there is any file."""
        return any(path is not None for path, _ in self._named())

    def _named(self) -> tuple[tuple[str | None, Variable], ...]:
        return (
            (self.authority, CERTIFICATE),
            (self.client_key, CLIENT_KEY),
            (self.client_certificate, CLIENT_CERTIFICATE),
            (self.token, TOKEN_FILE),
        )

    def contents(self) -> Contents:
        """The bytes of each file.

        Raises:
            ConfigError: lists every file that cannot be read.
        """
        found: list[bytes | None] = []
        problems = []
        for path, variable in self._named():
            try:
                found.append(None if path is None else _bytes(path))
            except (OSError, ValueError) as error:
                problems.append(_unreadable(variable, path or "", error))
        if problems:
            raise ConfigError(*problems)
        authority, key, certificate, token = found
        return authority, key, certificate, token

    def read(self) -> Credentials:
        """The credentials, after a check that gRPC can use them.

        Raises:
            ConfigError: lists everything that is wrong with the files, without their content.
        """
        contents = self.contents()
        for _ in range(_TRIES):
            problems = self._problems(contents)
            again = self.contents()
            if again == contents:
                break
            contents = again
        else:
            problems = (_problem(CERTIFICATE, None, "files that change while they are read", "try again"),)
        if problems:
            raise ConfigError(*problems)
        return _credentials(contents)

    def hold(self, credentials: Credentials | None) -> bool:
        """Whether the files have these credentials, as far as they can be read.

        Raises:
            ConfigError: lists every file that cannot be read.
        """
        return _credentials(self.contents()) == credentials

    def _problems(self, contents: Contents) -> tuple[Problem, ...]:
        _, key, _, token = contents
        found = []
        if self.authority is not None:
            try:
                _load_certificates(self.authority)
            except (OSError, ValueError) as error:
                got = f"a file without certificates that can be read ({_reason(error)})"
                found.append(_problem(CERTIFICATE, self.authority, got, "correct it"))
        if (self.client_key is None) != (self.client_certificate is None):
            here, missing = (
                (CLIENT_CERTIFICATE, CLIENT_KEY) if self.client_key is None else (CLIENT_KEY, CLIENT_CERTIFICATE)
            )
            message = f"expected {missing.name} beside it, got none: mTLS needs both, so set it, or remove this one"
            found.append(Problem(here.name, message))
        elif self.client_key is not None and self.client_certificate is not None:
            found += _client_problems(self.client_key, self.client_certificate, key or b"")
        if token is not None and _authorization(token) is None:
            got = "a file without a token of printable ASCII characters in one line"
            found.append(_problem(TOKEN_FILE, self.token, got, "correct it"))
        return tuple(found)


def _credentials(contents: Contents) -> Credentials:
    authority, key, certificate, token = contents
    return Credentials(
        authority=authority,
        client_key=key,
        client_certificate=certificate,
        authorization=None if token is None else _authorization(token),
    )


def _client_problems(key_path: str, certificate_path: str, key: bytes) -> list[Problem]:
    if b"ENCRYPTED" in key:
        return [_problem(CLIENT_KEY, key_path, "a key with a password", "remove the password (openssl pkey)")]
    try:
        # Without the callback, OpenSSL asks for a password on the terminal.
        _context().load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (OSError, ValueError) as error:
        if any(reason in str(error) for reason in _OF_ANOTHER_CERTIFICATE):
            got = f"a key that does not belong to the certificate in {CLIENT_CERTIFICATE.name}"
            return [_problem(CLIENT_KEY, key_path, got, "name two files that belong together")]
        if _is_certificate(certificate_path):
            got = f"a file without a private key that can be read ({_reason(error)})"
            return [_problem(CLIENT_KEY, key_path, got, "correct it")]
        got = f"a file without a certificate that can be read ({_reason(error)})"
        return [_problem(CLIENT_CERTIFICATE, certificate_path, got, "correct it")]
    return []


def _is_certificate(path: str) -> bool:
    try:
        _load_certificates(path)
    except (OSError, ValueError):
        return False
    return True


def _load_certificates(path: str) -> None:
    """Raises OSError or ValueError unless a file has a certificate: OpenSSL also takes lists of revoked ones alone."""
    context = _context()
    context.load_verify_locations(path)
    if not context.cert_store_stats()["x509"]:
        raise ValueError("only lists of revoked certificates")


def _context() -> ssl.SSLContext:
    """A context that accepts every key gRPC accepts; OpenSSL itself refuses short keys."""
    import ssl  # noqa: PLC0415 - only processes that use TLS pay for it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLError):  # a library other than OpenSSL does not know the level
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _reason(error: Exception) -> str:
    if not hasattr(error, "reason"):  # not of OpenSSL
        return str(error)
    return (error.reason or "not PEM").replace("_", " ").lower()


def _bytes(path: str) -> bytes:
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("a folder" if Path(path).is_dir() else "something other than a file")  # a pipe would block
    with Path(path).open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} bytes")
    return content.removeprefix(_BOM)


def _authorization(token: bytes) -> str | None:
    """The header's value: the content with a scheme in front, unless it has one."""
    try:
        text = token.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    if _TOKEN.fullmatch(text) is None:
        return None
    return text if " " in text else f"Bearer {text}"


def _unreadable(variable: Variable, path: str, error: OSError | ValueError) -> Problem:
    if isinstance(error, FileNotFoundError) and may_be_token(path):
        got = "a name that may be the secret itself, so it is not shown"
        return _problem(variable, None, got, "write the secret to a file, and set this to its path")
    return _problem(variable, path, str(error) or type(error).__name__, "correct the path")


def _problem(variable: Variable, path: str | None, got: str, cure: str) -> Problem:
    where = "" if path is None else f" in {path!r}"
    return Problem(variable.name, f"expected {variable.unit}{where}, got {got}: {cure}")
