"""The profiles of baselines: each is made once, of a sample of another window or of a file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.reporting.profiles.baselines import WindowBaseline, baseline_of
from otel_modeldata_reader.reporting.profiles.table_profile import profile_of
from otel_modeldata_reader.window import window_of

from ..queries.joined_rows import own_column
from ..tables.deployment_rows import deployment_rows
from .sample import sample_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata_reader.reading import Reading
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile

    from ..queries.joined_rows import OwnColumn
    from ..tables.deployment_rows import DeploymentRows
    from ..tables.tables import Tables

__all__ = ["BaselineProfiles", "profile"]

_MOST_KEPT: Final = 4_000
"""Columns of all baselines together."""


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
        self._known: dict[tuple[str, str, str], ColumnProfile | None] = {}

    def profiles(
        self, deployment: str, rows: DeploymentRows, baseline: str | None, columns: Sequence[OwnColumn]
    ) -> Mapping[str, ColumnProfile | None]:
        """The profile of each column in a baseline; None where it does not have it.

        Args:
            deployment: which one.
            rows: of the window that is compared: a file's columns are read as theirs.
            baseline: a window such as `2026-11-01..2026-11-08`, or the file that Studio was started with; None has no
                profiles.
            columns: the wanted ones.

        Raises:
            ReaderError: it is no baseline, another file, or cannot be read.
        """
        if not baseline:
            return {}
        with self._lock:
            missing = [one for one in columns if (deployment, baseline, one.name) not in self._known]
        if missing:
            found = self._made(deployment, rows, baseline, missing)
            with self._lock:
                if len(self._known) + len(found) > _MOST_KEPT:
                    self._known.clear()
                self._known |= {(deployment, baseline, name): one for name, one in found.items()}
        else:
            found = {}
        with self._lock:
            return {one.name: found.get(one.name, self._known.get((deployment, baseline, one.name))) for one in columns}

    def _made(
        self, deployment: str, rows: DeploymentRows, baseline: str, columns: Sequence[OwnColumn]
    ) -> dict[str, ColumnProfile | None]:
        given = baseline_of(baseline)
        if not isinstance(given, WindowBaseline) and baseline != self._own:
            raise ReaderError(
                "expected a window such as 2026-11-01..2026-11-08 or -14d..-7d as baseline, got a file: start Studio "
                "with --baseline FILE to compare with a file"
            )
        found: dict[str, ColumnProfile | None] = {one.name: None for one in columns}
        if isinstance(given, WindowBaseline):
            window = window_of(given.since, given.until)
            others = deployment_rows(self._tables, deployment, window)
            known = [one for one in columns if _has(others, one)]
            if known:
                own = [own_column(others, one.name) for one in known]
                sample = sample_of(self._tables.database, others, own, (), window)
                found |= profile(sample.table, [one.name for one in known])
            return found
        for side in rows.sides:
            of_side = {one.own: one.name for one in columns if one.role == side.role}
            fields = {
                name: column.logical
                for piece in side.pieces
                for name, column in piece.columns.items()
                if name in of_side
            }
            if not fields:
                continue
            profiles = given.profile(_unread, side.root, pa.schema(list(fields.items())))
            if profiles is not None:
                found |= {of_side[name]: one for name, one in profiles.columns.items()}
        return found


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
