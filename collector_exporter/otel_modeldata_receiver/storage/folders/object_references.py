"""Whether an object is there, and which objects lines refer to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..store import Store

__all__ = ["BEFORE_NAME_BYTES", "files_named_in", "is_stored", "places_named_in"]

_NAMED: Final = re.compile(rb'files[/\\]+([^"/\\\s]+)')
"""How a line names an object: in an address or a path, whose last part needs no escape in JSON."""
BEFORE_NAME_BYTES: Final = 16
"""Most bytes of `_NAMED` before the name, where this program writes it."""


async def is_stored(store: Store, name: str) -> bool:
    """Whether an object that was stored can still be read: it may have vanished, as lines may."""
    try:
        return bool(await store.read(name, 0, 1))
    except StoreError:
        return False


def files_named_in(content: bytes) -> set[bytes]:
    """The last parts of the names of all objects that a line, or several, may refer to."""
    return set(_NAMED.findall(content))


def places_named_in(content: bytes, wanted: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """Where a piece of a blob names some objects, by the last parts of their names: one place of each.

    A name at the very end is left out, because it may go on in the next piece.
    """
    return {
        match[1]: match.span()
        for match in _NAMED.finditer(content)
        if match[1] in wanted and match.end() < len(content)
    }
