"""Messages between the receiver and its mapping process: a pickled header, and large parts beside it.

Both ends are this program, on a socket that no other process has. Parts are received into the bytes that they become:
none of them is copied, and other threads go on meanwhile.
"""

from __future__ import annotations

import contextlib
import pickle
import select
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Connection"]

_SIZES: Final = struct.Struct("!II")
"""Bytes of the header, and how many parts follow."""
_SIZE: Final = struct.Struct("!Q")


class Connection:
    """One end of the socket; used by one thread that sends and one that receives.

    Args:
        end: a connected stream socket in blocking mode.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._poll = select.poll()  # `select.select` takes no descriptors above 1023
        self._poll.register(end, select.POLLIN)

    def send(self, header: object, parts: Sequence[bytes] = ()) -> None:
        """Send a message.

        Raises:
            OSError: the other end is closed.
        """
        encoded = pickle.dumps(header, pickle.HIGHEST_PROTOCOL)
        sizes = b"".join(_SIZE.pack(len(part)) for part in parts)
        self._end.sendall(_SIZES.pack(len(encoded), len(parts)) + sizes + encoded)
        for part in parts:
            self._end.sendall(part)

    def receive(self) -> tuple[Any, list[bytes]]:
        """The header and the parts of the next message.

        Raises:
            EOFError: the other end is closed.
            OSError: this end is closed.
        """
        header_size, count = _SIZES.unpack(self._bytes(_SIZES.size))
        sizes = [size for (size,) in _SIZE.iter_unpack(self._bytes(_SIZE.size * count))]
        header = pickle.loads(self._bytes(header_size))  # noqa: S301 (the other end is this program)
        return header, [self._bytes(size) for size in sizes]

    def has_message(self) -> bool:
        """Whether a message, or the end, waits to be received."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close this end; a call of `receive` on another thread ends."""
        with contextlib.suppress(OSError):  # the other end closed it already
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _bytes(self, size: int) -> bytes:
        received = self._end.recv(size, socket.MSG_WAITALL) if size else b""
        while len(received) < size:  # a signal interrupted it
            more = self._end.recv(size - len(received), socket.MSG_WAITALL)
            if not more:
                raise EOFError
            received += more
        return received
