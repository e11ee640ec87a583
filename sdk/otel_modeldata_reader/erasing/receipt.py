"""The receipt of an erasure: what was asked for and what went, for the file of the person or of the auditor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX

from ..report import counted

if TYPE_CHECKING:
    from .tombstone import BlobChange, ErasedHour

__all__ = ["Receipt", "unreadable_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an erasure did, or would do.

    Attributes:
        store: its URL, without secrets.
        request: what was asked for, as JSON.
        key: of the HMAC in the tombstone; empty if nothing was erased. Keep it with the request: both prove what the
            tombstone is about.
        predicate: that HMAC.
        time: when it began, in UTC.
        by: who did it.
        reason: why.
        tool: name and version of this program.
        is_done: whether it was done; else this is what would go.
        hours: what is gone from each folder.
        blobs: each blob that was replaced, with its checksum before and after.
        objects: payloads that were removed or rewritten, and files of the index and of seals.
        tombstone: its name in the store; empty if nothing was erased.
        of: how many rows the condition was evaluated for.
        unread: lines for which no condition could be evaluated, because they cannot be read; `audit` names them.
        undecided: records in quarantine whose rows the condition cannot be evaluated for, and payloads without a line
            that may have chosen rows: they stay.
        unfound: ids that were asked for and that no event has; empty when an erasure was resumed.
        unidentified: chosen rows that stay, because their lines have no ids.
        problems: folders that stay as they are, or may have more of what was asked for, because their Parquet files
            cannot be read.
        later: rows that came while others were erased, and stay.
        mentions: rows of labels, spans and own collections that have a chosen id in a column that names none, and stay.
        sample: row ids or event ids of some of the rows, only before they are erased.
    """

    store: str
    request: str
    key: str
    predicate: str
    time: str
    by: str
    reason: str
    tool: str
    is_done: bool
    hours: tuple[ErasedHour, ...]
    blobs: tuple[BlobChange, ...] = ()
    objects: int = 0
    tombstone: str = ""
    of: int = 0
    unread: int = 0
    undecided: int = 0
    unfound: tuple[str, ...] = ()
    unidentified: int = 0
    problems: tuple[str, ...] = ()
    later: int = 0
    mentions: int = 0
    sample: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """Whole events that are gone; those of copies that Azure ML's reader made are the same ones."""
        return sum(one.events for one in self.hours if not one.root.endswith(SHADOW_SUFFIX))

    @property
    def rows(self) -> int:
        """Rows that are gone."""
        return sum(one.rows for one in self.hours if not one.root.endswith(SHADOW_SUFFIX))

    @property
    def size(self) -> int:
        """Bytes that are gone."""
        return sum(one.size for one in self.hours)

    def facts(self) -> dict[str, object]:
        """Everything as values of JSON."""
        import msgspec  # noqa: PLC0415 (only for output)

        facts = asdict(self) | {"hours": msgspec.to_builtins(self.hours), "blobs": msgspec.to_builtins(self.blobs)}
        return facts | {"events": self.events, "rows": self.rows, "size": self.size}


def unreadable_parts(folders: int) -> tuple[str, ...]:
    """The problem of folders with Parquet files that cannot be read; none of no folder."""
    if not folders:
        return ()
    problem = (
        f"{counted(folders, 'folder')} with Parquet files that cannot be read: the condition was not "
        "evaluated for what only they have; see audit"
    )
    return (problem,)
