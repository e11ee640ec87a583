"""Events that producers have numbered and that are nowhere in the store, and damaged lines, by an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..auditing.audit import Selection, audit
from ..auditing.fault import MAX_LOCATIONS
from ..auditing.records.store_records import StoreRecords
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..auditing.audit import Audit
    from ..blobs.store_access import StoreAccess
    from .scope import Scope
    from .seen import Seen

__all__ = ["gaps"]

MOST_BYTES: Final = 64 << 20
MOST_BLOBS: Final = 500
"""An audit reads every line, so more is left to the command."""


def gaps(store: StoreAccess, scope: Scope, collections: Sequence[Seen]) -> Iterator[Finding]:
    """Gaps in the numbers of the events.

    Args:
        store: is read.
        scope: what is asked for.
        collections: the listed ones.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    blobs, size = sum(one.blobs for one in collections), sum(one.size for one in collections)
    if scope.tenant and _is_small(blobs, size):
        everything = store.walk()  # an audit reads quarantine and parked lines, too
        blobs, size = len(everything), sum(one.size for one in everything)
    if not scope.tenant or not _is_small(blobs, size):
        large = f"there are {blobs:,} blobs of {size / 1e6:,.0f} MB to read"
        reason = large if scope.tenant else "no deployment is named"
        yield Finding(
            cause="gaps_not_checked",
            step="sequence",
            outcome="not checked",
            sentence=f"{reason}: an audit finds gaps in the numbers of events",
            run=(scope.audit,),
        )
        return
    endpoint, _, deployment = scope.tenant.partition("/")
    selection = Selection(endpoint=endpoint, deployment=deployment, collection=scope.collection or None)
    records = StoreRecords(store, use_seals=False)  # what was erased on purpose is no gap
    found = store.run(lambda opened: audit(opened, selection, (), lambda *_: None, records=records))
    yield from _damaged(found, scope)
    missing = [one for one in found.reconciliations if one.missing]
    if missing:
        events = sum(one.missing for one in missing)
        sentence = (
            f"{events:,} event(s) of {len(missing):,} producer(s) of {scope.shown} are not in the store, and "
            "others with later numbers are: they are under way, or were lost before the store"
        )
        yield Finding(cause="gaps", step="sequence", outcome="suspect", sentence=sentence, run=(scope.audit,))
    elif any(one.last is not None for one in found.reconciliations):
        yield Finding(cause="no_gaps", step="sequence", outcome="ok", sentence="the numbers of the events have no gap")
    else:
        sentence = "no event has a number, so gaps cannot be seen"
        yield Finding(cause="no_numbers", step="sequence", outcome="not checked", sentence=sentence)


def _damaged(found: Audit, scope: Scope) -> Iterator[Finding]:
    """Lines of what is asked for that are no events: a reader leaves them out."""
    damaged = [one for one in found.ledger.unreadable.locations if one.blob.startswith(f"{scope.name}/")]
    if not damaged:
        return
    first = damaged[0]
    count = f"{len(damaged)} or more" if found.ledger.unreadable.count > MAX_LOCATIONS else f"{len(damaged)}"
    sentence = (
        f"{count} line(s) of {scope.shown} cannot be read, and readers leave them out: {first.reason} in {first.blob}, "
        f"line {first.line}"
    )
    yield Finding(cause="damaged_lines", step="sequence", outcome="suspect", sentence=sentence, run=(scope.audit,))


def _is_small(blobs: int, size: int) -> bool:
    return blobs <= MOST_BLOBS and size <= MOST_BYTES
