"""What a request chooses in its scope, and what it must not choose without being asked twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from ..blobs.listing import collections_of
from ..exceptions import ReaderError, UnknownNameError
from ..nearest import nearest
from .choosing import Chosen, choose_by_condition, choose_by_ids
from .places import collections_in_scope
from .selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .request import EraseRequest

__all__ = ["choose"]


def choose(
    store: StoreAccess,
    objects: Sequence[StoredObject],
    request: EraseRequest,
    seen: dict[str, int] | None = None,
    *,
    is_first: bool = True,
) -> Chosen:
    """What is chosen among the blobs that are new or larger than `seen` has them, which is brought up to date."""
    seen = {} if seen is None else seen
    collections = collections_in_scope(objects, request.scope)
    if is_first:
        _check_scope(store, objects, collections, request)
    fresh = {
        root: replace(one, blobs=tuple(blob for blob in one.blobs if blob.size > seen.get(blob.name, 0)))
        for root, one in collections.items()
    }
    seen.update((blob.name, blob.size) for one in collections.values() for blob in one.blobs)
    if request.where is not None:
        chosen = Chosen(selection=Selection())
        if request.scope in fresh:  # else all of its lines are gone already
            chosen = choose_by_condition(store, fresh[request.scope], request)
    else:
        chosen = choose_by_ids(store, fresh.values(), request)
    if chosen.shared and not request.shared:
        raise ReaderError(
            f"expected correlation ids of one request each, got {chosen.shared:,} rows with the row id of a chosen "
            "row that were not chosen: erase with only=True (--only) in the collection alone, or with shared=True "
            "(--shared) every row that has such a row id"
        )
    if chosen.shared:
        chosen = replace(chosen, selection=msgspec.structs.replace(chosen.selection, exact=frozenset()))
    if is_first and chosen.rows and chosen.rows == chosen.of and not request.every:
        raise ReaderError(
            f"expected a condition for some rows, got one that is true for all {chosen.of:,}: correct it, or say "
            "every=True (--all)"
        )
    return chosen


def _check_scope(
    store: StoreAccess, objects: Iterable[StoredObject], collections: dict[str, Any], request: EraseRequest
) -> None:
    scope = request.scope
    if request.where is not None or request.only:
        if scope not in collections:
            raise UnknownNameError(
                f"expected a collection of {store.shown}, got {scope!r}: {nearest(scope, list(collections_of(objects)))}"
            )
    elif scope and not any(root == scope or root.startswith(f"{scope}/") for root in collections):
        names = {"/".join(one.names[:2]) for one in collections_of(objects).values() if one.names}
        raise UnknownNameError(
            f"expected a collection or a deployment of {store.shown}, got {scope!r}: {nearest(scope, sorted(names))}"
        )
