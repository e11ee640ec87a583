"""What home says of the columns of a collection: the last day beside the baseline."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ..profiles.last_day import PSI

if TYPE_CHECKING:
    from ..profiles.day_watch import DeploymentDay
    from ..profiles.last_day import CollectionDay

__all__ = ["HomeDay", "HomeDrift", "HomeLabels", "ShownDay", "shown_day"]

_SHOWN: Final = 3
_MOST_COLUMNS: Final = 20


class HomeDrift(msgspec.Struct, frozen=True, kw_only=True):
    """The column that is farthest from the baseline.

    Attributes:
        column: with the prefix of its role, `inputs.age`.
        psi: population stability index.
    """

    column: str
    psi: float


class HomeDay(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of a collection were looked at for: the last day beside a baseline.

    Attributes:
        since: the beginning of the day, ISO 8601 in UTC.
        until: the moment after it.
        baseline: as `report --baseline` takes it.
        rows: of the day.
        baseline_rows: of the baseline.
        is_estimated: whether both are estimated by a sample.
        note: why nothing is compared; empty otherwise.
    """

    since: str
    until: str
    baseline: str
    rows: int = 0
    baseline_rows: int = 0
    is_estimated: bool = False
    note: str = ""


class HomeLabels(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of the last day have a label: labels come later.

    Attributes:
        labeled: rows with a label.
        rows: all that were looked at.
    """

    labeled: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDay:
    """The part of a row that is about columns; see `HomeRow`."""

    null_alarm: tuple[str, ...] = ()
    drift: HomeDrift | None = None
    day: HomeDay | None = None
    labels: HomeLabels | None = None
    reason: str = ""
    command: str = ""


def shown_day(name: str, found: DeploymentDay, store: str) -> ShownDay:
    """What is said of the columns of a collection.

    Args:
        name: the collection.
        found: what a look at its deployment has found.
        store: its URL, without secrets.
    """
    day = found.collections.get(name)
    if day is None:  # nothing is compared, or it has no rows of a model
        return ShownDay(day=_day_of(found))
    windows, reason = day.windows, _reason(name, day)
    return ShownDay(
        null_alarm=day.nulls[:_MOST_COLUMNS],
        drift=None if day.drift is None else HomeDrift(column=day.drift[0], psi=day.drift[1]),
        day=HomeDay(
            since=windows.since,
            until=windows.until,
            baseline=windows.baseline,
            rows=day.rows,
            baseline_rows=day.baseline_rows,
            is_estimated=day.is_estimated,
            note=day.note,
        ),
        labels=None if day.labeled is None else HomeLabels(labeled=day.labeled[0], rows=day.labeled[1]),
        reason=reason,
        command=_report(name, day, store) if reason else "",
    )


def _day_of(found: DeploymentDay) -> HomeDay | None:
    """What was not compared, and why; None without a reason."""
    if not found.note:
        return None
    windows = found.windows
    if windows is None:
        return HomeDay(since="", until="", baseline="", note=found.note)
    return HomeDay(since=windows.since, until=windows.until, baseline=windows.baseline, note=found.note)


def _reason(name: str, day: CollectionDay) -> str:
    """What is to be said of the columns of a collection; empty if nothing is."""
    found = []
    if day.drift is not None and day.drift[1] >= PSI:
        found.append(f"{day.drift[0]} has drifted from the baseline (PSI {day.drift[1]:.2f})")
    if day.nulls:
        shown, more = ", ".join(day.nulls[:_SHOWN]), len(day.nulls) - _SHOWN
        columns = f"{shown} and {more} more" if more > 0 else shown
        found.append(f"{columns} {'has' if len(day.nulls) == 1 else 'have'} more nulls than in the baseline")
    if not found:
        return ""
    about = "about " if day.is_estimated else ""
    return f"{', and '.join(found)}: {about}{day.rows:,} rows of {name} in the last {day.windows.hours}"


def _report(name: str, day: CollectionDay, store: str) -> str:
    """The report that shows the same figures."""
    windows = day.windows
    ends = ("--since", windows.since, "--until", windows.until, "--baseline", windows.baseline)
    return shlex.join(["otel-modeldata", "report", name, *ends, "--store", store]) if name else ""
