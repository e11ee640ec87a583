"""Admission control: the bytes in flight are bounded, and no tenant can use up the budget of the others.

Theory of operation: dynamic thresholds, as network switches use them for shared buffers (Choudhury and Hahne, 1998). A
tenant may hold at most `_SHARE` times what would be left free. A single tenant gets four fifths of the budget, two busy
tenants get four ninths each, ten get four forty-firsts each: a new tenant always has room, and no state is kept for a
tenant that holds nothing. Such a tenant may have one request of any size while the budget itself has room for it;
otherwise a large request would wait until the receiver is idle.

A tenant is `endpoint/deployment` of the first resource of a request. A gateway that puts many deployments into one
request makes them share one tenant's room.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from ..exceptions import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["MAX_REQUESTS", "Admission"]

_SHARE: Final = 4
LARGE_GROWTH_BYTES: Final = 16 * 1024 * 1024
MAX_REQUESTS: Final = 20_000
"""Limit for requests in flight of any size: each holds a few KiB in addition to its bytes."""


class Admission:
    """Counts the bytes of requests that are admitted and not yet resolved.

    Args:
        budget: most bytes in flight.

    Attributes:
        requests: how many there are.
        in_flight_bytes: their bytes.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._large_growth = asyncio.Lock()
        self._tenants: dict[str, int] = {}
        self.requests = 0
        self.in_flight_bytes = 0

    def admit(self, tenant: str, size: int, requests: int = 1) -> None:
        """Take `size` bytes of the budget for requests of `tenant`; every call that returns needs one `release`.

        Raises:
            OverloadedError: the budget, or the tenant's share of it, is used up; a retry a moment later may succeed.
        """
        held = self._tenants.get(tenant, 0)
        left = self._budget - self.in_flight_bytes - size
        if left < 0 or self.requests + requests > MAX_REQUESTS:
            raise OverloadedError(
                f"expected at most {self._budget} bytes and {MAX_REQUESTS} requests in flight, got {size} more on top "
                f"of {self.in_flight_bytes} in {self.requests} requests; send again in a moment"
            )
        if held and held + size > _SHARE * left:
            raise OverloadedError(
                f"expected at most {_SHARE} times the free room ({left} bytes) in flight for {tenant!r}, got {size} "
                f"more on top of {held}: the rest is kept for other deployments; send again in a moment"
            )
        self._tenants[tenant] = held + size
        self.requests += requests
        self.in_flight_bytes += size

    def release(self, tenant: str, size: int, requests: int = 1) -> None:
        """Give back what `admit` took; a tenant that holds nothing is removed."""
        self.requests -= requests
        self.in_flight_bytes -= size
        held = self._tenants.get(tenant, 0) - size  # absent while it holds empty requests only
        if held:
            self._tenants[tenant] = held
        else:
            self._tenants.pop(tenant, None)

    @asynccontextmanager
    async def growth(self, tenant: str, size: int) -> AsyncIterator[None]:
        """Count bytes that an admitted request takes beyond its size, while they are stored.

        Large ones wait for each other, and leave a fifth of the budget: the bytes that one deployment's lines take must
        not make the receiver refuse the requests of others.
        """
        async with self._large_growth if size > LARGE_GROWTH_BYTES else nullcontext():
            counted = max(0, min(size, self._budget * _SHARE // (_SHARE + 1) - self.in_flight_bytes))
            self.in_flight_bytes += counted
            self._tenants[tenant] = self._tenants.get(tenant, 0) + counted
            try:
                yield
            finally:
                self.requests += 1
                self.release(tenant, counted)
