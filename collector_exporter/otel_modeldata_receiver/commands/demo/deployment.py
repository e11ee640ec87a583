"""The deployment of a run: each has a name of its own, so that a second run in a store does not double the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...storage.store import Store

__all__ = ["ENDPOINT", "FIRST", "free_deployment"]

ENDPOINT: Final = "flights"
FIRST: Final = "blue"
_SECOND: Final = "green"
"""The names that deployments of one endpoint often have; further runs are `run3`, `run4`, ..."""


async def free_deployment(store: Store) -> str:
    """The first name that the endpoint of the demo does not have in this store.

    Raises:
        StoreError: the store cannot be listed.
    """
    return _free(one.name.split("/")[1] for one in await store.walk(ENDPOINT))


def _free(taken: Iterable[str]) -> str:
    names, number = {name.lower() for name in taken}, 3
    for name in (FIRST, _SECOND):
        if name not in names:
            return name
    while f"run{number}" in names:
        number += 1
    return f"run{number}"
