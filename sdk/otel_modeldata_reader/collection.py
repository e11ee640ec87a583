"""What a store has of each collection: blobs, bytes, hours, and optionally events and rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from .blobs.compacted_name import compacted_root
from .blobs.listing import collections_of, hours_of
from .exceptions import UnknownNameError
from .nearest import nearest
from .progress import Progress
from .window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess

__all__ = ["Collection", "collection_named", "collections_in", "deployment_named"]

_NANOSECONDS: Final = 1_000_000_000
_LAST_SECOND: Final = 253_402_300_799
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of a store.

    Attributes:
        name: its folder in the store, which `Store.read` takes: `endpoint/deployment/collection`.
        endpoint: empty, like the two others, where the folder is none of the standard layout.
        deployment: of the endpoint.
        collection: such as `model_inputs`.
        first: the beginning of the first folder that has events, in UTC. A folder whose lines are compacted and dropped
            has them in Parquet.
        last: the beginning of the last one.
        folders: how many folders have events: an hour without any has none.
        blobs: how many blobs of lines it has.
        size: bytes in them.
        compacted: bytes of its Parquet files.
        events: lines, if they were counted, with those that are compacted and dropped.
        rows: rows of these lines, if they were counted; a payload that is no list of rows is one. Of dropped lines that
            repeat an event the rows are not known.
        last_write: when one of the blobs was last written; None where the store does not say it.
        gaps: times of whole hours without a folder between two folders: the first moment, and the first one after.
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
    compacted: int = 0
    events: int | None = None
    rows: int | None = None
    last_write: datetime | None = None
    gaps: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def gap_hours(self) -> int:
        """Hours without a folder between the first one and the last one."""
        return sum((until - since) // _HOUR for since, until in self.gaps)


def collections_in(store: StoreAccess, found: Iterable[CollectionBlobs], *, count: bool) -> list[Collection]:
    """What a store has of some collections.

    Args:
        store: has the blobs.
        found: the collections.
        count: whether to count events and rows, which reads every blob.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    found = list(found)
    progress = Progress(store.shown, sum(blob.size for one in found for blob in one.blobs)) if count else None
    return [_collection(store, one, progress) for one in found]


def collection_named(store: StoreAccess, collection: str) -> CollectionBlobs:
    """The blobs of the collection of this name.

    Raises:
        UnknownNameError: there is none.
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    name = collection.strip("/")
    found = None
    if _is_folder(name):  # lines before their files: a compaction removes lines once their files are there
        found = collections_of([*store.walk(name), *store.walk(compacted_root(name))]).get(name)
    if found is None:
        known = collections_of(store.walk())
        if name not in known:
            raise UnknownNameError(
                f"expected a collection of {store.shown}, got {collection!r}: {nearest(name, list(known))}"
            )
        found = known[name]
    return found


def deployment_named(store: StoreAccess, name: str | None) -> str:
    """The deployment of this name; the only one for None.

    Raises:
        UnknownNameError: there is none, or there are several.
        StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
    """
    known = sorted({"/".join(one.names[:2]) for one in collections_of(store.walk()).values() if one.names})
    if name is None and len(known) != 1:
        shown = ", ".join(known) or "none"
        raise UnknownNameError(
            f"expected one deployment in {store.shown}, got {shown}: name one as deployment, or by --deployment"
        )
    if name is not None and name not in known:
        raise UnknownNameError(f"expected a deployment of {store.shown}, got {name!r}: {nearest(name, known)}")
    return name or known[0]


def _is_folder(name: str) -> bool:
    """Whether a store can list this name."""
    from otel_modeldata_receiver.storage.store import checked_name  # noqa: PLC0415 (a store is open already)

    try:
        return checked_name(name) == name
    except ValueError:
        return False


def _collection(store: StoreAccess, one: CollectionBlobs, progress: Progress | None) -> Collection:
    endpoint, deployment, collection = one.names or ("", "", "")
    folders = sorted({hours_of(date) for date in one.dates(Window())})
    written = [blob.modified for blob in one.blobs if blob.modified is not None]
    events = rows = None
    if progress is not None:
        from .lines.line_counts import counts_of  # noqa: PLC0415 (only where lines are counted)

        events, rows = counts_of(store, one, progress.add)
        dropped_events, dropped_rows = _dropped_counts(store, one)
        events, rows = events + dropped_events, rows + dropped_rows
    return Collection(
        name=one.root,
        endpoint=endpoint,
        deployment=deployment,
        collection=collection,
        first=_utc(folders[0][0]),
        last=_utc(folders[-1][0]),
        folders=len(folders),
        blobs=len(one.blobs),
        size=sum(blob.size for blob in one.blobs),
        compacted=sum(size for files in one.compacted.values() for name, size in files.items() if _is_parquet(name)),
        events=events,
        rows=rows,
        last_write=datetime.fromtimestamp(max(written), timezone.utc) if written else None,
        gaps=_gaps(folders),
    )


def _dropped_counts(store: StoreAccess, one: CollectionBlobs) -> tuple[int, int]:
    """The lines that are in Parquet files only, and their rows."""
    if not one.compacted:
        return 0, 0
    from .index.dropped_lines import dropped_folders  # noqa: PLC0415 (imports pyarrow)
    from .lines.payloads import Payloads  # noqa: PLC0415 (likewise)

    payloads = Payloads(store, one.objects)
    found = [folder for folder, _ in dropped_folders(store, one, Window()) if folder is not None]
    lines = sum(blob.lines for folder in found for blob in folder.blobs.values())
    return lines, sum(folder.rows(payloads) for folder in found)


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")


def _gaps(folders: Sequence[tuple[int, int]]) -> tuple[tuple[datetime, datetime], ...]:
    gaps = [(_utc(end), _utc(start)) for (_, end), (start, _) in pairwise(folders)]
    return tuple((since, until) for since, until in gaps if until - since >= _HOUR)


def _utc(nanoseconds: int) -> datetime:
    """The moment; the last second of the year 9999 for the end of its folder."""
    return datetime.fromtimestamp(min(nanoseconds // _NANOSECONDS, _LAST_SECOND), timezone.utc)
