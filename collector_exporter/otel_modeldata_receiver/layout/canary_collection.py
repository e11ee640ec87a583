"""The collection of the events that `doctor` sends."""

from __future__ import annotations

from typing import Final

CANARY_COLLECTION: Final = "doctor"
"""Its lines are in their own folder, like those of any other collection. A process of `doctor` sends its events, ends,
and writes no final report: `audit` expects none from it."""
