"""Several stores behind the contract of one: names below `_at/{mount}/` go to another store, all others to the default.

No endpoint's name can begin with `_`, so no name that a client chooses leads to a mounted store: only the roots do that
the operator's deployment files give to collections (`layout/destination.py`).

A mounted store's failure says whose it is, and stays its own: see `DatastoreError`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..exceptions import DatastoreCheckError, DatastoreError, StoreCheckError, StoreError
from .store import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .store import BlobState, Store, StoredObject

__all__ = ["RoutingStore", "mounted"]

_PREFIX: Final = "_at/"


def mounted(mount: str, path: str) -> str:
    """The folder `path` of the store that is mounted as `mount`, as a name of the `RoutingStore`."""
    return f"{_PREFIX}{mount}/{path}" if path else f"{_PREFIX}{mount}"


class RoutingStore:
    """A store with others mounted into it; see `Store` for every method that is not explained here.

    Args:
        default: takes every name that is not below a mount; also what `walk` shows.
    """

    def __init__(self, default: Store) -> None:
        self._default = default
        self._mounts: dict[str, Store] = {}

    def __repr__(self) -> str:
        return f"RoutingStore({self._default!r}, mounts={list(self._mounts)!r})"

    def mount(self, mount: str, store: Store) -> None:
        """Take names below `_at/{mount}/` to `store`, which is closed with this one.

        Raises:
            ValueError: `mount` is no single segment of a name, or taken.
        """
        if "/" in checked_name(mount) or mount in self._mounts:
            raise ValueError(f"expected a new name without '/' for a mount, got {mount!r}: choose another")
        self._mounts[mount] = store

    def has(self, mount: str) -> bool:
        """Whether something is mounted so."""
        return mount in self._mounts

    async def check(self) -> None:
        """Check the default store, then every other; the error names the one that fails."""
        await self._default.check()
        for mount, store in self._mounts.items():
            await check_mount(mount, store)

    async def blobs(self, prefix: str) -> Sequence[str]:
        """See `Store.blobs`."""
        with self._at(prefix) as (store, rest):
            names = await store.blobs(rest)
        start = prefix[: len(prefix) - len(rest)]
        return [start + name for name in names]

    async def walk(self, folder: str) -> Sequence[StoredObject]:
        """Everything below `folder` in the default store: an audit is told one store at a time."""
        return await self._default.walk(folder)

    async def create(self, name: str) -> BlobState | None:
        """See `Store.create`."""
        with self._at(name) as (store, rest):
            return await store.create(rest)

    async def state(self, name: str) -> BlobState | None:
        """See `Store.state`."""
        with self._at(name) as (store, rest):
            return await store.state(rest)

    async def read(self, name: str, start: int, end: int) -> bytes:
        """See `Store.read`."""
        with self._at(name) as (store, rest):
            return await store.read(rest, start, end)

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        """See `Store.append`."""
        with self._at(name) as (store, rest):
            return await store.append(rest, state, block)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """See `Store.put`."""
        with self._at(name) as (store, rest):
            return await store.put(rest, content, content_type)

    async def close(self) -> None:
        """Close all stores."""
        await asyncio.gather(*(store.close() for store in (self._default, *self._mounts.values())))

    @contextmanager
    def _at(self, name: str) -> Iterator[tuple[Store, str]]:
        """The store that has `name`, and how it is called there; its failures are told apart."""
        if not name.startswith(_PREFIX):
            yield self._default, name
            return
        mount, _, rest = name.removeprefix(_PREFIX).partition("/")
        if mount not in self._mounts:
            raise ValueError(f"expected a name below one of {list(self._mounts)!r}, got {name!r}: mount its store")
        with _named(mount):
            yield self._mounts[mount], rest


async def check_mount(mount: str, store: Store) -> None:
    """Prove that blobs can be written to a store.

    Raises:
        DatastoreCheckError: they cannot; the message names the datastore.
    """
    with _named(mount):
        await store.check()


@contextmanager
def _named(mount: str) -> Iterator[None]:
    try:
        yield
    except StoreCheckError as error:
        raise DatastoreCheckError(mount, str(error)) from None
    except StoreError as error:
        raise DatastoreError(mount, str(error)) from None
