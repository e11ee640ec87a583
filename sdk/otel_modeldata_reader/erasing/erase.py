"""Erases rows of a store, beside living receivers: chooses them, rewrites what has them, and leaves a tombstone."""

from __future__ import annotations

import logging
import secrets
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..blobs.byte_ranges import ByteRange
from ..blobs.listing import collections_of, date_of
from ..exceptions import ReaderError, UnknownNameError
from ..nearest import nearest
from ..progress import Progress
from .blob_rewrite import BlobRewriter, changed_lines
from .choosing import Chosen, choose_by_condition, choose_by_ids
from .erased_counts import ErasedCounts, joined_hours
from .journal import Journal, JournalInfo, journals_in
from .leftovers import remove_leftovers
from .line_blocks import line_blocks
from .line_eraser import LineEraser
from .places import collections_in_scope, objects_of, places_in
from .quarantine_eraser import QuarantineEraser
from .receipt import Receipt
from .request import EraseRequest, predicate_of, request_of
from .selection import Selection
from .tombstone import tombstone_name, tombstones_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .blob_rewrite import Eraser
    from .places import Place
    from .tombstone import ErasedHour

__all__ = ["erase", "resume"]

logger = logging.getLogger(__name__)

_MOST_ROUNDS: Final = 100
_SAMPLE: Final = 5


def tool() -> str:
    """Name and version of this program."""
    return f"otel-modeldata {version('otel-modeldata')}"


def erase(store: StoreAccess, request: EraseRequest, *, dry_run: bool, by: str = "", reason: str = "") -> Receipt:
    """Erase what a request says, or only say what would go.

    Raises:
        UnknownNameError: no such collection or deployment.
        ReaderError: no condition, or one that chooses too much; the message says what to add.
        StoreBusyError: another command changes the store.
        StoreUnavailableError: the store cannot be read or written. Running it again continues.
    """
    if dry_run:
        objects = store.walk()
        chosen = _choose(store, objects, request)
        hours = _would_go(store, objects, chosen.selection, request)
        return _receipt(store, _info(request, by, reason), chosen, hours=hours, is_done=False)
    with store.locked("erase") as check:
        journals = journals_in(store, check)
        objects = store.walk()
        tombstones = [one for _, one in tombstones_in(store, objects) if one is not None]
        for journal in journals.values():
            journal.recover(objects, tombstones)
        known = journals.get(request.id)
        run = _Run(store, request, known or Journal(store, _info(request, by, reason), check), check)
        return run.run(is_begun=known is not None)


def resume(store: StoreAccess) -> list[Receipt]:
    """Complete every erasure that was interrupted.

    Raises:
        ReaderError: as for `erase`.
    """
    receipts = []
    with store.locked("erase") as check:
        journals = journals_in(store, check)
        objects = store.walk()
        tombstones = [one for _, one in tombstones_in(store, objects) if one is not None]
        for journal in journals.values():
            journal.recover(objects, tombstones)
        for journal in journals.values():
            if journal.info.kind == "erase":
                run = _Run(store, request_of(journal.info.request), journal, check)
                receipts.append(run.run(is_begun=True))
    return receipts


@dataclass(slots=True)
class _Round:
    """What one round over the store has seen: lines behind it are new in the next one."""

    scanned: dict[str, int] = field(default_factory=dict)
    chosen_from: dict[str, int] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """Folders of blobs that were replaced, by the blob."""


class _Run:
    """One erasure that holds the lock.

    Args:
        store: has the rows.
        request: what is erased.
        journal: of the erasure.
        check: proves that this command may still change the store.
    """

    def __init__(self, store: StoreAccess, request: EraseRequest, journal: Journal, check: Callable[[], None]) -> None:
        from otel_modeldata_receiver.storage.folders.replaced_blobs import copy_name  # noqa: PLC0415 (a store is open)

        self._store = store
        self._request = request
        self._journal = journal
        self._check = check
        self._tool = tool()
        self._rewriter = BlobRewriter(store, journal, check, copy_name, self._tool)
        self._seen = _Round()

    def run(self, *, is_begun: bool) -> Receipt:
        """Erase until a whole round finds nothing more, then leave the tombstone."""
        selection = self._journal.selection() if is_begun else Selection()
        first: Chosen | None = None
        for _ in range(_MOST_ROUNDS):
            objects = self._store.walk()
            is_first = first is None and not is_begun
            chosen = _choose(self._store, objects, self._request, self._seen.chosen_from, is_first=is_first)
            first = first or chosen
            merged = selection.merged(chosen.selection)
            has_more = merged != selection
            if has_more:
                if not is_begun:
                    self._journal.begin()
                    is_begun = True
                self._journal.choose(merged)
                selection = merged
                self._seen.scanned.clear()
            if selection.is_empty or not (self._erase_round(objects, selection) or has_more):
                break
        else:
            raise ReaderError(
                f"expected an end, got new lines with chosen rows in each of {_MOST_ROUNDS} rounds: run it again"
            )
        return self._finish(first, selection, is_begun=is_begun)

    def _erase_round(self, objects: Sequence[StoredObject], selection: Selection) -> bool:
        """Rewrite every blob that has chosen rows; whether there was one."""
        payloads = objects_of(objects)
        places = [
            place
            for place in places_in(objects, self._request.scope, only=self._request.only)
            if place.blob.size > self._seen.scanned.get(place.blob.name, 0)
        ]
        progress = Progress(self._store.shown, sum(place.blob.size for place in places))
        has_any = False
        for place in places:
            eraser = _eraser(self._store, selection, place, payloads, self._request.scope)
            start = self._seen.scanned.get(place.blob.name, 0)
            position, is_hit = _scanned(self._store, place, eraser, start, progress)
            self._seen.scanned[place.blob.name] = position
            if is_hit:
                has_any = True
                self._rewrite(place, eraser)
        return has_any

    def _rewrite(self, place: Place, eraser: Eraser) -> None:
        step = self._rewriter.rewrite(place.blob.name, eraser, place.root)
        if step is None:
            return
        self._seen.changed[place.blob.name] = place.folder
        for change in step.blobs:
            if change.new is not None:
                self._seen.scanned[change.new.name] = change.new.size
                if self._seen.chosen_from.get(change.old.name) == change.old.size:  # else it has new lines
                    self._seen.chosen_from[change.new.name] = change.new.size

    def _finish(self, chosen: Chosen, selection: Selection, *, is_begun: bool) -> Receipt:
        info = self._journal.info
        if not is_begun:
            return _receipt(self._store, info, chosen, hours=(), is_done=True)
        remove_leftovers(self._store, self._check, self._journal.steps(), selection)
        predicate = predicate_of(info.request, info.key)
        tombstone = self._journal.joined(self._tool, predicate)
        name = ""
        if tombstone.hours:
            content = msgspec.json.encode(tombstone)
            name = tombstone_name(tombstone, content)
            self._check()
            self._store.put(name, content)
        self._journal.end()
        return _receipt(
            self._store,
            info,
            chosen,
            hours=tombstone.hours,
            is_done=True,
            blobs=tombstone.blobs,
            objects=tombstone.objects,
            tombstone=name,
            predicate=predicate,
        )


def _info(request: EraseRequest, by: str, reason: str) -> JournalInfo:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return JournalInfo(
        kind="erase", id=request.id, time=now, request=request.text, key=secrets.token_hex(32), by=by, reason=reason
    )


def _receipt(
    store: StoreAccess,
    info: JournalInfo,
    chosen: Chosen,
    *,
    hours: Sequence[ErasedHour],
    is_done: bool,
    tombstone: str = "",
    predicate: str = "",
    **more: Any,
) -> Receipt:
    return Receipt(
        store=store.shown,
        request=info.request,
        key=info.key if tombstone else "",
        predicate=predicate if tombstone else "",
        time=info.time,
        by=info.by,
        reason=info.reason,
        tool=tool(),
        is_done=is_done,
        hours=tuple(hours),
        tombstone=tombstone,
        of=chosen.of,
        unread=chosen.unread,
        unidentified=chosen.unidentified,
        sample=() if is_done else tuple(_sample(chosen.selection)),
        **more,
    )


def _sample(selection: Selection) -> list[str]:
    named = [f"{corr}_{ranges[0][0]}" for corr, ranges in list(selection.rows.items())[:_SAMPLE]]
    return (named or list(selection.events))[:_SAMPLE]
