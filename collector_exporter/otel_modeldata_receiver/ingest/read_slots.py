"""Concurrency limit for reading: how many requests are read at a time, and how long a sender may take.

Theory of operation. Whether a request is admitted depends on its size, which is not known before it is read. gRPC holds
back what is not read (flow control: a window of 64 KiB and more for each call; a thousand waiting calls took 200 MiB in
a test), so the memory that is used before admission is bounded by reading few messages at a time: `SLOTS` of them, each
at most one message and its decompressed content. From then on `admission.py` counts it.

Senders that stop in the middle of a message would fill the slots. Therefore a read that lasts longer than
`QUICK_SECONDS` is a slow one, and while others wait, slow reads may keep `SLOW_SLOTS` of the slots. If there is one
more, one slow read ends: the oldest if it has had `FAIR_SECONDS`, else the newest. The other slots soon become free and
are given to the newest waiting call, so slow reads delay only slow reads. While no call waits, each read may take
`MOST_SECONDS`.

This module depends on no protocol; it only expects that a read may end without a message.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..exceptions import NoRequestError, OverloadedError, SlowSenderError
from ..time_limit import Interruption, timeout
from .shared_timer import SharedTimer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["FAIR_SECONDS", "MOST_SECONDS", "MOST_WAITING", "QUICK_SECONDS", "SLOTS", "SLOW_SLOTS", "ReadSlots"]

SLOTS: Final = 16
SLOW_SLOTS: Final = 12
"""More than one gateway sends at a time (10 by default), so its large requests over slow networks do not end each
other."""
QUICK_SECONDS: Final = 0.03
FAIR_SECONDS: Final = 5.0
MOST_SECONDS: Final = 20.0
"""Time limit for reading a message, waiting included: 72 MiB need 30 Mbit/s. Below the gateway's timeout of 30 s."""
MOST_WAITING: Final = 10_000
"""Limit for calls that wait for a slot; each holds a few KiB and no message."""


class ReadSlots:
    """Reads the messages of calls.

    Args:
        max_bytes: the largest message that the listeners let through, for the error.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._free = SLOTS
        self._waiting: list[asyncio.Future[None]] = []
        self._quick = SharedTimer[_Read](QUICK_SECONDS, self._mark_slow)
        self._slow: dict[_Read, float] = {}
        """Since when each of them is slow."""

    async def take(self, read: Callable[[], Awaitable[object]]) -> bytes:
        """Read a message; its slot is held until `release`, before which the caller should wait for no other peer.

        Args:
            read: reads one message from the sender; anything but bytes is the end of the call.

        Raises:
            NoRequestError: the call ended first; no slot is held, as for the other errors.
            SlowSenderError: it took too long.
            OverloadedError: too many calls wait already.
        """
        loop = asyncio.get_running_loop()
        reading = _Read(loop)
        message: object = None
        is_ended = False
        try:
            if self._free:
                self._free -= 1
            else:
                async with timeout(MOST_SECONDS):
                    await self._wait_for_slot()
                reading.end_at(reading.started + MOST_SECONDS)
            self._quick.add(reading)
            try:
                message = await read()
            finally:
                self._quick.discard(reading)
                self._slow.pop(reading, None)
                is_ended = reading.ended()
                if not isinstance(message, bytes):
                    self.release()
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not is_ended:
                raise
            seconds = loop.time() - reading.started
            raise SlowSenderError(
                f"expected a whole request within {MOST_SECONDS} s, or sooner while others wait, got none in "
                f"{seconds:.1f} s; send again, in smaller requests on a slow network"
            ) from None
        if not isinstance(message, bytes):
            raise NoRequestError(
                f"expected a request of at most {self._max_bytes} bytes, got none: it was larger than that, "
                "or its sender went away"
            )
        return message

    def release(self) -> None:
        """Give the slot to the newest waiting call; calls that gave up have removed themselves, or do so next."""
        for turn in reversed(self._waiting):
            if not turn.done():
                self._waiting.remove(turn)
                turn.set_result(None)
                return
        self._free += 1

    async def _wait_for_slot(self) -> None:
        """Wait until another call releases its slot to this one."""
        if len(self._waiting) >= MOST_WAITING:
            raise OverloadedError(f"expected at most {MOST_WAITING} calls that wait to be read, got more; send again")
        self._end_one_slow_read()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # this call got a slot at the same moment
                self.release()
            raise

    def _mark_slow(self, reading: _Read) -> None:
        reading.end_at(reading.started + MOST_SECONDS)
        self._slow[reading] = asyncio.get_running_loop().time()
        if self._waiting:
            self._end_one_slow_read()

    def _end_one_slow_read(self) -> None:
        """End one slow read if there are too many of them."""
        if len(self._slow) <= SLOW_SLOTS:
            return
        now = asyncio.get_running_loop().time()
        oldest = next(iter(self._slow))
        had_fair_time = now - self._slow[oldest] >= FAIR_SECONDS - QUICK_SECONDS
        ended = oldest if had_fair_time else next(reversed(self._slow))
        del self._slow[ended]
        ended.end_at(now)


class _Read(Interruption):
    """A read under way, from the moment at which its call wants a slot."""

    __slots__ = ("_timer", "started")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.started = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def end_at(self, when: float) -> None:
        """Interrupt it at a moment, instead of one that was said before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self.interrupt)

    def ended(self) -> bool:
        """Note that it has ended; whether by `interrupt`."""
        if self._timer is None:  # nearly all
            return False
        self._timer.cancel()
        return super().ended()
