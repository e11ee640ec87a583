"""The profiles of baselines, of a sample of another window or of a file; each is kept until that is another one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.reporting.profiles.baselines import FileBaseline, WindowBaseline, baseline_of
from otel_modeldata_reader.reporting.profiles.table_profile import profile_of
from otel_modeldata_reader.window import window_of

from ..queries.joined_rows import own_column
from ..tables.deployment_rows import deployment_rows
from .sample import sample_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_modeldata_reader.reading import Reading
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..queries.joined_rows import OwnColumn
    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.piece import Piece
    from ..tables.tables import Tables

__all__ = ["BaselineProfiles", "KnownProfiles", "profile"]

_MOST_KEPT: Final = 4_000
"""Columns of all baselines together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProfiles:
    """What a baseline has.

    Attributes:
        columns: the profile of each column by its name; None where the baseline does not have it.
        pending: about how many bytes of lines of the baseline are not in the profiles yet.
    """

    columns: Mapping[str, ColumnProfile | None] = field(default_factory=dict)
    pending: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A profile, and what it is of: another state of it has another profile."""

    state: object
    profile: ColumnProfile | None


class BaselineProfiles:
    """See above.

    Args:
        tables: have the rows.
        own: the baseline that Studio was started with, which may be a file. No other file is read: who asks may see the
            store, and not the files of the machine.
    """

    def __init__(self, tables: Tables, own: str | None) -> None:
        self._tables = tables
        self._own = own
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], _Kept] = {}

    def profiles(
        self, deployment: str, rows: DeploymentRows, baseline: str | None, columns: Sequence[OwnColumn]
    ) -> KnownProfiles:
        """The profile of each column in a baseline.

        Args:
            deployment: which one.
            rows: of the window that is compared: a file's columns are read as theirs.
            baseline: a window such as `2026-11-01..2026-11-08`, or the file that Studio was started with; None has no
                profiles. A window that is relative to now moves once a minute.
            columns: the wanted ones.

        Raises:
            ReaderError: it is no baseline, another file, or cannot be read.
        """
        if not baseline:
            return KnownProfiles()
        given = baseline_of(baseline)
        if not isinstance(given, WindowBaseline) and baseline != self._own:
            raise ReaderError(
                "expected a window such as 2026-11-01..2026-11-08 or -14d..-7d as baseline, got a file: start Studio "
                "with --baseline FILE to compare with a file"
            )
        if isinstance(given, FileBaseline):
            file = _state_of_file(given.path)
            states: dict[str, object] = {one.name: (file, _logical(rows, one)) for one in columns}
            found = self._kept(deployment, baseline, columns, states, lambda some: _of_file(given, rows, some))
            return KnownProfiles(columns=found)
        now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
        window = window_of(given.since, given.until, now)
        others = deployment_rows(self._tables, deployment, window)
        states = {one.name: (window, _pieces(others, one)) for one in columns}
        found = self._kept(deployment, baseline, columns, states, lambda some: self._of_window(others, window, some))
        return KnownProfiles(columns=found, pending=others.pending)

    def _kept(
        self,
        deployment: str,
        baseline: str,
        columns: Sequence[OwnColumn],
        states: Mapping[str, object],
        make: Callable[[Sequence[OwnColumn]], Mapping[str, ColumnProfile | None]],
    ) -> dict[str, ColumnProfile | None]:
        """The profiles that are known in these states, and those of the others, which are made."""
        with self._lock:
            kept = {one.name: self._known.get((deployment, baseline, one.name)) for one in columns}
        found = {name: one.profile for name, one in kept.items() if one is not None and one.state == states[name]}
        missing = [one for one in columns if one.name not in found]
        if missing:
            made = make(missing)
            found |= made
            with self._lock:
                if len(self._known) + len(made) > _MOST_KEPT:
                    self._known.clear()
                self._known |= {(deployment, baseline, name): _Kept(states[name], one) for name, one in made.items()}
        return found

    def _of_window(
        self, others: DeploymentRows, window: Window, columns: Sequence[OwnColumn]
    ) -> dict[str, ColumnProfile | None]:
        found: dict[str, ColumnProfile | None] = {one.name: None for one in columns}
        known = [one for one in columns if _has(others, one)]
        if known:
            own = [own_column(others, one.name) for one in known]
            sample = sample_of(self._tables.database, others, own, (), window)
            found |= profile(sample.table, [one.name for one in known])
        return found


def _of_file(
    given: FileBaseline, rows: DeploymentRows, columns: Sequence[OwnColumn]
) -> dict[str, ColumnProfile | None]:
    found: dict[str, ColumnProfile | None] = {one.name: None for one in columns}
    for side in rows.sides:
        of_side = {one.own: one.name for one in columns if one.role == side.role}
        fields = {own: kind for own, name in of_side.items() if (kind := _logical_of(side, own)) is not None}
        if not fields:
            continue
        profiles = given.profile(_unread, side.root, pa.schema(list(fields.items())))
        if profiles is not None:
            found |= {of_side[name]: one for name, one in profiles.columns.items()}
    return found


def _state_of_file(path: Path) -> tuple[int, int] | None:
    """Its time and size; None for a file that is not there, of which the reader says so."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _pieces(rows: DeploymentRows, column: OwnColumn) -> tuple[tuple[Piece, ...], ...]:
    """The files that a column's values depend on: those of the rows, and those of its side."""
    sides = [side for side in rows.sides if side is rows.base or side.role == column.role]
    return tuple(side.pieces for side in sides)


def _logical(rows: DeploymentRows, column: OwnColumn) -> pa.DataType | None:
    side = rows.side(column.role)
    return None if side is None else _logical_of(side, column.own)


def _logical_of(side: Side, own: str) -> pa.DataType | None:
    """The type of a column in the last piece that has it."""
    return next((piece.columns[own].logical for piece in reversed(side.pieces) if own in piece.columns), None)


def profile(table: pa.Table, names: Sequence[str]) -> dict[str, ColumnProfile]:
    """The profiles of columns of a sample."""
    plain = table.select(list(names))
    return dict(profile_of(plain.to_batches(), plain.schema, list(names), {}).columns)


def _has(rows: DeploymentRows, column: OwnColumn) -> bool:
    if not column.role:
        return bool(rows.sides)
    side = rows.side(column.role)
    return side is not None and column.own in side.columns


def _unread(collection: str) -> Reading:
    """A file needs no reading of the store."""
    raise ReaderError(f"expected a file as baseline, got a reading of {collection}: report it as a bug")
