"""Notes that a receiver leaves in the store when lines that it had acknowledged are gone."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["VanishedLines", "is_note", "read_note"]

FOLDER: Final = "_vanished/"


class VanishedLines(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that became shorter, was deleted or was replaced, for example by a store restored from an older snapshot.

    Attributes:
        time: when a receiver noticed it.
        blob: its name in the store.
        expected: bytes that had been acknowledged.
        found: bytes that it has now; 0 if it is gone.
        lines: events that are gone, as far as the receiver remembered their ids.
    """

    time: str
    blob: str
    expected: int
    found: int
    lines: int = 0

    @property
    def sentence(self) -> str:
        """The note as part of a sentence."""
        lines = f", at least {self.lines:,} line(s)" if self.lines else ""
        return (
            f"{self.blob[:300]!r}: expected {self.expected:,} bytes that were acknowledged, found {self.found:,} at "
            f"{self.time[:40]}{lines}; was the store restored from a copy?"
        )


_decode: Final = msgspec.json.Decoder(VanishedLines).decode


def is_note(name: str) -> bool:
    """Whether an object of the store is such a note."""
    return name.startswith(FOLDER) and name.endswith(".json")


def read_note(content: bytes) -> VanishedLines | None:
    """The note; None if it cannot be read, for example because it is torn."""
    try:
        return _decode(content)
    except (ValueError, RecursionError):
        return None
