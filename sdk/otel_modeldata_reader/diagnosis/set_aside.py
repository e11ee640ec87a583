"""What receivers have set aside of what is asked for: quarantine, and notes about vanished lines.

A hostile store decides how much of it there is, so what is read is bounded: the newest of it first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_receiver.layout.blob_path import parse_blob_path
from otel_modeldata_receiver.layout.partition import QUARANTINE
from otel_modeldata_receiver.storage.parking.parked_names import PARKED

from ..auditing.quarantine_line import QuarantinedLine
from ..auditing.quarantined_request import events_in_line
from ..auditing.vanished_lines import FOLDER as VANISHED
from ..auditing.vanished_lines import is_note, read_note
from ..blobs.listing import date_of, hours_of
from ..blobs.newest_blobs import lines_of, newest
from .finding import Finding, stops
from .seen import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .scope import Scope

__all__ = ["quarantined", "vanished"]

MOST_BYTES: Final = 64 << 20
"""Of quarantine that are read."""
_MOST_KINDS: Final = 50
_MOST_NOTES: Final = 200
_MOST_NOTE_BYTES: Final = 64 << 10
_SHOWN_KINDS: Final = 3
_SHOWN_CHARS: Final = 240


class _Line(QuarantinedLine, frozen=True, kw_only=True):
    reason: str = ""
    collection: str = ""


_decode: Final = msgspec.json.Decoder(_Line).decode


class _Tally:
    """Records by the kind of their reason, with an example of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, reason: str, records: int) -> None:
        kind = reason.partition(":")[0][:80] or "no reason"
        if kind not in self.counts and len(self.counts) >= _MOST_KINDS:
            kind = "other reasons"
        self.counts[kind] += records
        self._examples.setdefault(kind, reason[:_SHOWN_CHARS])

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        kinds = self.counts.most_common()
        shown = "; ".join(f"{count:,} x {self._examples[kind] or kind}" for kind, count in kinds[:_SHOWN_KINDS])
        return shown + (f"; and {len(kinds) - _SHOWN_KINDS} more reasons" if len(kinds) > _SHOWN_KINDS else "")


def quarantined(store: StoreAccess, scope: Scope, after: int | None, *, has_data: bool) -> Iterator[Finding]:
    """Records of what is asked for that could not become lines.

    Args:
        store: has the quarantine.
        scope: what is asked for.
        after: only what was written from then on, in nanoseconds since the epoch; None is all.
        has_data: whether lines of it are in the window.
    """
    blobs, left = newest([one for one in store.walk(QUARANTINE) if _is_recent(one, scope, after)], MOST_BYTES)
    ours, unknown = _Tally(), _Tally()
    for _, raw in lines_of(store, blobs):
        _count(raw, scope, ours, unknown)
    more = f" (in the newest {MOST_BYTES >> 20} MiB of {(left + MOST_BYTES) >> 20} MiB)" if left else ""
    if ours:
        sentence = (
            f"{ours.counts.total():,} record(s) of {scope.shown} could not become lines and are in "
            f"{QUARANTINE}/{more}: {ours}"
        )
        outcome = stops(has_data=has_data)
        yield Finding(cause="quarantined", step="quarantine", outcome=outcome, sentence=sentence, run=(scope.audit,))
    if unknown:
        sentence = (
            f"{unknown.counts.total():,} record(s) in {QUARANTINE}/{more} do not say of which deployment or collection "
            f"they are, so they may be of {scope.shown}: {unknown}"
        )
        yield Finding(
            cause="quarantined_without_name",
            step="quarantine",
            outcome="suspect",
            sentence=sentence,
            run=(scope.whole_audit,),
        )
    if not ours and not unknown:
        yield Finding(
            cause="no_quarantine", step="quarantine", outcome="ok", sentence=f"no record of {scope.shown} is in it"
        )


def _is_recent(one: StoredObject, scope: Scope, after: int | None) -> bool:
    if not one.name.endswith(".jsonl") or not one.size:
        return False
    if after is None or scope.window.overlaps(*hours_of(date_of(one.name))):
        return True
    return one.modified is None or one.modified * NANOSECONDS >= after


def _count(raw: bytes, scope: Scope, ours: _Tally, unknown: _Tally) -> None:
    try:
        line = _decode(raw)
    except (ValueError, RecursionError):
        return
    events = events_in_line(line)
    rest = max(0, line.records - len(events))
    for event in events:
        _count_one(line, "/".join(event.tenant or ()), event.collection or line.collection, 1, scope, ours, unknown)
    if rest:
        _count_one(line, "", line.collection, rest, scope, ours, unknown)


def _count_one(  # noqa: PLR0913, PLR0917 (one place)
    line: _Line, tenant: str, collection: str, records: int, scope: Scope, ours: _Tally, unknown: _Tally
) -> None:
    endpoint = scope.tenant.partition("/")[0]
    if not tenant and line.endpoint and endpoint and line.endpoint.lower() != endpoint.lower():
        return
    is_ours = scope.names(tenant, collection)
    if is_ours is not False:
        (unknown if is_ours is None else ours).add(line.reason, records)


def vanished(store: StoreAccess, scope: Scope, *, has_data: bool) -> Iterator[Finding]:
    """Lines that were acknowledged and are gone, as receivers have noted."""
    notes = [one for one in store.walk(VANISHED.rstrip("/")) if is_note(one.name) and one.size <= _MOST_NOTE_BYTES]
    notes.sort(key=lambda one: one.modified or 0.0, reverse=True)
    for one in notes[:_MOST_NOTES]:
        note = read_note(store.read(one.name, one.size))
        if note is None:
            continue
        path = parse_blob_path(note.blob.removeprefix(f"{PARKED}/"))
        is_ours = scope.covers(f"{path.endpoint}/{path.deployment}/{path.collection}")
        if is_ours or not path.endpoint:  # a folder that the operator chose may be that of any deployment
            yield Finding(
                cause="vanished",
                step="vanished",
                outcome=stops(has_data=has_data or not is_ours),
                sentence=f"acknowledged lines are gone from {note.sentence}",
                run=(scope.audit if is_ours else scope.whole_audit,),
            )
            return
    yield Finding(cause="nothing_vanished", step="vanished", outcome="ok", sentence="no receiver has noted a loss")
