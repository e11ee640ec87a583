"""Reads the payloads that are not in a line: large rows (`dataref`), and binary content (`datainblob`).

They are objects beside the blob of their line, also after the store was moved. Nothing outside of the store is opened:
a line may name any file of this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..blobs.store_access import StoreAccess
    from .envelope import Envelope

__all__ = ["Payloads"]

_TRUE: Final = "true"
_text: Final = msgspec.json.Decoder(str)


class Payloads:
    """The payloads of one collection.

    Args:
        store: has them.
        objects: the sizes of its objects by name.
    """

    def __init__(self, store: StoreAccess, objects: Mapping[str, int]) -> None:
        self._store = store
        self._objects = objects

    def is_elsewhere(self, envelope: Envelope) -> bool:
        """Whether the payload of a line is an object of its own."""
        return envelope.dataref is not None or is_binary(envelope)

    def read(self, envelope: Envelope, blob: str) -> bytes | None:
        """The payload of a line that is in `blob`; None if the store does not have it.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        from otel_modeldata_receiver.layout.payload_path import payload_path  # noqa: PLC0415 (a store is open already)

        reference = _reference(envelope)
        if reference is None:
            return None
        name = payload_path(blob.rpartition("/")[0], reference).found(self._objects)
        return None if name is None else self._store.read(name, self._objects[name])


def is_binary(envelope: Envelope) -> bool:
    """Whether the payload of a line is binary content in an object of its own."""
    return envelope.datainblob is not None and envelope.datainblob.lower() == _TRUE


def _reference(envelope: Envelope) -> str | None:
    if envelope.dataref is not None:
        return envelope.dataref
    try:
        return _text.decode(envelope.data)
    except msgspec.DecodeError:
        return None
