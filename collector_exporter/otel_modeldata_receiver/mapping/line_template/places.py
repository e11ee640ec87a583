"""A bounded memory that deployments share, in which what one of them adds takes a few places only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Places"]

_Key = TypeVar("_Key")


class Places(Generic[_Key]):
    """What was used most recently; the rest is forgotten.

    What one deployment added, and no other one used, has few places. So a deployment whose records are always different
    makes this memory forget what itself added, not what serves others.

    Args:
        most: places in all.
        most_of_one: places of one deployment.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most: Final = most
        self._most_of_one: Final = most_of_one
        self._tenants: dict[_Key, str | None] = {}
        """Who added it, the oldest first; None after another one used it."""
        self._counts: dict[str, int] = {}
        """How many places each of them has: thousands of additions must not look at all places each time."""

    def __iter__(self) -> Iterator[_Key]:
        """What was used last comes first."""
        return reversed(self._tenants)

    def __len__(self) -> int:
        """How many places are taken."""
        return len(self._tenants)

    def add(self, key: _Key, tenant: str) -> _Key | None:
        """Remember what `tenant` added; returns what is forgotten for it."""
        lost = None
        if self._counts.get(tenant, 0) >= self._most_of_one:
            lost = next(known for known, one in self._tenants.items() if one == tenant)
        elif len(self._tenants) >= self._most:
            lost = next(iter(self._tenants))
        if lost is not None:
            self.forget(lost)
        self._tenants[key] = tenant
        self._counts[tenant] = self._counts.get(tenant, 0) + 1
        return lost

    def use(self, key: _Key, tenant: str) -> None:
        """`tenant` uses what is remembered."""
        added_by = self._tenants.pop(key)
        if added_by is not None and added_by != tenant:
            self._free_one(added_by)
            added_by = None
        self._tenants[key] = added_by

    def forget(self, key: _Key) -> None:
        """Free a place, if it is taken."""
        tenant = self._tenants.pop(key, None)
        if tenant is not None:
            self._free_one(tenant)

    def _free_one(self, tenant: str) -> None:
        """One place less counts for `tenant`."""
        left = self._counts.pop(tenant) - 1
        if left:
            self._counts[tenant] = left
