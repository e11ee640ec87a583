"""What every answer of Explore begins with: the window, and the rows of the deployment in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.window import window_of

from ..queries.outcomes import LATENCY, STATUS
from ..tables.deployment_rows import deployment_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_reader.window import Window

    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["explored"]


def explored(
    studio: Studio, deployment: str, since: str | None, until: str | None, names: Iterable[str] = ()
) -> tuple[DeploymentRows, Window]:
    """The rows of a deployment in a window.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        since: as for `Store.read`.
        until: likewise.
        names: of columns that are used: the outcomes of requests are read if one is theirs.

    Raises:
        UnknownNameError: the store has no such deployment.
        ReaderError: a wrong window, or the store cannot be read.
    """
    window = window_of(since or None, until or None)
    needs_outcomes = not {LATENCY, STATUS}.isdisjoint(names)
    found = deployment_rows(studio.tables, deployment, window, with_outcomes=needs_outcomes)
    if not found.sides:
        raise ReaderError(f"expected a deployment with rows, got {deployment!r}, which has none: choose another one")
    return found, window
