"""Turns: how many blocks are stored at the same time, of one tenant and in total, in a fair order.

A request may have lines for thousands of folders. Without turns, the first requests of all of them would wait in the
store's threads or connections, and every other tenant behind them. With turns, a tenant has a few blocks under way; its
other folders wait here, and tenants whose turns are all taken are served one after the other.

A block that takes long (its store does not answer) gives its turn back after some time and goes on without: tenants
with stores that hang must not use up the turns of the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["FairTurns", "Turn"]


@dataclass(slots=True)
class _Tenant:
    """The turns of one tenant.

    Attributes:
        taken: turns that it has.
        waiting: who waits for one.
        is_next: whether it is in `FairTurns._next`.
    """

    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    is_next: bool = False


class FairTurns:
    """The turns of all tenants.

    Args:
        most: turns that are taken at the same time.
        most_of_tenant: turns that one tenant may take of them.
        seconds: how long a turn is kept.
    """

    def __init__(self, most: int, most_of_tenant: int, seconds: float) -> None:
        self._most = most
        self._most_of_tenant = most_of_tenant
        self._seconds = seconds
        self._taken = 0
        self._tenants: dict[str, _Tenant] = {}
        self._next: deque[str] = deque()  # tenants that wait and may take a turn

    def turn(self, tenant: str) -> Turn:
        """A turn of `tenant`: a context manager that can be entered again after it was left."""
        return Turn(self, tenant, self._seconds)

    async def take(self, tenant: str) -> None:
        """Wait for a turn, and take it."""
        one = self._tenants.setdefault(tenant, _Tenant())
        if self._taken < self._most and one.taken < self._most_of_tenant and not one.waiting:
            self._taken += 1
            one.taken += 1
            return
        given = asyncio.get_running_loop().create_future()
        one.waiting.append(given)
        self._queue(tenant, one)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.give_back(tenant)
            raise

    def give_back(self, tenant: str) -> None:
        """Give a turn back; the next tenant in the order takes it."""
        one = self._tenants[tenant]
        self._taken -= 1
        one.taken -= 1
        self._queue(tenant, one)
        while self._next and self._taken < self._most:
            name = self._next.popleft()
            following = self._tenants[name]
            following.is_next = False
            while following.waiting:
                given = following.waiting.popleft()
                if not given.done():  # it may have been cancelled
                    self._taken += 1
                    following.taken += 1
                    given.set_result(None)
                    break
            self._queue(name, following)
        if not one.taken and not one.waiting:
            self._tenants.pop(tenant, None)

    def _queue(self, tenant: str, one: _Tenant) -> None:
        if one.waiting and one.taken < self._most_of_tenant and not one.is_next:
            one.is_next = True
            self._next.append(tenant)


class Turn:
    """One turn; see `FairTurns.turn`."""

    __slots__ = ("_has", "_seconds", "_tenant", "_timer", "_turns")

    def __init__(self, turns: FairTurns, tenant: str, seconds: float) -> None:
        self._turns = turns
        self._tenant = tenant
        self._seconds = seconds
        self._has = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._turns.take(self._tenant)
        self._has = True
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end()

    def _end(self) -> None:
        if self._has:
            self._has = False
            self._turns.give_back(self._tenant)
