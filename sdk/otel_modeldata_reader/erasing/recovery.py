"""The beginning and the end of an erasure: what was interrupted is undone, and what is complete gets its tombstone."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from .choosing.request import predicate_of
from .journal import Journal, journals_in
from .tombstone import FOLDER, UNFINISHED, Tombstone, tombstone_name, tombstones_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..blobs.store_access import StoreAccess
    from .receipt import Receipt

__all__ = ["finished", "recovered", "tool"]


def tool() -> str:
    """Name and version of this program."""
    return f"otel-modeldata {version('otel-modeldata')}"


def recovered(store: StoreAccess, check: Callable[[], None]) -> Mapping[str, Journal]:
    """The erasures that were interrupted; what they had begun in a blob is undone.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
    """
    journals = journals_in(store, check)
    if journals:
        objects = store.walk()
        found = tombstones_in(store, [one for one in objects if not one.name.startswith(f"{UNFINISHED}/")])
        tombstones = [one for _, one in found if one is not None]
        for journal in journals.values():
            journal.recover(objects, tombstones)
    return journals


def finished(
    store: StoreAccess,
    journal: Journal,
    check: Callable[[], None],
    receipt_of: Callable[[Tombstone, str, str], Receipt],
    keep: Callable[[Receipt], object],
) -> Receipt:
    """Write the tombstone of an erasure, have its receipt kept, and remove the journal.

    Args:
        store: has both.
        journal: of the erasure.
        check: proves that this command may still change the store.
        receipt_of: makes the receipt of the tombstone, its name (empty if nothing was erased), and the HMAC of the
            request in it.
        keep: keeps the receipt. Only the journal and the receipt have the key of the HMAC, so the journal stays until
            this has returned: after an error the same request gives the receipt again.

    Raises:
        StoreUnavailableError: the store cannot be read or written.
    """
    predicate = predicate_of(journal.info.request, journal.info.key)
    tombstone = journal.joined(tool(), predicate)
    name = ""
    if tombstone.hours or tombstone.blobs:
        content = msgspec.json.encode(tombstone)
        name = tombstone_name(tombstone, content)
        check()
        store.put(name, content)
    else:  # a process that was killed may have written it already, with the key that the journal still has
        objects = [one for one in store.walk(FOLDER) if not one.name.startswith(f"{UNFINISHED}/")]
        for written, found in tombstones_in(store, objects):
            if found is not None and found.id == journal.info.id and found.predicate == predicate:
                tombstone, name = found, written
    receipt = receipt_of(tombstone, name, predicate if name else "")
    keep(receipt)
    journal.end()
    return receipt
