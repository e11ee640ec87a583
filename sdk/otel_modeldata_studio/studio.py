"""What the parts of Studio share: the store, and the settings that hold for all of its screens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from .catalog.catalog import Catalog
from .tables.cache_folder import CacheFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_modeldata_reader import Store

    from .profiles.baseline_profiles import BaselineProfiles
    from .profiles.chosen_rows import ChosenRows
    from .profiles.day_watch import DayWatch
    from .tables.tables import Tables

__all__ = ["Studio"]

_Part = TypeVar("_Part")


class Studio:
    """A store that Studio shows.

    Args:
        store: an open one; the caller closes it.
        baseline: what windows are compared with, as for `report --baseline`: a file, or `SINCE..UNTIL`.
        trace_url: the URL of a trace in a tracing backend, with `{trace_id}`.
        cache: where a folder for Parquet files of lines is made, which `close` removes; by default among the temporary
            files of the system.

    Raises:
        ReaderError: that folder cannot be made.
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
        self.cache = CacheFolder(cache)
        self.catalog = Catalog(store.objects)
        self._making = threading.RLock()
        self._parts: dict[str, Any] = {}

    @property
    def tables(self) -> Tables:
        """The rows of the store for queries."""
        from .tables.tables import Tables  # noqa: PLC0415 (imports pyarrow)

        def make() -> Tables:
            return Tables(self.store.objects, lambda: self.catalog.listing().collections, self.cache)

        return self._part("tables", make)

    @property
    def chosen(self) -> ChosenRows:
        """The rows that filters of other collections choose."""
        from .profiles.chosen_rows import ChosenRows  # noqa: PLC0415 (imports pyarrow)

        return self._part("chosen", lambda: ChosenRows(self.tables))

    @property
    def baselines(self) -> BaselineProfiles:
        """The profiles of baselines."""
        from .profiles.baseline_profiles import BaselineProfiles  # noqa: PLC0415 (imports pyarrow)

        return self._part("baselines", lambda: BaselineProfiles(self.tables, self.baseline))

    @property
    def days(self) -> DayWatch:
        """What is known of the last day of each deployment."""
        from .profiles.day_watch import DayWatch  # noqa: PLC0415 (imports pyarrow)

        def make() -> DayWatch:
            return DayWatch(self.catalog, lambda: self.tables, lambda: self.baselines, self.baseline)

        return self._part("days", make)

    def close(self) -> None:
        """Release what Studio has opened; a second call does nothing."""
        with self._making:
            days = self._parts.pop("days", None)
        if days is not None:
            days.close()  # it uses the others
        self.catalog.close()
        with self._making:
            parts, self._parts = self._parts, {}
        if "tables" in parts:
            parts["tables"].close()
        self.cache.close()

    def _part(self, name: str, make: Callable[[], _Part]) -> _Part:
        """What is made by the first question for it, once: two must not make two temporary folders."""
        with self._making:
            if name not in self._parts:
                self._parts[name] = make()
            part: _Part = self._parts[name]
            return part
