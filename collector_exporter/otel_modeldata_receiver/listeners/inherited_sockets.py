"""Listening sockets that another process holds, so that a restart of the receiver refuses no connection.

A service manager binds the socket and passes it on (systemd's `sd_listen_fds`): the sockets are the file descriptors
from 3 on, `LISTEN_FDS` is their number, and `LISTEN_PID` the process they are for. While the receiver restarts, the
kernel keeps connections in the queue of the socket, and the next process accepts them. systemd does this for a
`.socket` unit. (`systemd-socket-activate` passes a socket too, but it becomes the command: the socket ends with it.)

Only the HTTP listeners take such sockets: gRPC cannot, and its senders (the SDK, a gateway) try again by themselves.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["inherited_socket"]

_FIRST: Final = 3
"""sd_listen_fds(3): SD_LISTEN_FDS_START."""


def inherited_socket(host: str, port: int) -> socket.socket | None:
    """The socket for an address that this process inherited; None where it has none.

    The returned object owns a copy of the descriptor: closing it does not close the inherited one.
    """
    for descriptor in _descriptors():
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.family in {socket.AF_INET, socket.AF_INET6} and _is_at(found, host, port):
                found.setblocking(False)
                return found.dup()
    return None


def _descriptors() -> Iterator[int]:
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        count = os.environ.get("LISTEN_FDS", "")
        yield from range(_FIRST, _FIRST + int(count) if count.isascii() and count.isdigit() else _FIRST)


def _is_at(found: socket.socket, host: str, port: int) -> bool:
    """Whether a socket listens on the address."""
    address, bound = found.getsockname()[:2]
    if bound != port or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    wanted = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return address in wanted
