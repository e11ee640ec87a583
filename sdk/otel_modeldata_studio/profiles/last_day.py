"""The last day of a deployment beside its baseline: columns that have drifted or lost values, as a report has them.

Each collection is looked at alone, as a report does it: an output or a label belongs to the day in which it came. The
rows are a sample where there are many.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.reporting.figures.findings import column_findings
from otel_modeldata_reader.reporting.figures.report import Thresholds
from otel_modeldata_reader.reporting.profiles.comparison import column_figures

from ..queries.joined_rows import LABEL_ROW, LABEL_TIME, own_column
from ..tables.deployment_rows import LABELS, deployment_rows
from .baseline_profiles import profile
from .chance import is_by_chance
from .rising import rises
from .sample import sample_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from otel_modeldata_reader.reporting.figures.column import ColumnFigures
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..queries.joined_rows import OwnColumn
    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.tables import Tables
    from .baseline_profiles import BaselineProfiles
    from .compared_windows import ComparedWindows

__all__ = ["LEAST_ROWS", "PSI", "CollectionDay", "DayRows", "collection_day", "day_rows"]

LEAST_ROWS: Final = 30
"""Of the day and of the baseline: fewer say nothing about a share."""
PSI: Final = 0.2
"""The population stability index from which on a column has drifted, as in a report."""
_NULLS: Final = 0.05
"""The growth of the share of nulls, likewise."""
_MOST_COLUMNS: Final = 500
"""Of a collection, as in a report."""
_AT_ONCE: Final = 40
"""Columns of one query: a collection may have hundreds."""
_SPREAD: Final = frozenset({"number", "integer", "category", "text", "boolean", "time"})
_NUMBERS: Final = frozenset({"number", "integer"})
_EVERY: Final = Thresholds(psi=0.0, nulls=_NULLS)
"""With these a report says of each column how far it is from the baseline, unless it may be by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDay:
    """What is known of a collection.

    Attributes:
        windows: what is compared.
        rows: of the day.
        baseline_rows: of the baseline.
        is_estimated: whether both are estimated by a sample.
        nulls: columns with more nulls than in the baseline, the worst first, with their role.
        drift: the column that is farthest from the baseline, and its population stability index; None where no column
            is farther than by chance.
        labeled: of a collection of labels: how many rows of the day have one, and how many were looked at.
        note: why nothing is compared; empty otherwise.
    """

    windows: ComparedWindows
    rows: int = 0
    baseline_rows: int = 0
    is_estimated: bool = False
    nulls: tuple[str, ...] = ()
    drift: tuple[str, float] | None = None
    labeled: tuple[int, int] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRows:
    """The rows of a deployment that are compared.

    Attributes:
        windows: what is compared.
        day: the rows of the day.
        before: those of the baseline; None where it is a file.
    """

    windows: ComparedWindows
    day: DeploymentRows
    before: DeploymentRows | None

    @property
    def state(self) -> object:
        """Another one, if files came or went."""
        every = (self.day,) if self.before is None else (self.day, self.before)
        return tuple(tuple((piece.path, piece.rows) for piece in side.pieces) for rows in every for side in rows.sides)


def day_rows(tables: Tables, deployment: str, windows: ComparedWindows) -> DayRows:
    """The rows of a deployment that are compared, as far as they were read.

    Raises:
        UnknownNameError: the store has no such deployment.
        ReaderError: the store cannot be read.
    """

    def rows_of(window: Window) -> DeploymentRows:
        own = dict.fromkeys(tables.roots(deployment), window)
        return deployment_rows(tables, deployment, window, windows=own)

    before = None if windows.before is None else rows_of(windows.before)
    return DayRows(windows=windows, day=rows_of(windows.day), before=before)


def collection_day(  # noqa: PLR0913, PLR0917 (what a look takes)
    tables: Tables,
    baselines: BaselineProfiles,
    deployment: str,
    rows: DayRows,
    side: Side,
    pause: Callable[[float], None],
) -> CollectionDay:
    """What is known of one collection.

    Args:
        tables: have the rows.
        baselines: have the profiles of a file.
        deployment: `endpoint/deployment`.
        rows: of the deployment.
        side: the collection.
        pause: called between queries with how long the last one took, in seconds.

    Raises:
        InterruptedRequest: it is not wanted any more.
        ReaderError: the rows cannot be read.
    """
    look = _Look(tables, baselines, deployment, rows, side, pause)
    nulls: list[tuple[float, str]] = []
    drift: tuple[str, float] | None = None
    for batch in look.batches():
        both = look.profiles(batch)
        if not look.has_enough:
            break
        findings = {one.name: list(look.findings(one, *both[one.name])) for one in batch}
        far = {name: value for name, found in findings.items() for measure, value in found if measure == "psi"}
        of_batch = _farthest(far, look.rising([one for one in batch if far.get(one.name, 0.0) >= PSI]))
        if of_batch is not None and (drift is None or of_batch[1] > drift[1]):
            drift = of_batch
        nulls += [(value, name) for name, found in findings.items() for measure, value in found if measure == "nulls"]
    note = look.note
    return CollectionDay(
        windows=rows.windows,
        rows=look.rows,
        baseline_rows=look.baseline_rows,
        is_estimated=look.is_estimated,
        nulls=() if note or side.role == LABELS else tuple(name for _, name in sorted(nulls, reverse=True)),
        drift=None if note else drift,
        labeled=_labeled(tables, rows, side) if side.role == LABELS else None,
        note=note,
    )


@dataclass(slots=True)
class _Look:
    """What the steps of one look have in common, and what they have found of the rows."""

    tables: Tables
    baselines: BaselineProfiles
    deployment: str
    compared: DayRows
    side: Side
    pause: Callable[[float], None]
    rows: int = 0
    baseline_rows: int = 0
    is_estimated: bool = False
    _before: DeploymentRows | None = field(init=False, default=None)

    @property
    def has_enough(self) -> bool:
        """Whether both have enough rows to be compared."""
        return min(self.rows, self.baseline_rows) >= LEAST_ROWS

    @property
    def note(self) -> str:
        """Why nothing is compared."""
        hours = self.compared.windows.hours
        if not self.rows and self.side.columns and not next(self.batches(), None):
            return "no column of numbers, texts or times: not compared"
        if not self.rows:
            return f"no row in the last {hours}"
        if self.rows < LEAST_ROWS:
            return _few(f"the last {hours} have", self.rows)
        if not self.baseline_rows:
            return f"no row in the baseline {self.compared.windows.baseline}"
        return "" if self.has_enough else _few("the baseline has", self.baseline_rows)

    def batches(self) -> Iterator[list[OwnColumn]]:
        """The columns, some at a time."""
        names = (f"{self.side.role}.{name}" for name, one in self.side.columns.items() if one.kind in _SPREAD)
        own = (own_column(self.compared.day, name) for name in islice(names, _MOST_COLUMNS))
        while batch := list(islice(own, _AT_ONCE)):
            yield batch

    def profiles(self, columns: Sequence[OwnColumn]) -> dict[str, tuple[ColumnProfile, ColumnProfile | None]]:
        """The profile of each column in the day, and in the baseline."""
        names = [one.name for one in columns]
        table, share = self._sample(self.compared.day, columns, self.compared.windows.day)
        self.rows = round(table.num_rows / share) if share else 0
        if self.rows < LEAST_ROWS:
            return {}
        before = self._of_baseline(columns)
        known = [one.summary.rows for one in before.values() if one is not None]
        self.baseline_rows = max(self.baseline_rows, *known, 0)
        return {name: (one, before.get(name)) for name, one in profile(table, names).items()}

    def findings(
        self, column: OwnColumn, day: ColumnProfile, before: ColumnProfile | None
    ) -> Iterator[tuple[str, float]]:
        """The measures of a column that are findings, with their values."""
        if before is None:
            return
        started = time.monotonic()
        figures = column_figures(column.own, day, before)
        for one in column_findings(self.side.root, figures, _EVERY):
            if one.measure == "psi" or (one.measure == "nulls" and not _is_chance(figures)):
                yield one.measure, one.value
        self.pause(time.monotonic() - started)

    def rising(self, columns: Sequence[OwnColumn]) -> set[str]:
        """Those columns whose numbers grow with time, such as ids that are counted: later ones are always others."""
        numbers = [one for one in columns if one.kind in _NUMBERS]
        if not numbers:
            return set()
        found = self._rising(self.compared.day, numbers, self.compared.windows.day)
        window = self.compared.windows.before
        if self.compared.before is not None and window is not None:
            known = [one for one in numbers if self._has(self.compared.before, one)]
            found &= self._rising(self.compared.before, known, window)
        return found

    def _rising(self, rows: DeploymentRows, columns: Sequence[OwnColumn], window: Window) -> set[str]:
        if not columns:
            return set()
        table, _ = self._sample(rows, [own_column(rows, "time"), *columns], window)
        times = table.column("time")
        return {one.name for one in columns if rises(times, table.column(one.name))}

    def _of_baseline(self, columns: Sequence[OwnColumn]) -> Mapping[str, ColumnProfile | None]:
        windows, before = self.compared.windows, self.compared.before
        if before is None:
            found = self.baselines.profiles(self.deployment, self.compared.day, windows.baseline, columns)
            return found.columns
        known = [own_column(before, one.name) for one in columns if self._has(before, one)]
        if not known or windows.before is None:
            return {}
        table, share = self._sample(before, known, windows.before)
        self.baseline_rows = round(table.num_rows / share) if share else 0
        return profile(table, [one.name for one in known])

    def _sample(self, rows: DeploymentRows, columns: Sequence[OwnColumn], window: Window) -> tuple[Any, float]:
        """Some rows of the collection alone."""
        side = rows.side(self.side.role)
        assert side is not None  # noqa: S101 - it has the columns
        started = time.monotonic()
        sample = sample_of(self.tables.database, rows.of_side(side), columns, (), window)
        self.pause(time.monotonic() - started)
        self.is_estimated |= sample.share < 1.0
        return sample.table, sample.share

    def _has(self, rows: DeploymentRows, column: OwnColumn) -> bool:
        side = rows.side(column.role)
        return side is not None and column.own in side.columns


def _few(where: str, rows: int) -> str:
    return f"{where} {rows:,} {'row' if rows == 1 else 'rows'}: at least {LEAST_ROWS} are compared"


def _farthest(far: Mapping[str, float], rising: set[str]) -> tuple[str, float] | None:
    known = [(value, name) for name, value in far.items() if name not in rising]
    value, name = max(known, default=(0.0, ""))
    return (name, value) if name else None


def _is_chance(figures: ColumnFigures) -> bool:
    """Whether samples of this size may differ as much in their nulls without any change."""
    sides = (figures.baseline, figures.window)
    counts = [(one.nulls, one.rows - one.nulls) for one in sides if one is not None]
    return len(counts) < 2 or is_by_chance(*counts)


def _labeled(tables: Tables, rows: DayRows, side: Side) -> tuple[int, int] | None:
    """How many rows of the day have a label, and how many were looked at; None where labels are all that there is."""
    base = rows.day.base
    own = next((name for name in side.columns if name not in {LABEL_ROW, LABEL_TIME}), None)
    if base.role == LABELS or own is None:
        return None
    column = own_column(rows.day, f"{LABELS}.{own}")
    table = sample_of(tables.database, rows.day, [column], (), rows.windows.day).table
    if not table.num_rows:
        return None
    return table.num_rows - table.column(0).null_count, table.num_rows
