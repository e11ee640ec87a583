"""The mapping process itself: `python -m otel_modeldata_receiver.ingest.mapping_process.child FD`.

Theory of operation. Each request is a generator; the process runs those whose next piece was asked for, in turns of a
few milliseconds. Nothing here waits for the store: a piece is made when the receiver asks for it. Of the requests above
`_LARGE_BYTES` one is mapped at a time, and beside it others of `_ROOM_BYTES` together; the rest waits without being
decompressed. So the requests that a gateway sends do not wait for a bomb.

The process ends when the receiver closes the socket. It ignores the signals that end the receiver, which may be sent to
both: the receiver drains first.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import socket
import sys
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from ...exceptions import InternalError, ReceiverError
from ...layout.destination import Destination, Destinations
from ...mapping.outcomes import Mapped
from .frames import Connection
from .job import Opened, Room, job_steps
from .packed_piece import pack

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from ...mapping.bounds.outline import Share
    from ...mapping.event import Outcome
    from .job import JobStep

__all__ = ["main"]

_TURN_SECONDS: Final = 0.003
_LARGE_BYTES: Final = 8 * 1024 * 1024
_ROOM_BYTES: Final = 16 * 1024 * 1024
_NICE: Final = 5
"""The receiver goes first where cores are few."""


class _Work:
    """A request that is mapped, or waits for it."""

    def __init__(self, steps: Generator[JobStep, Outcome | Exception | None, None]) -> None:
        self.steps = steps
        self.room = 0


class MappingLoop:
    """Maps the requests that arrive on a connection, until it ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._works: dict[int, _Work] = {}
        self._ready: deque[int] = deque()
        self._waiting: deque[int] = deque()
        """Requests that wait for room."""
        self._destinations = Destinations()
        self._used: list[Destination] = []
        """Destinations that were used since the last piece, for the first time."""
        self._answers: dict[int, Any] = {}

    def run(self) -> None:
        """Map until the connection ends."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                while not self._ready or self._connection.has_message():
                    self._take()
                self._turn(self._ready.popleft())

    def _take(self) -> None:
        (kind, number, content), parts = self._connection.receive()
        match kind:
            case "destinations":
                self._destinations = Destinations(*content, on_new=self._used.append)
            case "open":
                admit = partial(self._admit, number) if content.has_rates else None
                self._works[number] = _Work(job_steps(content, parts.pop(), self._destinations, admit))
                self._ready.append(number)
            case "next" if number in self._works:
                self._ready.append(number)
            case "close":
                self._end(number)
            case "admitted":
                self._answers[number] = content

    def _admit(self, number: int, shares: Sequence[Share]) -> Mapping[str, str]:
        """Ask the receiver; the few bytes are answered in the time of a turn."""
        self._connection.send(("shares", number, [replace(share, rest=[]) for share in shares]))
        while number not in self._answers:
            self._take()
        answer: Mapping[str, str] | Exception = self._answers.pop(number)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _turn(self, number: int) -> None:
        """Map until there is a piece, or for the time of a turn."""
        work = self._works.get(number)
        if work is None:
            return
        try:
            step = self._next_step(number, work)
        except StopIteration:
            self._connection.send(("end", number, None))
            self._end(number)
        except Exception as error:  # noqa: BLE001 (error boundary: the receiver answers it)
            self._connection.send(("error", number, _sendable(error)))
            self._end(number)
        else:
            if isinstance(step, Opened):
                self._connection.send(("opened", number, step))
            elif step is not None:
                self._send_piece(number, step)

    def _next_step(self, number: int, work: _Work) -> Opened | Mapped | None:
        """What a request has become; None where it goes on in another turn."""
        end = time.perf_counter() + _TURN_SECONDS
        result: Outcome | Exception | None = None
        while True:
            step, result = work.steps.send(result), None
            if isinstance(step, (Opened, Mapped)):
                return step
            if isinstance(step, Room):
                work.room = step.size
                if not self._has_room(work):
                    self._waiting.append(number)
                    return None
            elif step is not None:
                result = step()
            elif time.perf_counter() > end:
                self._ready.append(number)
                return None

    def _has_room(self, work: _Work) -> bool:
        """Whether a request may be mapped beside those that are mapped now."""
        mapped = [one.room for number, one in self._works.items() if one is not work and number not in self._waiting]
        if work.room > _LARGE_BYTES:
            return not any(room > _LARGE_BYTES for room in mapped)
        return sum(room for room in mapped if room <= _LARGE_BYTES) + work.room <= _ROOM_BYTES

    def _send_piece(self, number: int, mapped: Mapped) -> None:
        packed, parts = pack(mapped)
        del mapped
        used, self._used[:] = list(self._used), []
        self._connection.send(("piece", number, (packed, used)), parts)

    def _end(self, number: int) -> None:
        work = self._works.pop(number, None)
        if work is None:
            return
        if number in self._waiting:
            self._waiting.remove(number)
        work.steps.close()
        for one in list(self._waiting):
            if self._has_room(self._works[one]):
                self._waiting.remove(one)
                self._ready.append(one)


def _sendable(error: Exception) -> Exception:
    if isinstance(error, ReceiverError):
        with contextlib.suppress(Exception):
            pickle.loads(pickle.dumps(error))  # noqa: S301
            return error
    return InternalError(f"unexpected {type(error).__name__} in the mapping process; send again")


def main() -> None:
    """Map what arrives on the socket whose descriptor is the first argument; the second is a limit of bytes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))
    with socket.socket(fileno=int(sys.argv[1])) as end:
        MappingLoop(Connection(end)).run()


if __name__ == "__main__":
    main()
