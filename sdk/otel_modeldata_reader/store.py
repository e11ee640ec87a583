"""Opens a store, lists its collections, and begins readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from .blobs.listing import collections_of, date_of, hours_of
from .blobs.store_access import StoreAccess
from .exceptions import UnknownNameError
from .lookup import find_id
from .nearest import nearest
from .reading import Reading, Request
from .window import window_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from types import TracebackType

    from otel_modeldata_receiver.config.store_access import AccessConfig
    from otel_modeldata_receiver.storage.store import StoredObject

    from .blobs.listing import CollectionBlobs
    from .lookup import FoundId
    from .window import Moment

__all__ = ["Collection", "Store", "open_store"]

_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of a store.

    Attributes:
        name: its folder in the store, which `Store.read` takes: `endpoint/deployment/collection`.
        endpoint: empty, like the two others, where the folder is none of the standard layout.
        deployment: of the endpoint.
        collection: such as `model_inputs`.
        first: the beginning of the first folder that has events, in UTC.
        last: the beginning of the last one.
        folders: how many folders have events: an hour without any has none.
        blobs: how many blobs it has.
        size: bytes in them.
        events: lines in them, if they were counted.
    """

    name: str
    endpoint: str
    deployment: str
    collection: str
    first: datetime
    last: datetime
    folders: int
    blobs: int
    size: int
    events: int | None = None


def open_store(url: str | os.PathLike[str], *, access: AccessConfig | None = None) -> Store:
    """Open a store for reading.

    Args:
        url: a folder, `file:///dir`, `az://container/prefix` with the account in the environment, or
            `https://account.blob.core.windows.net/container/prefix`: as for the receiver's `--store`. Also a folder
            inside of a store, as Azure ML's collector writes them: the folder of one collection is the collection ``.
        access: how an account in Azure is opened; by default by what the environment has, else the identity of the
            machine.

    Raises:
        StoreUnavailableError: the URL names no store, or its credentials cannot be used. Whether it exists is known
            when it is read.
    """
    return Store(StoreAccess(str(url), access))


class Store:
    """A store that is only read; `open_store` opens it. It can be sent to other processes."""

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"Store({self._store.shown!r})"

    def __enter__(self) -> Store:  # noqa: PYI034 (`Self` is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release connections and threads; a later call opens them again."""
        self._store.close()

    def collections(self, *, count: bool = False) -> list[Collection]:
        """The collections of the store.

        Args:
            count: whether to count events, which reads every blob.

        Raises:
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        return [self._collection(one, count=count) for one in collections_of(self._store.walk()).values()]

    def read(  # noqa: PLR0913 (most are keywords)
        self,
        collection: str,
        since: Moment = None,
        until: Moment = None,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        envelope: bool = True,
        strict: bool = False,
    ) -> Reading:
        """A reading of one collection; nothing is read before its rows are asked for.

        Args:
            collection: `endpoint/deployment/collection`, as `collections()` names it.
            since: only events from this moment on: `-7d`, a date, a datetime with a zone, or one of them as a text. The
                window is one of event time, half open.
            until: only events before this moment.
            columns: only these columns, in this order.
            where: only rows for which this is true: a condition in SQL, such as `age > 40 AND country = 'ES'`.
            envelope: whether rows have the envelope's columns before their own: row_id, correlationid, time, endpoint,
                deployment, collection, traceparent, modelversion and event_id.
            strict: raise where a line would be skipped or a column would change its type.

        Raises:
            UnknownNameError: no such collection.
            WindowError: a reversed window, or no time.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        window = window_of(since, until)
        name = collection.strip("/")
        found = collections_of(self._store.walk(name)).get(name) if _is_folder(name) else None
        if found is None:
            known = list(collections_of(self._store.walk()))
            if name not in known:
                raise UnknownNameError(
                    f"expected a collection of {self._store.shown}, got {collection!r}: {nearest(name, known)}"
                )
            found = collections_of(self._store.walk())[name]
        return Reading(
            self._store,
            Request(
                collection=found,
                window=window,
                columns=None if columns is None else tuple(columns),
                where=where,
                envelope=envelope,
                strict=strict,
            ),
        )

    def show(self, wanted: str, since: Moment = None, until: Moment = None) -> FoundId:
        """Everything about one id: its events in all collections, by a scan of the bytes.

        Args:
            wanted: a correlation id, a row id, an event id or a trace id.
            since: search only the folders of this window; see `read`.
            until: likewise.

        Raises:
            UnknownNameError: no line has it.
            WindowError: a reversed window, or no time.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        window = window_of(since, until)
        collections = list(collections_of(self._store.walk()).values())
        return find_id(self._store, collections, wanted, lambda one: one.within(window))

    def _collection(self, one: CollectionBlobs, *, count: bool) -> Collection:
        endpoint, deployment, collection = one.names or ("", "", "")
        dates = [hours_of(date_of(blob.name))[0] for blob in one.blobs]
        return Collection(
            name=one.root,
            endpoint=endpoint,
            deployment=deployment,
            collection=collection,
            first=_utc(min(dates)),
            last=_utc(max(dates)),
            folders=len(set(dates)),
            blobs=len(one.blobs),
            size=sum(blob.size for blob in one.blobs),
            events=self._events(one.blobs) if count else None,
        )

    def _events(self, blobs: Sequence[StoredObject]) -> int:
        return sum(
            piece.content.count(b"\n") + (piece.is_last and not piece.content.endswith(b"\n"))
            for piece in self._store.pieces(blobs)
        )


def _is_folder(name: str) -> bool:
    """Whether a store can list this name."""
    return bool(name) and all(part not in {"", ".", ".."} for part in name.split("/")) and name.isprintable()


def _utc(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // _NANOSECONDS, timezone.utc)
