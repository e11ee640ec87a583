"""Where rows come from: the call that reads them again, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..window import Window

__all__ = ["Origin", "window_texts"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A call of a store.

    Attributes:
        store: its URL without a signature or key; whoever reads it again has credentials of its own.
        method: `read` or `join`.
        arguments: of the call, as JSON has them.
    """

    store: str
    method: str
    arguments: Mapping[str, Any]


def window_texts(window: Window) -> dict[str, str]:
    """`since` and `until` of a window in ISO 8601, with nanoseconds; an open end is left out."""
    ends = {"since": window.since, "until": window.until}
    return {name: _text(moment) for name, moment in ends.items() if moment is not None}


def _text(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
