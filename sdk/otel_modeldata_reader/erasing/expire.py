"""Removes whole folders whose time ended long ago: lines, payloads, Parquet files, seals, and the quarantine.

A tombstone stays, so that an audit knows which events are gone on purpose.
"""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_receiver.storage.store import BLOB_SUFFIX

from ..blobs.byte_ranges import ByteRange
from ..blobs.checksum import BlobChecksum, checksum_of
from ..blobs.compacted_name import compacted_name
from ..blobs.dated_folder import is_closed
from ..blobs.listing import date_of, hours_of
from ..blobs.replacement_notes import put_note
from ..compacted.folder_sources import newest_manifest
from ..compacted.manifest import ManifestError
from ..compacted.part_file import DamagedPartError
from ..exceptions import ReaderError, StoreUnavailableError, UnknownNameError
from ..lines.erased_rows import erased_of
from ..nearest import nearest
from ..progress import Progress
from .choosing.selection import Selection
from .journal import Journal, JournalInfo, Step, remove_now
from .leftovers import remove_leftovers
from .places import collections_in_scope, orphans_in, parked_payloads_in, payloads_and_seals_in, places_in
from .receipt import Receipt
from .recovery import finished, recovered, tool
from .rewriting.compacted_eraser import clean_compacted
from .rewriting.compacted_rows import row_groups
from .rewriting.erased_counts import ErasedCounts, joined_hours
from .rewriting.line_blocks import line_blocks, lines_in
from .rewriting.line_keys import keys_of, members_of
from .tombstone import BlobChange, ErasedHour, Tombstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest
    from .places import Place

__all__ = ["ExpireRequest", "expire"]

_LEAST_SECONDS: Final = 3_600.0
_TRIES: Final = 20
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireRequest:
    """What expires.

    Attributes:
        older: folders whose time ended so many seconds ago.
        collection: only this one; empty for all collections and the quarantine.
    """

    older: float
    collection: str = ""

    @property
    def info(self) -> JournalInfo:
        """The beginning of a journal: the same request continues it."""
        text = msgspec.json.encode({"collection": self.collection, "older": self.older}).decode()
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return JournalInfo.of("expire", text, time=now, key=secrets.token_hex(32))


def expire(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    request: ExpireRequest,
    *,
    dry_run: bool,
    by: str = "",
    reason: str = "",
    keep: Callable[[Receipt], object] = lambda _: None,
) -> Receipt:
    """Remove what is older than a request says, or only say what would go.

    Args:
        store: has the folders.
        request: what expires.
        dry_run: whether nothing is changed.
        by: who does it.
        reason: why.
        keep: see `finished`.

    Raises:
        UnknownNameError: no such collection.
        ReaderError: the age is too small.
        StoreBusyError: another command changes the store.
        StoreUnavailableError: the store cannot be read or written. Running it again continues.
    """
    if not _LEAST_SECONDS <= request.older < math.inf:
        raise ReaderError(
            f"expected an age of at least one hour, got {request.older:g} s: younger lines are still written"
        )
    info = msgspec.structs.replace(request.info, by=by, reason=reason)
    now_ns = time.time_ns()
    if dry_run:
        run = _Expiry(store, request, Journal(store, info, lambda: None), lambda: None, now_ns)
        return run.receipt(run.would_go(), is_done=False)
    with store.locked("expire") as check:
        known = recovered(store, check).get(info.id)
        journal = known or Journal(store, info, check)
        journal.completed_by(by, reason)
        return _Expiry(store, request, journal, check, now_ns).run(keep, is_begun=known is not None)


class _Expiry:
    """One run; see `expire`."""

    def __init__(
        self, store: StoreAccess, request: ExpireRequest, journal: Journal, check: Callable[[], None], now_ns: int
    ) -> None:
        self._store = store
        self._request = request
        self._journal = journal
        self._check = check
        self._now_ns = now_ns
        self._objects = store.walk()
        if request.collection and request.collection not in (known := collections_in_scope(self._objects, "")):
            raise UnknownNameError(
                f"expected a collection of {store.shown}, got {request.collection!r}: "
                f"{nearest(request.collection, list(known))}"
            )
        self._problems: dict[tuple[str, str], str] = {}
        self._manifests = self._read_manifests()

    def would_go(self) -> tuple[ErasedHour, ...]:
        """What would go."""
        hours: list[ErasedHour] = []
        for place in self._places():
            hours += self._counts(place.counted, place.blob).hours
        for _, counts in self._manifests:
            hours += counts.hours
        return joined_hours([*hours, *(hour for hour, _ in self._strays())])

    def run(self, keep: Callable[[Receipt], object], *, is_begun: bool) -> Receipt:
        """Remove, folder by folder, and leave the tombstone."""
        places, manifests, strays = self._places(), self._manifests, self._strays()
        if not is_begun:
            if not places and not manifests and not strays:
                receipt = self.receipt((), is_done=True)
                keep(receipt)
                return receipt
            self._journal.begin()
        progress = Progress(self._store.shown, sum(place.blob.size for place in places))
        for place in places:
            self._remove_blob(place)
            progress.add(place.blob.size)
        for manifest, counts in manifests:
            self._remove_manifest(manifest, counts)
        if strays:
            self._journal.step(self._step_of_strays([hour for hour, _ in strays], len(strays)))
        for name in [*self._payloads(), *(name for _, name in strays), *self._stale_notes()]:
            self._check()
            remove_now(self._store, name)
        remove_leftovers(self._store, self._check, self._journal.steps(), Selection())
        return finished(self._store, self._journal, self._check, self._receipt_of, keep)

    def _receipt_of(self, tombstone: Tombstone, name: str, predicate: str) -> Receipt:
        return self.receipt(tombstone.hours, is_done=True, tombstone=name, predicate=predicate, found=tombstone)

    def receipt(
        self,
        hours: Sequence[ErasedHour],
        *,
        is_done: bool,
        tombstone: str = "",
        predicate: str = "",
        found: Tombstone | None = None,
    ) -> Receipt:
        """What was done."""
        info = self._journal.info
        return Receipt(
            store=self._store.shown,
            request=info.request,
            key=info.key if tombstone else "",
            predicate=predicate,
            time=info.time,
            by=info.by if found is None else found.by,
            reason=info.reason if found is None else found.reason,
            tool=tool(),
            is_done=is_done,
            hours=tuple(hours),
            blobs=() if found is None else found.blobs,
            tombstone=tombstone,
            problems=tuple(
                f"{root}/{date} stays as it is: {problem}" for (root, date), problem in sorted(self._problems.items())
            ),
        )

    def _has_expired(self, date: str) -> bool:
        # A folder whose name is no time, such as 2026/13, is none of a receiver.
        return hours_of(date) != (0, 0) and is_closed(date, self._request.older, self._now_ns)

    def _places(self) -> list[Place]:
        """The blobs that go; parked lines stay, because they are not delivered yet."""
        scope = self._request.collection
        return [
            place
            for place in places_in(self._objects, scope, only=bool(scope), with_empty=True)
            if not place.is_parked
            and not (scope and place.is_quarantine)
            and self._has_expired(date := date_of(place.blob.name))
            and (place.root, date) not in self._problems
        ]

    def _read_manifests(self) -> list[tuple[Manifest, ErasedCounts]]:
        """The manifests of the folders that go, and what their Parquet files have.

        A folder of which these cannot be read stays as it is: it is not known what would be gone.
        """
        found = []
        for root, collection in collections_in_scope(self._objects, "").items():
            if self._request.collection not in {"", root}:
                continue
            for date, files in sorted(collection.compacted.items()):
                if not self._has_expired(date):
                    continue
                try:
                    manifest = newest_manifest(self._store, root, date, files)
                    if manifest is not None:
                        found.append((manifest, self._counts_of_manifest(manifest, files)))
                except (ManifestError, DamagedPartError) as error:
                    self._problems[root, date] = str(error)
        return found

    def _payloads(self) -> Iterator[str]:
        """What is left in the folders: payloads of lines, and seals of folders."""
        folders = {place.blob.name.rpartition("/")[0] for place in self._places()}
        for one in self._objects:
            folder = one.name.removeprefix("_sealed/").rpartition("/")[0]
            if (folder in folders and one.name.startswith("_sealed/")) or (
                one.name.partition("/files/")[0] in folders and "/files/" in one.name
            ):
                yield one.name

    def _strays(self) -> list[tuple[ErasedHour, str]]:
        """What a killed command or receiver has left in folders of the time, without a line or a manifest there.

        Each with its bytes as what goes: payloads, seals, and Parquet files; also the copies of payloads that are still
        parked, if no parked line may refer to them.
        """
        scope = self._request.collection
        folders = {place.blob.name.rpartition("/")[0] for place in self._places()}
        sizes = {one.name: one.size for one in self._objects}
        found = [
            (ErasedHour(root=root, date=date, size=sizes[name]), name)
            for name, root, date in payloads_and_seals_in(self._objects)
            if scope in {"", root}
            and self._has_expired(date)
            and (f"{root}/{date}" if root else date) not in folders
            and (root, date) not in self._problems
        ]
        waiting = {one.name.rpartition("/")[0] for one in self._objects if one.name.endswith(BLOB_SUFFIX)}
        found += [
            (ErasedHour(root=root, date=date, size=sizes[name]), name)
            for name, root, date in parked_payloads_in(self._objects)
            if scope in {"", root}
            and self._has_expired(date)
            and f"_parked/{root}/{date}" not in waiting
            and (root, date) not in self._problems
        ]
        for name, date in orphans_in(self._objects, scope, only=bool(scope)):
            place = compacted_name(name)
            if place is not None and self._has_expired(date) and (place.root, date) not in self._problems:
                found.append((ErasedHour(root=place.root, date=date, size=sizes[name]), name))
        return found

    def _stale_notes(self) -> Iterator[str]:
        """The old notes of earlier runs about blobs whose time has expired.

        A receiver that takes late events looks for the note of a blob that it knows, so a note stays for a month.
        """
        from otel_modeldata_receiver.storage.folders.replaced_blobs import noted_blob  # noqa: PLC0415 (a store is open)

        for one in self._objects:
            is_old = (one.modified or 0.0) < self._now_ns / 1e9 - _NOTE_SECONDS
            if one.name.startswith("_replaced/") and is_old and one.size < _MOST_NOTE_BYTES:
                blob = noted_blob(self._store.read(one.name, one.size))
                if blob is not None and self._has_expired(date_of(blob)):
                    yield one.name

    def _counts(self, root: str, blob: StoredObject) -> ErasedCounts:
        counts = ErasedCounts(root, date_of(blob.name))
        for block in line_blocks(self._store, ByteRange(blob.name, 0, blob.size)):
            if block.is_long:
                counts.add_event(rows=0, size=len(block.content))
                continue
            for line in [*lines_in(block.content), *([block.tail] if block.tail else [])]:
                _count(counts, line)
        return counts

    def _counts_of_manifest(self, manifest: Manifest, files: Mapping[str, int]) -> ErasedCounts:
        missing = next((part.name for part in manifest.parts if part.name not in files), None)
        if missing is not None:
            raise DamagedPartError(f"expected the file {missing} of its manifest, got none: restore it from a backup")
        counts = ErasedCounts(manifest.root, manifest.date)
        for group in row_groups(self._store, manifest):
            if group.part.kind == "events":
                for line in group.lines():
                    _count(counts, line)
                continue
            for event, text in zip(group.events(), group.event_texts(), strict=True):
                counts.add_event(rows=event.end - event.start, size=0)
                counts.add_number(keys_of(members_of(text) or {}))
        return counts

    def _remove_blob(self, place: Place) -> None:
        from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement  # noqa: PLC0415 (a store is open)

        name = place.blob.name
        folder = name.rpartition("/")[0]
        for _ in range(_TRIES):
            blob = next((one for one in self._store.walk(folder) if one.name == name), None)
            if blob is None:
                return
            counts = self._counts(place.counted, blob)
            step = self._journal.step(self._step(counts, checksum_of(self._store, name, blob.size)))
            note = Replacement(blob=name, size=blob.size)
            put_note(self._store, note)
            self._check()
            if self._store.remove(name, blob.size):
                return
            remove_now(self._store, note.note_name)
            self._journal.undo(step)
        raise StoreUnavailableError(f"expected {name} to have no new lines, got some at each try: run it again")

    def _remove_manifest(self, manifest: Manifest, counts: ErasedCounts) -> None:
        from ..blobs.compacted_name import manifest_name  # noqa: PLC0415
        from ..compacted.manifest import encode_manifest  # noqa: PLC0415

        name = manifest_name(manifest.root, manifest.date, manifest.number)
        old = checksum_of(self._store, name, len(encode_manifest(manifest)))
        self._journal.step(self._step(counts, old))
        self._check()
        remove_now(self._store, name)
        clean_compacted(self._store, manifest.folder, None, self._check)

    def _step_of_strays(self, hours: Sequence[ErasedHour], count: int) -> Step:
        info = self._journal.info
        return Step(kind=info.kind, id=info.id, time=info.time, tool=tool(), hours=joined_hours(hours), objects=count)

    def _step(self, counts: ErasedCounts, old: BlobChecksum) -> Step:
        info = self._journal.info
        return Step(
            kind=info.kind,
            id=info.id,
            time=info.time,
            tool=tool(),
            hours=counts.hours,
            numbers=counts.numbers,
            blobs=(BlobChange(old=old),),
        )


_MOST_NOTE_BYTES: Final = 1 << 20
_NOTE_SECONDS: Final = 30 * 86_400.0
"""How long the note about a removed blob stays: receivers do not know a blob for longer."""


def _count(counts: ErasedCounts, line: bytes) -> None:
    if not line.strip():
        return
    keys = keys_of(members_of(line) or {})
    try:
        rows = len(_rows.decode(keys.data or b"[]"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = 1
    counts.add_event(rows=rows - erased_of(keys.erased, rows), size=len(line))
    counts.add_number(keys)
