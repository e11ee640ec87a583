"""Where Studio listens, and what a request must have there: nothing on this machine, a token elsewhere."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.loopback import is_loopback

from ...exceptions import ConfigError, StoreCheckError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

__all__ = ["Address", "address_argument", "bound", "token_of"]

DEFAULT_PORT: Final = 4390
_SHORTEST_TOKEN: Final = 16
_LONGEST_TOKEN: Final = 4096
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int
    is_default: bool = field(default=False)
    """Then another port will do where this one is taken."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


DEFAULT: Final = Address(host="127.0.0.1", port=DEFAULT_PORT, is_default=True)


def address_argument(text: str) -> Address:
    """The address in `127.0.0.1:4390`, `[::1]:0` or `0.0.0.0:80`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    # An IPv6 address has brackets, as in a URL: "::1" could be the host "::" or a port too few.
    is_host = bool(bare) and (":" not in host or host == f"[{bare}]")
    if not (colon and is_host and port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise argparse.ArgumentTypeError(
            f"expected HOST:PORT, got {text!r}: write 127.0.0.1:{DEFAULT_PORT}, [::1]:{DEFAULT_PORT}, or "
            f"0.0.0.0:{DEFAULT_PORT} for every address; port 0 is a free one"
        )
    return Address(host=bare, port=int(port))


def bound(address: Address) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        StoreCheckError: it cannot be listened on.
    """
    try:
        return _bound(address.host, address.port)
    except OSError as error:
        if address.is_default:
            return _bound(address.host, 0)
        raise StoreCheckError(
            f"expected to listen on {address.host}:{address.port}, got {error.strerror or error}: choose another with "
            "--listen HOST:PORT; port 0 is a free one"
        ) from None


def _bound(host: str, port: int) -> socket.socket:
    import socket  # noqa: PLC0415 (not for the help)

    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def token_of(address: Address, file: Path | None) -> str | None:
    """What every request must have: that of a file, else a new one where others can connect.

    Raises:
        ConfigError: the file cannot be read, or has none that is long enough.
    """
    if file is None:
        if address.is_local:
            return None
        import secrets  # noqa: PLC0415 (not for the help)

        return secrets.token_urlsafe(24)
    try:
        with file.open(encoding="utf-8") as opened:
            token = opened.read(_LONGEST_TOKEN + 1).strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"expected a token in {str(file)!r}, got {reason}: write one line into it") from None
    if not (_SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()):
        raise ConfigError(
            f"expected a token of {_SHORTEST_TOKEN} or more ASCII characters in one line of {str(file)!r}, got another "
            "text: make one with openssl rand -hex 24"
        )
    return token
