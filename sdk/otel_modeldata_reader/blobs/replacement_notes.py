"""Writes the notes that tell receivers that a blob was replaced on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import StoreUnavailableError

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement

    from .store_access import StoreAccess

__all__ = ["put_note"]


def put_note(store: StoreAccess, note: Replacement) -> None:
    """Write a note about a blob that is there, in place of another one about the same bytes of it.

    A command that was killed before it removed the blob has left that one. It holds only while the blob is gone.

    Raises:
        StoreUnavailableError: the store cannot be read or written, or another command writes notes about the blob.
    """
    name, folder = note.note_name, note.note_name.rpartition("/")[0]
    stale = next((one for one in store.walk(folder) if one.name == name), None)
    is_other = stale is not None and (stale.size != len(note.note) or store.read(name, stale.size) != note.note)
    if stale is not None and is_other and not store.remove(name, stale.size):
        raise StoreUnavailableError(f"expected {name} to stay as it is, got another size: run it again")
    store.put(name, note.note)
