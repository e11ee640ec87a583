"""What a request chooses in its scope, and what it must not choose without being asked twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from ...blobs.listing import collections_of
from ...exceptions import ReaderError, UnknownNameError
from ...nearest import nearest
from ..places import collections_in_scope, objects_of, places_in, with_parked
from ..scan import Erasers, would_go
from .chosen_rows import Chosen, choose_by_condition, choose_by_ids
from .selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess
    from .quarantine_condition import QuarantineCondition
    from .request import EraseRequest

__all__ = ["choose"]


def choose(  # noqa: PLR0913 (called in two places)
    store: StoreAccess,
    objects: Sequence[StoredObject],
    request: EraseRequest,
    condition: QuarantineCondition | None,
    seen: dict[str, int] | None = None,
    *,
    is_first: bool = True,
) -> Chosen:
    """What is chosen among the blobs that are new or larger than `seen` has them, which is brought up to date.

    Args:
        store: has the rows.
        objects: its listing.
        request: what is erased.
        condition: that of the request, for records in quarantine.
        seen: sizes of blobs that were looked at; None looks at everything.
        is_first: whether the request must be right: else a part of it may be erased already.

    Raises:
        UnknownNameError: no such collection or deployment.
        ReaderError: no condition, or one that chooses too much; the message says what to add.
        StoreUnavailableError: the store cannot be read.
    """
    seen = {} if seen is None else seen
    is_all = not seen
    collections = with_parked(collections_in_scope(objects, request.scope), objects, request.scope)
    if is_first:
        _check_scope(store, objects, collections, request)
    fresh = {
        root: replace(
            one,
            blobs=tuple(blob for blob in one.blobs if blob.size > seen.get(blob.name, 0)),
            compacted=one.compacted if is_all else {},
        )
        for root, one in collections.items()
    }
    seen.update((blob.name, blob.size) for one in collections.values() for blob in one.blobs)
    if request.where is not None:
        chosen = Chosen(selection=Selection())
        if request.scope in fresh:  # else all of its lines are gone already
            chosen = choose_by_condition(store, fresh[request.scope], request)
    else:
        chosen = choose_by_ids(store, fresh.values(), request)
    if condition is not None:
        _look_at_quarantine(store, objects, request, condition, seen)
        selection = chosen.selection.merged(condition.selection)
        chosen = replace(chosen, selection=selection, undecided=condition.undecided)
    if chosen.ambiguous and not request.shared and is_first:
        raise ReaderError(
            f"expected ids of one request, event or row each, got {chosen.ambiguous[0]!r}, which is the id of a "
            "request and of a row or an event of another one: erase with a condition about correlationid, row_id or "
            "event_id, or all of them with --shared (shared=True)"
        )
    if chosen.repeated and not request.shared and is_first:
        raise ReaderError(
            f"expected each event id in lines with the same rows, got {chosen.repeated:,} rows that were not chosen, "
            "but have the event id and the number of a chosen row: erase them, too, with --shared (shared=True)"
        )
    if chosen.shared and not request.shared and is_first:
        raise ReaderError(
            f"expected correlation ids of one request each, got {chosen.shared:,} rows with the row id of a chosen "
            "row that were not chosen: erase with --only (only=True) in the collection alone, or with --shared "
            "(shared=True) every row that has such a row id"
        )
    if chosen.shared and request.shared:
        chosen = replace(chosen, selection=msgspec.structs.replace(chosen.selection, exact=frozenset()))
    if is_first and chosen.rows and chosen.rows == chosen.of and not request.every:
        raise ReaderError(
            f"expected a condition for some rows, got one that is true for all {chosen.of:,}: correct it, or say "
            "--all (every=True)"
        )
    return chosen


def _check_scope(
    store: StoreAccess, objects: Iterable[StoredObject], collections: dict[str, Any], request: EraseRequest
) -> None:
    scope = request.scope
    if request.where is not None or request.only:
        if scope not in collections:
            known = nearest(scope, list(collections))
            raise UnknownNameError(f"expected a collection of {store.shown}, got {scope!r}: {known}")
    elif scope and not any(root == scope or root.startswith(f"{scope}/") for root in collections):
        names = {"/".join(one.names[:2]) for one in collections_of(objects).values() if one.names}
        raise UnknownNameError(
            f"expected a collection or a deployment of {store.shown}, got {scope!r}: {nearest(scope, sorted(names))}"
        )


def _look_at_quarantine(
    store: StoreAccess,
    objects: Sequence[StoredObject],
    request: EraseRequest,
    condition: QuarantineCondition,
    seen: dict[str, int],
) -> None:
    """Evaluate a condition for records in quarantine that are new; it keeps what it is true for."""
    erasers = Erasers(
        store=store,
        selection=Selection(),
        payloads=objects_of(objects),
        scope=request.scope,
        condition=condition,
        only=request.only,
    )
    for place in places_in(objects, request.scope, only=request.only):
        if place.is_quarantine and place.blob.size > seen.get(place.blob.name, 0):
            seen[place.blob.name] = place.blob.size
            would_go(erasers, [place])
