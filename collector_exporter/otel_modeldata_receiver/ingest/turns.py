"""Runs the mapping of requests on the event loop in short turns, so that a long one does not delay the others.

Theory of operation. Mapping takes microseconds a record, and nearly all requests are mapped in one go. What takes
longer than `_TURN_SECONDS` goes on in turns, of which the loop runs one between two looks at its sockets: however many
long requests there are, a short one waits for one turn at each of its steps, not for one turn of each. Long requests
take turns in the order of their arrival.

A request that takes longer than `_MOST_SECONDS`, that has a record which takes long (a structured body of thousands of
values), or that becomes more than one piece is not mapped here, but in the mapping process, from its beginning. In a
process that has none (`listeners/in_process.py`) it goes on in turns, and such a record is mapped in a thread, one at a
time. The turn is given back meanwhile: such a record may take a second, and a request of thousands of ordinary records
needs a hundred turns.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ..mapping.outcomes import Mapped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from ..mapping.event import Outcome
    from ..mapping.outcomes import Step

__all__ = ["TakesLongError", "Turns"]

_TURN_SECONDS: Final = 0.003
_MOST_SECONDS: Final = 0.02


class TakesLongError(Exception):
    """A request takes longer than requests that are mapped on the event loop may; nothing of it was passed on."""


class Turns:
    """The turns of one event loop.

    Args:
        clock: seconds that work takes.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._turn = asyncio.Lock()
        self._thread = asyncio.Lock()
        self._clock = clock

    async def piece(self, steps: Generator[Step, Outcome | Exception | None, None]) -> Mapped:
        """The only piece of a request.

        Raises:
            TakesLongError: it has more pieces, or takes longer than `_MOST_SECONDS`.
        """
        has_turn = False
        piece: Mapped | None = None
        began = self._clock()
        worked: float | None = None
        spent = 0.0
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration:
                    if piece is None:
                        raise TakesLongError from None
                    return piece
                if piece is not None or callable(step):
                    raise TakesLongError
                if step is not None:
                    piece = step
                elif self._clock() - began >= _TURN_SECONDS:
                    # On a busy machine a turn may take long without work. To ask for the time of the thread takes a
                    # microsecond, so the first turn, which is the only one of nearly all requests, is not measured.
                    spent += _TURN_SECONDS if worked is None else time.thread_time() - worked
                    if spent > _MOST_SECONDS:
                        raise TakesLongError
                    await asyncio.sleep(0)  # with the turn, so that no other one begins before the sockets were read
                    if has_turn:
                        self._turn.release()
                        has_turn = False
                    has_turn = await self._turn.acquire()
                    began, worked = self._clock(), time.thread_time()
        finally:
            steps.close()
            if has_turn:
                self._turn.release()

    async def pieces(self, steps: Generator[Step, Outcome | Exception | None, None]) -> AsyncGenerator[Mapped, None]:
        """The pieces of a request; the next one is mapped when it is asked for."""
        has_turn = False
        result: Outcome | Exception | None = None
        began = self._clock()
        try:
            while True:
                try:
                    step = steps.send(result)
                except StopIteration:
                    return
                result = None
                if step is None:
                    if self._clock() - began < _TURN_SECONDS:
                        continue
                    await asyncio.sleep(0)  # with the turn, so that no other one begins before the sockets were read
                    if has_turn:
                        self._turn.release()
                        has_turn = False
                    has_turn = await self._turn.acquire()
                elif isinstance(step, Mapped):
                    if has_turn:
                        self._turn.release()
                        has_turn = False
                    yield step
                else:
                    if has_turn:
                        self._turn.release()
                        has_turn = False
                    async with self._thread:
                        result = await asyncio.get_running_loop().run_in_executor(None, step)
                began = self._clock()
        finally:
            if has_turn:
                self._turn.release()
