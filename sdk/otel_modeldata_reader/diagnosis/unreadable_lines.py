"""Blobs that a listing shows and in which no line can be read: damaged ones, and those of other programs.

Only so much is read as shows one line that can be read, from the newest blob on, and at most `MOST_BYTES` of a store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..blobs.listing import date_of, hours_of
from ..exceptions import StoreUnavailableError
from ..lines.event_stream import event_batches
from ..lines.tally import Tally
from ..window import Window
from .finding import Finding, stops
from .seen import FUTURE_NANOSECONDS, NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from .scope import Scope

__all__ = ["MOST_BYTES", "UnreadableLines", "about_lines", "unreadable_lines"]

MOST_BYTES: Final = 64 << 20
_FIRST_BYTES: Final = 5 << 20
"""Of one blob; the receiver writes no line above 4 MiB."""
_EVER: Final = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableLines:
    """A collection without a line that can be read.

    Attributes:
        root: its folder.
        size: bytes that were read.
        is_all: whether that is all it has in the window.
        reason: what is wrong with the first of them, and where.
    """

    root: str
    size: int
    is_all: bool
    reason: str


def unreadable_lines(
    store: StoreAccess, scope: Scope, collections: Sequence[CollectionBlobs]
) -> Iterator[UnreadableLines]:
    """The collections whose blobs of the window have no line that can be read.

    Args:
        store: is read.
        scope: what is asked for.
        collections: those that have blobs of the window by their listing; beyond `MOST_BYTES` they are not looked at.
    """
    left = MOST_BYTES
    for one in collections:
        if any(scope.window.overlaps(*hours_of(date)) for date in one.compacted):
            continue  # their lines were read when they were compacted
        blobs = list(reversed(_blobs_in(one, scope)))
        chosen = _chosen(blobs, left)
        read, reason = 0, ""
        for blob in chosen:
            read += blob.size
            wrong = _first_fault(store, blob)
            if wrong is None:
                break
            reason = reason or wrong
        else:
            if chosen:
                is_all = read == sum(blob.size for blob in blobs)
                yield UnreadableLines(root=one.root, size=read, is_all=is_all, reason=reason)
        left -= read


def about_lines(found: Sequence[UnreadableLines], *, has_data: bool) -> Iterator[Finding]:
    """What is said of them, in one finding.

    Args:
        found: collections without a line that can be read.
        has_data: whether another one has lines of the window.
    """
    if not found:
        return
    first = found[0]
    others = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    sentence = (
        f"expected events in the blobs of {first.root}{others}, got {first.size:,} bytes without a line that can be "
        f"read: {first.reason}; something else than a receiver has written them, or they were damaged"
    )
    yield Finding(cause="unreadable_lines", step="collection", outcome=stops(has_data=has_data), sentence=sentence)


def _blobs_in(one: CollectionBlobs, scope: Scope) -> list[StoredObject]:
    """The blobs that may have lines of the window, as `seen` has it."""
    since = scope.window.bounds[0]
    return [
        blob
        for blob in one.within(scope.window)
        if blob.size
        and hours_of(date_of(blob.name))[0] <= scope.now + FUTURE_NANOSECONDS
        and (blob.modified is None or int(blob.modified * NANOSECONDS) >= since)
    ]


def _chosen(blobs: Sequence[StoredObject], most: int) -> list[StoredObject]:
    """The beginnings of blobs, so many bytes in all."""
    chosen = []
    for blob in blobs:
        if (size := min(blob.size, _FIRST_BYTES, most)) <= 0:
            break
        chosen.append(replace(blob, size=size))
        most -= size
    return chosen


def _first_fault(store: StoreAccess, blob: StoredObject) -> str | None:
    """What is wrong with the first line of a blob; None if it has one that can be read."""
    tally = Tally(strict=False)
    try:
        if next(event_batches(store, [blob], _EVER, tally), None) is not None:
            return None
    except StoreUnavailableError as error:
        return str(error)
    first = tally.report({}, ()).first
    return "{1} in {0}".format(*first[0]) if first else f"expected lines, got none in {blob.name}"
