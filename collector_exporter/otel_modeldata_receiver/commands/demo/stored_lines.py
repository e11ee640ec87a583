"""The lines that this run of the demo has in the store, read again and again while they are written.

The store is read by a client of its own, on a thread of its own; neither the SDK nor the receiver is asked. Only bytes
that are new since the last time are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...exceptions import ReceiverError
from ...storage.open_store import open_store
from ...storage.store import BLOB_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...config.receiver import ReceiverConfig
    from ...storage.store import Store, StoredObject

__all__ = ["Blob", "LineKeys", "StoreWatch", "watched_store"]

_POLL_SECONDS: Final = 0.25


class LineKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a line that join it with its pair, its request and its trace."""

    id: str
    correlationid: str
    data: Any = None
    traceparent: str = ""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A blob with whole lines.

    Attributes:
        collection: whose lines it has.
        path: with the store before it.
        size: bytes of the lines.
        lines: in their order.
    """

    collection: str
    path: str
    size: int
    lines: tuple[LineKeys, ...]


class StoreWatch:
    """Counts lines while they are written, and has all of them at the end.

    Args:
        config: has the store, and the instance id of the receiver, with which the names of its blobs begin.
        deployment: `endpoint/deployment`.
        collections: whose lines are read.
    """

    def __init__(self, config: ReceiverConfig, deployment: str, collections: Sequence[str]) -> None:
        self._config = config
        self._deployment = deployment
        self._collections = tuple(collections)
        self._blobs: dict[str, Blob] = {}
        self._stop = threading.Event()
        self._reads_rest = False
        self._error: ReceiverError | None = None
        self._thread = threading.Thread(target=self._run, name="otel-modeldata-demo-store", daemon=True)
        self._thread.start()

    @property
    def stored(self) -> int:
        """Lines that were in the store when it was read last."""
        return sum(len(blob.lines) for blob in tuple(self._blobs.values()))

    @property
    def is_complete(self) -> bool:
        """Whether every collection has lines."""
        return {blob.collection for blob in tuple(self._blobs.values())} == set(self._collections)

    def finish(self) -> list[Blob]:
        """Read once more, and return all blobs by collection and name.

        Raises:
            StoreError: the store cannot be read.
        """
        self._reads_rest = True
        self.close()
        if self._error is not None:
            raise self._error.with_traceback(None)  # else it shows the frames of the thread, and those of a call before
        order = {collection: number for number, collection in enumerate(self._collections)}
        return sorted(self._blobs.values(), key=lambda blob: (order[blob.collection], blob.path))

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        store = open_store(self._config.store)
        try:
            while not await asyncio.to_thread(self._stop.wait, _POLL_SECONDS):
                with contextlib.suppress(ReceiverError):  # the next time, or the last one, says it
                    await self._read_new(store)
            try:
                if self._reads_rest:
                    await self._read_new(store)
            except ReceiverError as error:
                self._error = error
        finally:
            await store.close()

    async def _read_new(self, store: Store) -> None:
        for listed in await store.walk(self._deployment):
            known = self._blobs.get(listed.name) or self._empty(listed)
            if known is not None and listed.size > known.size:
                new = await store.read(listed.name, known.size, listed.size)
                whole = new[: new.rfind(b"\n") + 1]
                lines = tuple(msgspec.json.decode(line, type=LineKeys) for line in whole.split(b"\n")[:-1])
                self._blobs[listed.name] = msgspec.structs.replace(
                    known, size=known.size + len(whole), lines=known.lines + lines
                )

    def _empty(self, listed: StoredObject) -> Blob | None:
        """The blob before it is read; None if it is none of this run."""
        folders, _, name = listed.name.rpartition("/")
        collection = folders.removeprefix(f"{self._deployment}/").partition("/")[0]
        if collection not in self._collections:
            return None
        if not (name.startswith(self._config.instance) and name.endswith(BLOB_SUFFIX)):
            return None
        path = f"{self._config.shown_store.rstrip('/')}/{listed.name}"
        return Blob(collection=collection, path=path, size=0, lines=())


@contextlib.contextmanager
def watched_store(config: ReceiverConfig, deployment: str, collections: Sequence[str]) -> Iterator[StoreWatch]:
    """A watch that ends in any case."""
    watch = StoreWatch(config, deployment, collections)
    try:
        yield watch
    finally:
        watch.close()
