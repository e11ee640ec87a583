"""Columns that have drifted or lost values, as screens have found them: home repeats it, and reads no row."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

__all__ = ["ColumnAlarms", "ColumnState"]

_NULLS: Final = 0.05
"""Growth of the share of nulls against the baseline, as a report has it."""
_COLLECTIONS: Final = {"inputs": "model_inputs", "outputs": "model_outputs", "labels": "ground_truth"}
_MOST_COLUMNS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnState:
    """What is known of a column in the newest hours.

    Attributes:
        psi: population stability index against the baseline; None if it is not known.
        null_growth: by how much the share of nulls is above that of the baseline; None if it is not known.
    """

    psi: float | None
    null_growth: float | None


class ColumnAlarms:
    """Remembers the latest state of columns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, ColumnState]] = {}
        self._count = 0

    def note(self, deployment: str, column: str, state: ColumnState) -> None:
        """Remember the state of a column.

        Args:
            deployment: `endpoint/deployment`.
            column: with its role, such as `inputs.age`.
            state: in a window that ends now.
        """
        role, _, _ = column.partition(".")
        root = f"{deployment}/{_COLLECTIONS.get(role, role)}"
        with self._lock:
            if self._count >= _MOST_COLUMNS:
                self._known, self._count = {}, 0
            columns = self._known.setdefault(root, {})
            self._count += column not in columns
            columns[column] = state

    def nulls(self, root: str) -> tuple[str, ...]:
        """The columns of a collection with more nulls than in the baseline, the worst first."""
        grown = [(one.null_growth, name) for name, one in self._of(root).items() if one.null_growth is not None]
        return tuple(name for growth, name in sorted(grown, reverse=True) if growth >= _NULLS)

    def drift(self, root: str) -> tuple[str, float] | None:
        """The column of a collection that is farthest from the baseline, and its index."""
        known = [(one.psi, name) for name, one in self._of(root).items() if one.psi is not None]
        psi, name = max(known, default=(0.0, ""))
        return (name, psi) if name else None

    def _of(self, root: str) -> dict[str, ColumnState]:
        with self._lock:
            return dict(self._known.get(root, {}))
