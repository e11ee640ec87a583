"""The setting `spans`: which spans become lines."""

from __future__ import annotations

import enum


class KeptSpans(enum.Enum):
    """Which spans become lines; the words are those of the setting `spans`."""

    ALL = "all"
    """Every span that is sent."""
    CONTENT = "content"
    """Those that say themselves what went in and what came out. With them alone the quality of generated text can be
    judged: no request line stands where a question is expected."""

    @classmethod
    def _missing_(cls, value: object) -> KeptSpans | None:
        return next((kept for kept in cls if isinstance(value, str) and kept.value == value.strip().lower()), None)
