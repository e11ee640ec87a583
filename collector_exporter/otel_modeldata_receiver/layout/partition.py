"""The partition of an event: the folder of its collection, and below it the event's UTC time at the rolling rate.

The time is that of the event, never that of writing. Readers choose files by their folder alone, so a late event is
stored in the folder of the hour in which it happened.
"""

from __future__ import annotations

import enum
import logging
from datetime import datetime, timezone
from functools import lru_cache
from typing import Final

from otel_modeldata import semconv

logger = logging.getLogger(__name__)

NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MINUTE: Final = 60 * NS_PER_SECOND
QUARANTINE: Final = "_quarantine"
"""First segment of the folders for records that cannot become lines. No endpoint can have this name: names start with
a letter or digit."""
SHADOW_SUFFIX: Final = "_block_blob"
"""Azure ML copies append blobs into a sibling folder `{collection}_block_blob` and reads the copy."""


class RollingRate(enum.Enum):
    """How long one folder collects events; the values are those of `rolling_rate` in a deployment YAML."""

    MINUTE = "Minute"
    HOUR = "Hour"
    DAY = "Day"
    MONTH = "Month"
    YEAR = "Year"

    @classmethod
    def _missing_(cls, value: object) -> RollingRate | None:
        return cls.parse(value) if isinstance(value, str) else None

    @classmethod
    def parse(cls, text: str) -> RollingRate | None:
        """The rate with the name `text`, in any case, or None: Azure's tools write both `Hour` and `hour`."""
        return _BY_NAME.get(text.strip().lower())


_BY_NAME: Final = {rate.value.lower(): rate for rate in RollingRate}
_PATTERNS: Final = {rate: semconv.FOLDER_PATTERNS[rate.value] for rate in RollingRate}


def folder(root: str, time_ns: int, rate: RollingRate) -> str:
    """The folder of an event, relative to the store: `{root}/2026/11/22/10` for Hour.

    Args:
        root: the collection's folder, see `destination.py`.
        time_ns: nanoseconds since the epoch; any unsigned 64-bit number, that is until the year 2554.
        rate: the rolling rate.
    """
    return f"{root}/{_dated(rate, time_ns // _NS_PER_MINUTE)}"


def quarantine_folder(time_ns: int) -> str:
    """The folder of records of `time_ns` (ns since the epoch) that cannot become lines."""
    return f"{QUARANTINE}/{_dated(RollingRate.HOUR, time_ns // _NS_PER_MINUTE)}"


@lru_cache(maxsize=4096)
def _dated(rate: RollingRate, minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, timezone.utc).strftime(_PATTERNS[rate])


@lru_cache(maxsize=len(RollingRate))
def warn_unless_hour(rate: RollingRate) -> None:
    """Log once per process that Azure ML model monitoring does not find folders of another rate than Hour."""
    if rate is not RollingRate.HOUR:
        logger.warning(
            "Rolling rate %s: Azure ML model monitoring reads hour folders only and will not find these blobs.",
            rate.value,
        )
