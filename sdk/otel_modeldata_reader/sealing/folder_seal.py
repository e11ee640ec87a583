"""A folder of a collection, its seal, and whether all events of its time are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from .seal import Seal

__all__ = ["FolderSeal", "FolderState", "Waiting", "moment_of"]

FolderState: TypeAlias = Literal["open", "closed", "sealed", "reopened", "changed", "empty"]
"""
- `open`: events of its time may still come: the time has not ended, or not long enough ago.
- `closed`: its time has ended, and it has no seal.
- `sealed`: it has exactly the bytes of its seal.
- `reopened`: lines came after its seal.
- `changed`: bytes of its seal are gone or are others now.
- `empty`: its time has ended, and no event came. Such a folder does not exist, and has no seal.
"""
Waiting: TypeAlias = Literal["", "parked", "written"]
"""What a folder waits for before it can be sealed: lines that are parked, or the end of a write a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSeal:
    """What is known about a folder.

    Attributes:
        collection: `endpoint/deployment/collection`.
        date: the span of time in UTC, as the folder has it: `2026/11/22/10`.
        since: its first moment, in UTC.
        until: the first moment after it.
        state: see `FolderState`.
        seal: the newest one, if there is any.
        late_bytes: bytes that came after it.
        waits_for: `parked` if lines for it wait in the store for their place, `written` if a line came a moment ago and
            more may come with it; empty if it can be sealed, or need not be.
        is_new: whether the seal was made now.
    """

    collection: str
    date: str
    since: datetime
    until: datetime
    state: FolderState
    seal: Seal | None = None
    late_bytes: int = 0
    waits_for: Waiting = ""
    is_new: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all events are there, and the seal says which: also if later ones came, which it does not have."""
        return self.state in {"sealed", "reopened", "empty"}


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment_of(nanoseconds: int) -> datetime:
    """A moment in UTC; the last one of the year 9999 for later ones."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc)
