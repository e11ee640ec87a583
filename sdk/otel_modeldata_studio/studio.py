"""What the parts of Studio share: the store, and the settings that hold for all of its screens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .catalog.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_reader import Store

    from .profiles.baseline_profiles import BaselineProfiles
    from .profiles.day_watch import DayWatch
    from .tables.tables import Tables

__all__ = ["Studio"]


class Studio:
    """A store that Studio shows.

    Args:
        store: an open one; the caller closes it.
        baseline: what windows are compared with, as for `report --baseline`: a file, or `SINCE..UNTIL`.
        trace_url: the URL of a trace in a tracing backend, with `{trace_id}`.
        cache: where a folder for Parquet files of lines is made, which `close` removes; by default among the temporary
            files of the system.
    """

    def __init__(
        self,
        store: Store,
        *,
        baseline: str | None = None,
        trace_url: str | None = None,
        cache: Path | None = None,
    ) -> None:
        self.store = store
        self.baseline = baseline
        self.trace_url = trace_url
        self.cache = cache
        self.catalog = Catalog(store.objects)
        self._making = threading.RLock()
        self._tables: Tables | None = None
        self._baselines: BaselineProfiles | None = None
        self._days: DayWatch | None = None

    @property
    def tables(self) -> Tables:
        """The rows of the store for queries."""
        with self._making:  # two questions must not make two temporary folders
            if self._tables is None:
                from .tables.tables import Tables  # noqa: PLC0415 (imports pyarrow)

                self._tables = Tables(self.store.objects, lambda: self.catalog.listing().collections, self.cache)
            return self._tables

    @property
    def baselines(self) -> BaselineProfiles:
        """The profiles of baselines."""
        with self._making:
            if self._baselines is None:
                from .profiles.baseline_profiles import BaselineProfiles  # noqa: PLC0415 (imports pyarrow)

                self._baselines = BaselineProfiles(self.tables, self.baseline)
            return self._baselines

    @property
    def days(self) -> DayWatch:
        """What is known of the last day of each deployment."""
        with self._making:
            if self._days is None:
                from .profiles.day_watch import DayWatch  # noqa: PLC0415 (imports pyarrow)

                self._days = DayWatch(self.catalog, lambda: self.tables, lambda: self.baselines, self.baseline)
            return self._days

    def close(self) -> None:
        """Release what Studio has opened; a second call does nothing."""
        with self._making:
            days, self._days = self._days, None
        if days is not None:
            days.close()
        self.catalog.close()
        with self._making:
            tables, self._tables, self._baselines = self._tables, None, None
        if tables is not None:
            tables.close()
