"""Rows of which it is not known which outputs are theirs, because requests share a correlation id: said in a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..queries.joined_rows import uncertain
from ..tables.deployment_rows import OUTPUTS
from ..tables.slices import even_slices

if TYPE_CHECKING:
    from otel_modeldata_reader.window import Window

    from ..tables.database import Database
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["uncertain_note"]

_ROWS: Final = 50_000
"""Rows that are looked at; of more a sample."""


def uncertain_note(database: Database, rows: DeploymentRows, window: Window) -> str:
    """One sentence that says how many rows have no output for that reason; empty without such rows.

    Raises:
        ReaderError: the rows cannot be read.
    """
    if rows.side(OUTPUTS) is None or rows.base.role == OUTPUTS or not rows.base.pieces:
        return ""
    base, share = even_slices(rows.base.pieces, window, _ROWS)
    text = uncertain(rows, OUTPUTS, window, base)
    ((count, found),) = database.rows(text.text, text.parameters)
    if not found:
        return ""
    looked = f"{count:,} rows" if share >= 1.0 else f"{count:,} rows that were looked at"
    return (
        f"{found:,} of {looked} share their row id with other requests, so it is not known which output is theirs, and "
        "they are shown without one: give each request its own correlation id, or collect in the span of the request"
    )
