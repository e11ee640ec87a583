"""Notes for home what a screen has found out about columns, if its window ends now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..catalog.column_alarms import ColumnState

if TYPE_CHECKING:
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..profiles.facet import Facet
    from ..studio import Studio

__all__ = ["note_column"]

_NEWEST_NS: Final = 2 * 3_600 * 1_000_000_000


def note_column(studio: Studio, deployment: str, window: Window, facet: Facet, baseline: ColumnProfile | None) -> None:
    """Remember how far a column is from the baseline; a window that ended long ago, and a filtered one, say nothing."""
    if baseline is None or window.bounds[1] < studio.catalog.now_ns - _NEWEST_NS:
        return
    known = baseline.summary
    growth = facet.nulls / facet.rows - known.nulls / known.rows if facet.rows and known.rows else None
    studio.catalog.alarms.note(deployment, facet.column, ColumnState(psi=facet.psi, null_growth=growth))
