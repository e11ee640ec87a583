"""The ids of lines that are stored."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["stored_ids"]


class _StoredId(msgspec.Struct):
    """The only key of a stored line that is read."""

    id: str


_decode: Final = msgspec.json.Decoder(_StoredId).decode


def stored_ids(lines: Iterable[bytes]) -> list[str]:
    """The ids of stored lines; a line that cannot be read is skipped (the first one may be cut in two)."""
    ids = []
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            ids.append(_decode(line).id)
    return ids
