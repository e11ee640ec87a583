"""Lines that were acknowledged and are not in the store any more, and how they are reported."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from .folder_names import MOUNTED, VANISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...telemetry import Instruments
    from ..store import Store
    from .blob_mark import BlobMark

__all__ = ["VanishedLines", "report"]

logger = logging.getLogger(__name__)

_NS_PER_SECOND: Final = 1_000_000_000
_MOUNTED: Final = re.compile(rf"{MOUNTED}/[^/]+/")
"""How the names of a mounted store begin (`../mounts.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VanishedLines:
    """Lines that were acknowledged and are not in the store any more.

    Attributes:
        blob: name of their blob.
        expected: bytes that were acknowledged.
        found: bytes that the blob has; 0 if it is gone. It was replaced if it is not shorter than expected.
        lines: how many of the ids that the receiver knew are gone; 0 if it is not known.
        time_ns: when it was noticed, ns since the epoch.
    """

    blob: str
    expected: int
    found: int
    lines: int
    time_ns: int

    @classmethod
    def of(cls, mark: BlobMark, found: int, *, lines: int, time_ns: int) -> VanishedLines:
        """What vanished from the blob of `mark`, which has `found` bytes now."""
        return cls(blob=mark.name, expected=mark.size, found=found, lines=lines, time_ns=time_ns)

    @property
    def size(self) -> int:
        """How many bytes are missing; a replaced blob counts as a whole."""
        return self.expected - self.found if self.found < self.expected else self.expected

    @property
    def note(self) -> bytes:
        """The note for `audit`: one JSON object."""
        moment = datetime.fromtimestamp(self.time_ns // _NS_PER_SECOND, timezone.utc)
        mounted = _MOUNTED.match(self.blob)
        note = {
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "blob": self.blob[mounted.end() if mounted else 0 :],
            "expected": self.expected,
            "found": self.found,
            "lines": self.lines,
        }
        return json.dumps(note).encode() + b"\n"

    @property
    def note_name(self) -> str:
        """The name of the note, in the store of the blob."""
        mounted = _MOUNTED.match(self.blob)
        digest = hashlib.sha256(f"{self.blob}|{self.expected}|{self.found}".encode()).hexdigest()[:32]
        return f"{mounted[0] if mounted else ''}{VANISHED}/{digest}.json"


async def report(reports: Sequence[VanishedLines], store: Store, instruments: Instruments) -> None:
    """Report lines that vanished: as a note for `audit` in the store, then in metrics and in the log.

    Raises:
        StoreError: not every note is known to be stored; nothing else was done, and calling again is safe.
    """
    for one in reports:
        with contextlib.suppress(ValueError):  # it was stored before, and its answer was lost
            await store.put(one.note_name, one.note, "application/json")
    for one in reports:
        instruments.vanished_lines.add(one.lines)
        instruments.vanished_bytes.add(one.size)
        logger.error(
            "acknowledged lines have vanished from %s: it had %d bytes, and now has %d%s; lines sent again "
            "are stored again. Was the store restored from an older copy?",
            one.blob,
            one.expected,
            one.found,
            f", and {one.lines} known lines are gone" if one.lines else "",
        )
