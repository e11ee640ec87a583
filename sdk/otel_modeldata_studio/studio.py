"""What the parts of Studio share: the store, and the settings that hold for all of its screens."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from .catalog.catalog import Catalog
from .tables.cache_folder import CacheFolder

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_reader import Store

    from .profiles.baseline_profiles import BaselineProfiles
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

    @cached_property
    def tables(self) -> Tables:
        """The rows of the store for queries."""
        from .tables.tables import Tables  # noqa: PLC0415 (imports pyarrow)

        return Tables(self.store.objects, lambda: self.catalog.listing().collections, self.cache)

    @cached_property
    def baselines(self) -> BaselineProfiles:
        """The profiles of baselines."""
        from .profiles.baseline_profiles import BaselineProfiles  # noqa: PLC0415 (imports pyarrow)

        return BaselineProfiles(self.tables, self.baseline)

    def close(self) -> None:
        """Release what Studio has opened; a second call does nothing."""
        self.catalog.close()
        if "tables" in self.__dict__:
            self.__dict__.pop("tables").close()
        self.cache.close()
