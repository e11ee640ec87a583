"""Several stores behind the interface of one: names below `_at/{mount}/` are in a mounted store, others in the default.

The name of an endpoint cannot begin with `_`, so no name that a client chooses leads to a mounted store. Only the roots
that the operator's deployment files give to collections do (`layout/destination.py`).

The error of a mounted store names the datastore and does not affect the others: see `DatastoreError`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..exceptions import DatastoreCheckError, DatastoreError, StoreCheckError, StoreError
from .store import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .store import BlobState, Store, StoredObject

__all__ = ["MountedStores", "check_mount", "mount_of", "mounted_path"]

_PREFIX: Final = "_at/"


def mounted_path(mount: str, path: str) -> str:
    """The folder `path` of the store that is mounted as `mount`, as a name in `MountedStores`."""
    return f"{_PREFIX}{mount}/{path}" if path else f"{_PREFIX}{mount}"


def mount_of(name: str) -> str | None:
    """The mount that has `name`; None for a name in the default store."""
    return name.removeprefix(_PREFIX).partition("/")[0] if name.startswith(_PREFIX) else None


class MountedStores:
    """A store with others mounted into it; see `Store` for the methods that are not explained here.

    Args:
        default: has every name that is not below a mount; `walk` lists this store only.
    """

    def __init__(self, default: Store) -> None:
        self._default = default
        self._mounts: dict[str, Store] = {}

    def __repr__(self) -> str:
        return f"MountedStores({self._default!r}, mounts={list(self._mounts)!r})"

    def mount(self, mount: str, store: Store) -> None:
        """Mount `store` below `_at/{mount}/`; it is closed with this one.

        Raises:
            ValueError: `mount` is not a single segment of a name, or is taken.
        """
        if "/" in checked_name(mount) or mount in self._mounts:
            raise ValueError(f"expected a new name without '/' for a mount, got {mount!r}: choose another")
        self._mounts[mount] = store

    @property
    def mounts(self) -> Mapping[str, Store]:
        """The mounted stores by their names."""
        return dict(self._mounts)

    def has(self, mount: str) -> bool:
        """Whether a store is mounted under this name."""
        return mount in self._mounts

    async def check(self) -> None:
        """Check the default store; lines of a mounted store that fails are parked."""
        await self._default.check()

    async def blobs(self, prefix: str) -> Sequence[str]:
        """See `Store.blobs`."""
        with self._at(prefix) as (store, rest):
            names = await store.blobs(rest)
        start = prefix[: len(prefix) - len(rest)]
        return [start + name for name in names]

    async def walk(self, folder: str) -> Sequence[StoredObject]:
        """Everything below `folder` in its store; "" is the default store alone: an audit reads one store at a time."""
        if not folder:
            return await self._default.walk(folder)
        with self._at(folder) as (store, rest):
            found = await store.walk(rest)
        start = folder[: len(folder) - len(rest)]
        return [replace(one, name=start + one.name) for one in found] if start else found

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
        if not name.startswith(_PREFIX):  # the usual case
            return await self._default.append(name, state, block)
        with self._at(name) as (store, rest):
            return await store.append(rest, state, block)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """See `Store.put`."""
        with self._at(name) as (store, rest):
            return await store.put(rest, content, content_type)

    def url(self, name: str) -> str:
        """See `Store.url`."""
        with self._at(name) as (store, rest):
            return store.url(rest)

    async def remove(self, name: str, size: int) -> None:
        """See `Store.remove`."""
        with self._at(name) as (store, rest):
            await store.remove(rest, size)

    async def close(self) -> None:
        """Close all stores."""
        await asyncio.gather(*(store.close() for store in (self._default, *self._mounts.values())))

    @contextmanager
    def _at(self, name: str) -> Iterator[tuple[Store, str]]:
        """The store that has `name`, and the name inside it; errors of a mounted store get its name."""
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
