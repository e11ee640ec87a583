"""Erases rows of a store, beside living receivers: chooses them, rewrites what has them, and leaves a tombstone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..blobs.compacted_name import manifest_name
from ..exceptions import ReaderError, StoreUnavailableError
from ..index.line_ids import plain_id
from ..progress import Progress
from .choosing.quarantine_condition import quarantine_condition
from .choosing.request import request_of
from .choosing.scope_choice import choose
from .choosing.selection import Selection
from .deliveries import beside_deliveries
from .journal import Journal, JournalInfo, Step, remove_now
from .leftovers import remove_leftovers
from .places import delivered_name, objects_of, orphans_in, places_in
from .receipt import Receipt, unreadable_parts
from .recovery import finished, recovered, tool
from .rewriting.blob_rewrite import BlobRewriter
from .rewriting.compacted_eraser import clean_compacted
from .rewriting.erased_counts import joined_hours
from .scan import Erasers, compacted_in, has_chosen, mentions_in, would_go
from .stray_payloads import stray_payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .choosing.chosen_rows import Chosen
    from .choosing.quarantine_condition import QuarantineCondition
    from .choosing.request import EraseRequest
    from .places import Place
    from .rewriting.blob_rewrite import Eraser
    from .stray_payloads import StrayPayloads
    from .tombstone import ErasedHour, Tombstone

__all__ = ["erase", "resume"]

_MOST_ROUNDS: Final = 100
_MOST_CHOICES: Final = 2
"""The second one takes what came while the first one was carried out. A person may still be a customer."""
_SAMPLE: Final = 5


def erase(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    request: EraseRequest,
    *,
    dry_run: bool,
    by: str = "",
    reason: str = "",
    keep: Callable[[Receipt], object] = lambda _: None,
) -> Receipt:
    """Erase what a request says, or only say what would go.

    Args:
        store: has the rows.
        request: what is erased.
        dry_run: whether nothing is changed.
        by: who erases.
        reason: why.
        keep: see `finished`.

    Raises:
        UnknownNameError: no such collection or deployment.
        ReaderError: no condition, or one that chooses too much; the message says what to add.
        StoreBusyError: another command changes the store.
        StoreUnavailableError: the store cannot be read or written. Running it again continues.
    """
    with quarantine_condition(request.scope, request.where) as condition:
        info = _info(request, by, reason)
        if dry_run:
            return beside_deliveries(lambda: _would_erase(store, request, condition, info))
        with store.locked("erase") as check:

            def work() -> Receipt:
                known = recovered(store, check).get(info.id)
                journal = known or Journal(store, info, check)
                journal.completed_by(by, reason)
                return _Run(store, request, journal, check, condition, keep=keep).run(is_begun=known is not None)

            return beside_deliveries(work)


def resume(store: StoreAccess, keep: Callable[[Receipt], object] = lambda _: None) -> list[Receipt]:
    """Complete every erasure that was interrupted.

    Args:
        store: has the rows.
        keep: see `finished`.

    Raises:
        ReaderError: as for `erase`. One whose journal is damaged is named when no other one is left to complete.
    """
    receipts: list[Receipt] = []
    wrong: list[ReaderError] = []
    with store.locked("erase") as check:
        for found in recovered(store, check).values():
            if found.info.kind != "erase":
                continue

            def work(journal: Journal = found) -> Receipt:
                journal = recovered(store, check).get(journal.info.id, journal)
                request = request_of(journal.info.request)
                with quarantine_condition(request.scope, request.where) as condition:
                    return _Run(store, request, journal, check, condition, keep=keep).run(is_begun=True)

            try:
                receipts.append(beside_deliveries(work))
            except StoreUnavailableError:
                raise
            except ReaderError as error:  # a damaged journal must not keep others from being completed
                wrong.append(error)
    if wrong and not receipts:
        raise wrong[0]
    return receipts


def _would_erase(
    store: StoreAccess, request: EraseRequest, condition: QuarantineCondition | None, info: JournalInfo
) -> Receipt:
    objects = store.walk()
    chosen = choose(store, objects, request, condition)
    hours: tuple[ErasedHour, ...] = ()
    mentions = 0
    if not chosen.selection.is_empty:
        erasers = _erasers(store, objects, chosen.selection, request, condition)
        counts = [eraser.counts(manifest) for eraser, manifest in compacted_in(erasers, objects)]
        places = places_in(objects, request.scope, only=request.only)
        hours = joined_hours([*(hour for one in counts for hour in one.hours), *would_go(erasers, places)])
        mentions = mentions_in(erasers, objects)
    strays = stray_payloads(store, objects, request, condition)
    hours = joined_hours([*hours, *strays.hours])
    chosen = replace(chosen, undecided=chosen.undecided + strays.undecided)
    return _receipt(store, info, chosen, hours=hours, is_done=False, mentions=mentions)


def _erasers(
    store: StoreAccess,
    objects: Sequence[StoredObject],
    selection: Selection,
    request: EraseRequest,
    condition: QuarantineCondition | None,
) -> Erasers:
    return Erasers(
        store=store,
        selection=selection,
        payloads=objects_of(objects),
        scope=request.scope,
        condition=condition,
        only=request.only,
    )


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
        condition: that of the request, for records in quarantine.
        keep: see `finished`.
    """

    def __init__(  # noqa: PLR0913 (called in two places)
        self,
        store: StoreAccess,
        request: EraseRequest,
        journal: Journal,
        check: Callable[[], None],
        condition: QuarantineCondition | None,
        *,
        keep: Callable[[Receipt], object],
    ) -> None:
        from otel_modeldata_receiver.storage.folders.replaced_blobs import copy_name  # noqa: PLC0415 (a store is open)

        self._store = store
        self._request = request
        self._journal = journal
        self._check = check
        self._condition = condition
        self._keep = keep
        self._tool = tool()
        self._rewriter = BlobRewriter(store, journal, check, copy_name, self._tool)
        self._seen = _Round()

    def run(self, *, is_begun: bool) -> Receipt:
        """Erase until a whole round finds nothing more, then leave the tombstone."""
        is_resumed = is_begun
        selection = self._journal.selection() if is_begun else Selection()
        self._remove_orphans()
        first: Chosen | None = None
        for number in range(_MOST_ROUNDS):
            objects = self._store.walk()
            merged = selection
            if number < _MOST_CHOICES:
                chosen = self._chosen(objects, is_first=first is None and not is_begun)
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
        assert first is not None  # noqa: S101 - each of the first rounds chooses
        if number >= _MOST_CHOICES:  # what came since the last choice
            since = self._chosen(self._store.walk(), is_first=False)
            if selection.merged(since.selection) != selection:
                first = replace(first, later=max(1, since.rows))
        steps = self._journal.steps() if is_begun else ()
        known = {delivered_name(name) for step in steps for name in step.removes}
        objects = [one for one in self._store.walk() if delivered_name(one.name) not in known]
        strays = stray_payloads(self._store, objects, self._request, self._condition)
        if strays.names:
            if not is_begun:
                self._journal.begin()
                is_begun = True
            self._remove_strays(strays)
        first = replace(first, undecided=first.undecided + strays.undecided)
        if is_resumed:  # what an earlier process found may be gone already
            first = replace(first, unfound=())
        return self._finish(first, selection, is_begun=is_begun)

    def _remove_strays(self, strays: StrayPayloads) -> None:
        info = self._journal.info
        step = Step(
            kind=info.kind, id=info.id, time=info.time, tool=self._tool, hours=strays.hours, objects=len(strays.names)
        )
        self._journal.step(step)
        for name in strays.names:
            self._check()
            remove_now(self._store, name)

    def _chosen(self, objects: Sequence[StoredObject], *, is_first: bool) -> Chosen:
        seen = self._seen.chosen_from
        return choose(self._store, objects, self._request, self._condition, seen, is_first=is_first)

    def _remove_orphans(self) -> None:
        """Remove Parquet files without a manifest: nothing reads them, so it is not known whose rows they have."""
        for name, _ in orphans_in(self._store.walk("_parquet"), self._request.scope, only=self._request.only):
            self._check()
            remove_now(self._store, name)

    def _erase_round(self, objects: Sequence[StoredObject], selection: Selection) -> bool:
        """Rewrite every blob that has chosen rows; whether there was one."""
        erasers = _erasers(self._store, objects, selection, self._request, self._condition)
        has_any = self._erase_compacted(erasers, objects)
        places = [
            place
            for place in places_in(objects, self._request.scope, only=self._request.only)
            if place.blob.size > self._seen.scanned.get(place.blob.name, 0)
        ]
        progress = Progress(self._store.shown, sum(place.blob.size for place in places))
        for place in places:
            eraser = erasers.of(place)
            start = self._seen.scanned.get(place.blob.name, 0)
            position, is_hit = has_chosen(self._store, place, eraser, start, progress)
            self._seen.scanned[place.blob.name] = position
            if is_hit:
                has_any = True
                self._rewrite(place, eraser)
        return has_any

    def _erase_compacted(self, erasers: Erasers, objects: Sequence[StoredObject]) -> bool:
        """Rewrite every compacted folder that has chosen rows, before the lines: whether there was one."""
        has_any = False
        for eraser, manifest in compacted_in(erasers, objects):
            name = manifest_name(manifest.root, manifest.date, manifest.number)
            if name in self._seen.scanned:
                continue
            self._seen.scanned[name] = 0
            if eraser.has_chosen(manifest):
                has_any = True
                eraser.erase(manifest, self._journal, self._check, self._tool)
            else:
                clean_compacted(self._store, manifest.folder, manifest, self._check)
        return has_any

    def _rewrite(self, place: Place, eraser: Eraser) -> None:
        step = self._rewriter.rewrite(place.blob.name, eraser, place.counted)
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
            receipt = _receipt(self._store, info, chosen, hours=(), is_done=True)
            self._keep(receipt)
            return receipt
        remove_leftovers(self._store, self._check, self._journal.steps(), selection)
        objects = self._store.walk()
        mentions = mentions_in(_erasers(self._store, objects, selection, self._request, self._condition), objects)

        def receipt_of(tombstone: Tombstone, name: str, predicate: str) -> Receipt:
            return _receipt(
                self._store,
                msgspec.structs.replace(info, by=tombstone.by, reason=tombstone.reason),
                chosen,
                hours=tombstone.hours,
                is_done=True,
                blobs=tombstone.blobs,
                objects=tombstone.objects,
                tombstone=name,
                predicate=predicate,
                mentions=mentions,
            )

        return finished(self._store, self._journal, self._check, receipt_of, self._keep)


def _info(request: EraseRequest, by: str, reason: str) -> JournalInfo:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    info = JournalInfo.of("erase", request.text, time=now, key=secrets.token_hex(32))
    return msgspec.structs.replace(info, by=by, reason=reason)


def _receipt(  # noqa: PLR0913 (most are keywords)
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
        undecided=chosen.undecided,
        unfound=chosen.unfound,
        unidentified=chosen.unidentified,
        problems=unreadable_parts(chosen.distrusted),
        later=chosen.later,
        sample=() if is_done or not hours else tuple(_sample(chosen)),
        **more,
    )


def _sample(chosen: Chosen) -> list[str]:
    unfound = {plain_id(one) for one in chosen.unfound}
    rows, events = chosen.selection.rows, chosen.selection.events
    named = (f"{corr}_{ranges[0][0]}" for corr, ranges in rows.items())
    found = (one for one in (named if rows else events) if one not in unfound)
    return list(islice(found, _SAMPLE))
