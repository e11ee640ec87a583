"""The setting `spans`: which spans become lines."""

from __future__ import annotations

import enum


class KeptSpans(enum.Enum):
    """Which spans become lines; the values are those of the setting `spans`."""

    ALL = "all"
    """Every span that is sent."""
    CONTENT = "content"
    """Spans that carry the input and the output of a call. Evaluations of generated text need only these."""

    @classmethod
    def _missing_(cls, value: object) -> KeptSpans | None:
        return next((kept for kept in cls if isinstance(value, str) and kept.value == value.strip().lower()), None)
