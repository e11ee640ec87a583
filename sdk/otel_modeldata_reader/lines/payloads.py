"""Reads the payloads that are not in a line: large rows (`dataref`), and binary content (`datainblob`).

They are objects beside the blob of their line, also after the store was moved. Nothing outside of the store is opened:
a line may name any file of this machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..blobs.store_access import StoreAccess
    from .envelope import Envelope

__all__ = ["Payloads"]

_TRUE: Final = "true"
_MOST_BYTES: Final = 512 << 20
"""Of one payload, which is in memory several times while it is read. No receiver takes a request of this size."""
_RANGE: Final = re.compile(r"bytes 0-([0-9]{1,18})/(?:[0-9]{1,18}|\*)")
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

    def read(self, envelope: Envelope, blob: str, *, most: int = _MOST_BYTES) -> bytes | None:
        """The payload of a line that is in `blob`; None if `problem` has a reason, or if it has more than `most` bytes.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        name = self._name(envelope, blob)
        if name is None or self.problem(envelope, blob) is not None or self._objects[name] > most:
            return None
        return self._store.read(name, self._objects[name])

    def problem(self, envelope: Envelope, blob: str) -> str | None:
        """Why the payload of a line cannot be read; None if it can."""
        name = self._name(envelope, blob)
        if name is None:
            return "none"
        size = self._objects[name]
        if size > _MOST_BYTES:
            return f"one of {size:,} bytes, which is more than {_MOST_BYTES >> 20} MiB"
        if not _has_size(envelope, size):
            return f"one of {size:,} bytes, not of the contentrange {envelope.contentrange!r:.80}"
        return None

    def _name(self, envelope: Envelope, blob: str) -> str | None:
        from otel_modeldata_receiver.layout.payload_path import payload_path  # noqa: PLC0415 (a store is open already)

        reference = _reference(envelope)
        return None if reference is None else payload_path(blob.rpartition("/")[0], reference).found(self._objects)


def is_binary(envelope: Envelope) -> bool:
    """Whether the payload of a line is binary content in an object of its own."""
    return envelope.datainblob is not None and envelope.datainblob.lower() == _TRUE


def _has_size(envelope: Envelope, size: int) -> bool:
    """Whether an object has the size that its line says, if a receiver wrote the line: others count escaped text."""
    found = _RANGE.fullmatch(envelope.contentrange or "")
    if found is None or envelope.timens is None:
        return True
    collected = int(found[1]) + 1
    if is_binary(envelope):
        return size == collected
    if (envelope.type or "").removeprefix(semconv.EVENT_TYPE_PREFIX) in semconv.PAYLOAD_COLLECTIONS:
        return True  # text that is not JSON became a JSON string
    return size in {collected, collected + 2}  # a lone row was put in brackets


def _reference(envelope: Envelope) -> str | None:
    if envelope.dataref is not None:
        return envelope.dataref
    try:
        return _text.decode(envelope.data)
    except msgspec.DecodeError:
        return None
