"""The lock that commands hold while they change what a store has already: rows that are erased, hours made compact.

Receivers take no part: they only append, under the rule of positions. The lock is in the store, so that two hosts know
of each other. It ends by itself when its holder dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ...exceptions import StoreError
from ..store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOCK_NAME", "LockHeldError", "LockLostError", "LockableStore", "StoreLock", "held_by"]

LOCK_NAME: Final = "_maintenance/lock"
"""The object whose holder may change the store. No endpoint can have the first name: it begins with an underscore."""


class LockHeldError(StoreError):
    """Another command holds the lock."""


class LockLostError(StoreError):
    """The lock has ended while its holder was working: the process was suspended, or the store was out of reach."""


class StoreLock(Protocol):
    """A lock that is held."""

    async def check(self) -> None:
        """Prove that it is still held; called before each step that others can see.

        Raises:
            LockLostError: it has ended.
        """

    async def release(self) -> None:
        """End it; a lock that has ended is no error."""


class LockableStore(Store, Protocol):
    """A store as commands work with it: it has a lock, and can be listed level by level."""

    async def folders(self, folder: str) -> Sequence[str]:
        """The names of the folders directly below `folder`, in ascending order; "" is the whole store.

        Links are left out. A folder that does not exist has none.
        """

    async def lock(self, holder: str) -> StoreLock:
        """Take the lock of the store.

        Args:
            holder: what its holder does, and where: for the message of another one.

        Raises:
            LockHeldError: another command holds it.
            StoreError: the store does not answer, or may not be written to.
        """


def held_by(holder: str, until: str) -> LockHeldError:
    """The error for a lock that another command holds."""
    known = holder if holder.isprintable() and 0 < len(holder) <= _LONGEST_HOLDER else "another command"
    return LockHeldError(
        f"expected that nothing else changes the store, got {known}: try again when it has ended{until}"
    )


_LONGEST_HOLDER: Final = 200
