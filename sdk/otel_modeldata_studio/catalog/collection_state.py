"""Whether a collection needs eyes, why, and what to run: from its listing and its numbers, as `why` says it.

A collection is silent when it has been without lines for longer than between its folders of the week before. So one
that gets a batch once a day is not silent after an hour.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from otel_modeldata_reader.blobs.listing import date_of, hours_of
from otel_modeldata_reader.diagnosis.scope import Scope
from otel_modeldata_reader.diagnosis.seen import seen
from otel_modeldata_reader.diagnosis.stored import listed_findings
from otel_modeldata_reader.report import counted
from otel_modeldata_reader.sealing.folder_seal import moment_of
from otel_modeldata_reader.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs

    from .parked import ParkedCollection

__all__ = ["CollectionState", "StateLevel", "state_of"]

StateLevel = Literal["ok", "warn", "bad"]
_HOUR_NS: Final = 3_600 * 1_000_000_000
_WEEK_HOURS: Final = 168
_MOST_HOURS: Final = 48
_RETIRED_HOURS: Final = 30 * 24
"""What was silent for so long has probably ended."""
_MOST_BLOBS: Final = 2_000
_LABELS: Final = "ground_truth"
"""Labels come when somebody has them: their silence stops nothing, and none of a day is usual."""
_LABEL_HOURS: Final = 24
_LEVELS: Final = {"bad": 0, "warn": 1, "ok": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """What is to be said of a collection.

    Attributes:
        level: how much it needs eyes.
        reason: one sentence; empty if all is well.
        command: what to run; empty if nothing helps.
    """

    level: StateLevel
    reason: str = ""
    command: str = ""


def state_of(  # noqa: PLR0913 (most are keywords)
    found: CollectionBlobs,
    *,
    store: str,
    now_ns: int,
    missing: int | None,
    parked: ParkedCollection | None,
    quarantined: int,
) -> CollectionState:
    """What is to be said first of a collection.

    Args:
        found: as it was listed.
        store: URL of the store, without secrets.
        now_ns: the present, in nanoseconds since the epoch.
        missing: events that are not in the store, though later ones are; None if it is not known.
        parked: its parked lines.
        quarantined: its records in quarantine.
    """
    scope = Scope(name=found.root, window=Window(), now=now_ns, store=store, url=store)
    states = [
        *_of_parked(parked, scope),
        *_of_listing(found, scope),
        *_of_ledger(missing, scope),
        *_of_quarantine(quarantined, scope),
    ]
    first = min(states, key=lambda one: _LEVELS[one.level], default=CollectionState(level="ok"))
    if missing and first.level == "bad":  # what is missing is not hidden by what is worse
        return replace(first, reason=f"{first.reason}; it also misses {counted(missing, 'event')}")
    return first


def _of_parked(parked: ParkedCollection | None, scope: Scope) -> Iterator[CollectionState]:
    if parked is not None:
        at_least = "" if parked.is_counted else "at least "
        reason = (
            f"{at_least}{parked.lines:,} line(s) of {scope.name} are parked since {parked.oldest}, because the place "
            f"of {parked.place} takes none: nothing is lost; repair the place, and the receiver delivers them"
        )
        yield CollectionState(level="bad", reason=reason, command=scope.audit)


def _of_listing(found: CollectionBlobs, scope: Scope) -> Iterator[CollectionState]:
    newest = _newest(found)
    starts = sorted({hours_of(date)[0] // _HOUR_NS for date in _dates(newest) if hours_of(date)[0] <= scope.now})
    is_late = found.root.endswith(f"/{_LABELS}")
    usual = max(_usual_gap(starts), _LABEL_HOURS - 1 if is_late else 1)
    scope = replace(scope, window=Window(since=scope.now - (usual + 1) * _HOUR_NS))
    one = seen(newest, scope)
    if not one.first:
        return
    first = next((date_of(blob.name) for blob in found.blobs if blob.size), one.first)
    one = replace(one, first=min([first, *found.compacted]))
    for finding in listed_findings([one], scope):
        command = next(iter(finding.run), scope.command("why", found.root))
        if finding.cause == "no_new_lines":
            is_retired = bool(starts) and scope.now // _HOUR_NS - starts[-1] > _RETIRED_HOURS
            why = scope.command("why", found.root, "--since", f"-{usual + 1}h")
            reason = (
                f"no line of {found.root} for more than {_span(scope.now - one.last_end)} (expected one within "
                f"{usual + 1} h): the last ones are of {one.last}"
            )
            yield CollectionState(level="warn" if is_retired or is_late else "bad", reason=reason, command=why)
        elif finding.outcome != "ok":
            level: StateLevel = "bad" if finding.outcome in {"stopped", "missing"} and not is_late else "warn"
            yield CollectionState(level=level, reason=finding.sentence, command=command)


def _span(nanoseconds: int) -> str:
    """Hours, or days where they are many; at least one hour."""
    hours = max(1, nanoseconds // _HOUR_NS)
    return f"{hours} h" if hours < _MOST_HOURS else f"{hours // 24} days"


def _newest(found: CollectionBlobs) -> CollectionBlobs:
    """The last week that has blobs, and what is compacted of it: a listing of years is not looked through each time."""
    ends = [date_of(found.blobs[-1].name)] if found.blobs else []
    last = max([*ends, *found.compacted], default="")
    if not last:
        return found
    first = moment_of(hours_of(last)[0] - _WEEK_HOURS * _HOUR_NS)
    date = f"{first:%Y/%m/%d/%H}"
    place = bisect_left(found.blobs, date, key=lambda blob: date_of(blob.name))
    return replace(
        found,
        blobs=found.blobs[place:][-_MOST_BLOBS:],
        compacted={one: files for one, files in found.compacted.items() if one >= date},
    )


def _dates(found: CollectionBlobs) -> set[str]:
    return {date_of(blob.name) for blob in found.blobs if blob.size} | found.compacted.keys()


def _usual_gap(starts: Sequence[int]) -> int:
    """The longest time between two folders of the last week that has some, in hours; one hour at least."""
    week = [one for one in starts if one >= starts[-1] - _WEEK_HOURS]
    return max((later - earlier for earlier, later in pairwise(week)), default=1)


def _of_ledger(missing: int | None, scope: Scope) -> Iterator[CollectionState]:
    if missing:
        reason = (
            f"{missing:,} event(s) of {scope.name} are not in the store, and others of their producers with later "
            "numbers are: they are under way, or were lost before the store"
        )
        yield CollectionState(level="warn", reason=reason, command=scope.audit)


def _of_quarantine(quarantined: int, scope: Scope) -> Iterator[CollectionState]:
    if quarantined:
        reason = (
            f"{quarantined:,} record(s) of {scope.name} could not become lines and are in quarantine: "
            "the screen Health has the reasons"
        )
        yield CollectionState(level="warn", reason=reason, command=scope.audit)
