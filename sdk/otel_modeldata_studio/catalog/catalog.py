"""`Catalog`: what the store has, kept up to date while somebody looks; no line of a collection is read for it.

At first the newest folders of all collections are listed, level by level, which is quick for a store of any size.
A thread then lists everything, reads manifests, seals and what is set aside, and does so again, every few seconds for
a small store, while somebody looks. Each question lists the folders of this hour again, if the last look was a second
ago.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.compacted_name import compacted_root
from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_reader.diagnosis.folder_listing import walk_below
from otel_modeldata_reader.exceptions import ReaderError

from ..interruption import holding, leave_to_questions
from .collection_hours import collection_hours, folders_of, newest_summaries
from .hour_counts import HourCounts, seals_by_folder
from .ledgers import Ledger, Ledgers, sealed_ledger
from .line_samples import LineSamples
from .listing import Listing, whole_listing, with_newer
from .newest_folders import newest_folders, of_hours
from .parked import Parked
from .quarantine import Quarantine, Quarantined
from .type_changes import TypeSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_receiver.storage.store import StoredObject

    from .collection_hours import CollectionHours, Folder
    from .hour_counts import Summary
    from .parked import ParkedCollection

__all__ = ["Catalog"]

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 0.4
"""How long the first question waits for the whole listing of a small store."""
_SMALL_BLOBS: Final = 2_000
"""A store whose newest folders have fewer is listed at once."""
_LEAST_SECONDS: Final = 2.0
_WHOLE_SECONDS: Final = 60.0
"""Everything is listed again after such a time, if somebody has asked within the last minute."""
_SHARE: Final = 20
"""A whole listing that is quick takes at most one part of the time in this number of parts."""
_LOOK_SECONDS: Final = 1.0
_LOOK_SHARE: Final = 5
_QUESTIONS_SECONDS: Final = 2.0
"""How long the thread leaves the processors to questions after a listing."""
_AT_ONCE: Final = 400
"""Manifests and seals that a question reads itself; the thread reads more."""
_CHUNK: Final = 256
_HOUR_NS: Final = 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders of a collection, and what they were made of."""

    found: CollectionBlobs
    seals: object
    folders: Sequence[Folder]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of a collection, and what they were made of."""

    folders: Sequence[Folder]
    state: tuple[int, int, bool, float | None]
    hours: CollectionHours


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetAside:
    """What receivers have set aside."""

    quarantined: Quarantined = field(default_factory=Quarantined)
    parked: Mapping[str, ParkedCollection] = field(default_factory=dict)


class Catalog:
    """What a store has.

    Args:
        store: is read.
        clock: seconds since the epoch.

    Attributes:
        counts: what manifests and seals count, as far as they were read.
        ledgers: of what was audited.
        types: of the columns of folders.
    """

    def __init__(self, store: StoreAccess, clock: Callable[[], float] = time.time) -> None:
        self.counts = HourCounts(store)
        self.ledgers = Ledgers(store)
        self.types = TypeSamples(store, self.counts)
        self._store = store
        self._clock = clock
        self._changed = threading.Condition()
        self._looking = threading.Lock()
        self._walking = threading.Lock()
        self._walked: dict[str, dict[str, CollectionBlobs]] = {}
        self._sizes: dict[str, tuple[CollectionBlobs, int]] = {}
        self._listing = Listing()
        self._samples = LineSamples(store)
        self._quarantine = Quarantine(store)
        self._parked_lines = Parked(store)
        self._seals: Mapping[str, Sequence[StoredObject]] = {}
        self._aside = _SetAside()
        self._problem: ReaderError | None = None
        self._folders: dict[str, _Folders] = {}
        self._numbers: dict[str, _Numbers] = {}
        self._read: dict[str, int] = {}
        self._next_look = 0.0
        self._asked = time.monotonic()
        self._pause = _LEAST_SECONDS
        self._is_small = True
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()

    def start(self) -> None:
        """Begin to list; the first question begins it otherwise."""
        with self._changed:
            if self._thread is None and not self._is_closed.is_set():
                self._thread = threading.Thread(target=self._run, name="studio-catalog", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        self._is_closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_LOOK_SECONDS)

    @property
    def now_ns(self) -> int:
        """The present, in nanoseconds since the epoch."""
        return int(self._clock() * 1_000_000_000)

    @property
    def quarantined(self) -> Quarantined:
        """What is in quarantine, as of the last whole listing."""
        return self._aside.quarantined

    @property
    def parked(self) -> Mapping[str, ParkedCollection]:
        """What is parked by the folders of collections, as of the last whole listing."""
        return self._aside.parked

    def listing(self) -> Listing:
        """The newest listing; the folders of this hour are listed again where the last look was a second ago.

        Raises:
            ReaderError: the store could not be listed yet.
        """
        self.start()
        with self._changed:
            self._asked = time.monotonic()
            self._changed.notify_all()
            self._changed.wait_for(self._has_answer)
            if not self._listing.is_whole and self._is_small:
                self._changed.wait_for(lambda: self._listing.is_whole, timeout=_PATIENCE_SECONDS)
            if self._problem is not None and not self._listing.time:
                raise self._problem
        if self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._listing

    def whole(self, seconds: float) -> Listing:
        """The newest listing, after everything was listed once, or after some seconds.

        Raises:
            ReaderError: the store could not be listed yet.
        """
        self.listing()
        with self._changed:
            self._changed.wait_for(lambda: self._listing.is_whole or self._is_closed.is_set(), timeout=seconds)
        return self._listing

    def newest_bytes(self) -> dict[str, int]:
        """The bytes of each collection, to compare with a later answer.

        Raises:
            ReaderError: the store could not be listed yet.
        """
        collections = self.listing().collections
        for root, one in collections.items():
            if root not in self._sizes or self._sizes[root][0] is not one:
                self._sizes[root] = (one, sum(blob.size for blob in one.blobs))
        return {root: self._sizes[root][1] for root in collections}

    def deployment(self, name: str) -> dict[str, CollectionBlobs]:
        """The collections of a deployment with all of their folders, also while not everything was listed.

        Args:
            name: `endpoint/deployment`.

        Returns:
            By their folders; empty if there are none.

        Raises:
            ReaderError: the store cannot be listed.
        """
        listing = self.listing()
        if not listing.is_whole:
            with holding(self._walking):
                if name not in self._walked:
                    objects = [*walk_below(self._store, name), *walk_below(self._store, compacted_root(name))]
                    self._walked[name] = collections_of(objects)
            older = self._walked[name]
            newer = {root: one for root, one in listing.collections.items() if root in older}
            return {**older, **with_newer(Listing(collections=older), newer, listing.time).collections}
        self._walked.clear()
        return {root: one for root, one in listing.collections.items() if root.rpartition("/")[0] == name}

    def hours(self, listing: Listing) -> dict[str, CollectionHours]:
        """The numbers of all collections of a listing, by their folders."""
        self._read_some(listing)
        return {root: self._hours(one, is_whole=listing.is_whole) for root, one in listing.collections.items()}

    def folders(self, root: str, listing: Listing) -> Sequence[Folder]:
        """The folders of a collection, the newest first."""
        return self._folders_of(listing.collections[root])

    def ledger(self, listing: Listing, name: str = "") -> Ledger:
        """What became of the events of a deployment, or of all.

        Raises:
            ReaderError: the store cannot be read.
        """
        found = self.ledgers.audited(listing, name)
        if found is not None:
            return found
        chosen = {root: one for root, one in listing.collections.items() if not name or root.startswith(f"{name}/")}
        return sealed_ledger({root: self._folders_of(one) for root, one in chosen.items()}, self.counts)

    def _has_answer(self) -> bool:
        return bool(self._listing.time) or self._problem is not None or self._is_closed.is_set()

    # --- what a question lists -----------------------------------------------------------------------------------

    def _look(self) -> None:
        started = time.monotonic()
        if started < self._next_look:
            return
        listing = self._listing
        now = datetime.fromtimestamp(self._clock(), timezone.utc)
        newer = of_hours(self._store, listing.collections, now)
        with self._changed:
            self._listing = with_newer(self._listing, newer, self._clock())
        self._next_look = time.monotonic() + max(_LOOK_SECONDS, (time.monotonic() - started) * _LOOK_SHARE)

    def _folders_of(self, found: CollectionBlobs) -> Sequence[Folder]:
        seals, known = self._seals, self._folders.get(found.root)
        if known is None or known.found is not found or known.seals is not seals:
            known = self._folders[found.root] = _Folders(found, seals, folders_of(found, seals))
        return known.folders

    def _hours(self, found: CollectionBlobs, *, is_whole: bool) -> CollectionHours:
        folders, now = self._folders_of(found), self.now_ns
        audited = self.ledgers.known()
        line_bytes = None if audited is None else audited.line_bytes.get(found.root)
        state = (self._read.get(found.root, 0), now // _HOUR_NS, is_whole, line_bytes)
        known = self._numbers.get(found.root)
        if known is None or known.folders is not folders or known.state != state:
            line_bytes = line_bytes or self._samples.line_bytes(found.root)
            hours = collection_hours(found, folders, self.counts, now_ns=now, line_bytes=line_bytes, is_whole=is_whole)
            known = self._numbers[found.root] = _Numbers(folders, state, hours)
        return known.hours

    def _read_some(self, listing: Listing) -> None:
        """Read what counts the last 24 hours, if that is little, and take samples."""
        for root in self._samples.take(listing.collections.values()):
            self._read[root] = self._read.get(root, 0) + 1
        wanted: list[Summary] = []
        roots: list[str] = []
        for one in listing.collections.values():
            if unread := self.counts.unread(newest_summaries(self._folders_of(one), self.now_ns)):
                roots.append(one.root)
                wanted += unread
                if len(wanted) > _AT_ONCE:
                    return
        if wanted:
            self.counts.read(wanted)
            for root in roots:
                self._read[root] = self._read.get(root, 0) + 1

    # --- what the thread lists -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closed.is_set():
            try:
                self._list_all()
            except ReaderError as error:
                logger.warning("Studio could not list the store: %s", error)
                self._publish(self._listing, error)
            except (RuntimeError, CancelledError):  # a thread cannot start any more, because the process ends
                if threading.main_thread().is_alive() and not self._is_closed.is_set():
                    raise
                return
            self._is_closed.wait(self._pause)
            with self._changed:  # nothing is listed while nobody looks
                self._changed.wait_for(self._is_wanted)

    def _list_all(self) -> None:
        started = time.monotonic()
        if not self._listing.time:
            self._list_newest()
        self._list_whole()
        took = time.monotonic() - started
        self._pause = max(min(max(_LEAST_SECONDS, took * _SHARE), _WHOLE_SECONDS), took * _LOOK_SHARE)
        leave_to_questions(self._is_closed.wait, _QUESTIONS_SECONDS)  # those after the start need all processors
        self._read_counts()
        self.ledgers.audited(self._listing)

    def _is_wanted(self) -> bool:
        return self._is_closed.is_set() or time.monotonic() - self._asked < _WHOLE_SECONDS

    def _list_newest(self) -> None:
        now = self._clock()
        found = newest_folders(self._store, datetime.fromtimestamp(now, timezone.utc))
        self._is_small = sum(len(one.blobs) for one in found.values()) < _SMALL_BLOBS
        self._publish(Listing(collections=found, time=now))
        if not self._is_small:
            self._is_closed.wait(_LOOK_SECONDS)  # the first answers come before the listing of everything

    def _list_whole(self) -> None:
        now = self._clock()
        objects = self._store.walk()
        listing = whole_listing(objects, now, self._listing)
        self._seals = seals_by_folder(listing.aside.values())
        aside = listing.aside.values()
        self._aside = _SetAside(quarantined=self._quarantine.look(aside), parked=self._parked_lines.look(aside))
        for one in listing.collections.values():
            self._hours(one, is_whole=True)  # so that the next question finds them
        self._publish(listing)

    def _publish(self, listing: Listing, problem: ReaderError | None = None) -> None:
        with self._changed:
            self._listing, self._problem = listing, problem
            self._changed.notify_all()

    def _read_counts(self) -> None:
        """Read all manifests and seals, those of the last 24 hours first."""
        listing = self._listing
        folders = {root: self._folders_of(one) for root, one in listing.collections.items()}
        for is_newest in (True, False):
            for root, of_root in folders.items():
                every = (one for folder in of_root for one in folder.summaries)
                unread = self.counts.unread(newest_summaries(of_root, self.now_ns) if is_newest else every)
                for start in range(0, len(unread), _CHUNK):
                    if self._is_closed.is_set():
                        return
                    began = time.monotonic()
                    self.counts.read(unread[start : start + _CHUNK])
                    self._read[root] = self._read.get(root, 0) + 1
                    if not is_newest:
                        self._is_closed.wait(time.monotonic() - began)  # half of the time is for questions
