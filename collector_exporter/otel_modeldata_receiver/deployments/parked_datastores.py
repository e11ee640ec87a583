"""Mounts datastores that no deployment file names any more, while lines are parked for them.

A deployment may move to another datastore while its lines are parked, and the receiver may be restarted. These lines
still belong to the former datastore.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigError, StoreError
from ..retry import backoff
from ..storage.mounts import mount_of
from ..storage.open_store import open_store
from ..storage.parking.parked_names import PARKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.store_access import DatastoreConfig
    from ..daemon_executor import DaemonExecutor
    from ..storage.mounts import MountedStores

__all__ = ["mount_parked"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0


async def mount_parked(store: MountedStores, find: Callable[[str], DatastoreConfig], threads: DaemonExecutor) -> None:
    """Mount the datastores that have parked lines and are not mounted, as soon as the default store answers.

    Args:
        store: gets the datastores; parked lines are in its default store.
        find: the datastore of a mount, from the settings or Azure ML; runs in `threads`, and may raise ConfigError.
        threads: where it runs.
    """
    for pause in backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
        try:
            names = [one.name for one in await store.walk(f"{PARKED}/_at")]
        except StoreError:
            await asyncio.sleep(pause)
        else:
            break
    found = {mount_of(name.removeprefix(f"{PARKED}/")) for name in names}
    for mount in sorted(mount for mount in found if mount and not store.has(mount)):
        try:
            datastore = await asyncio.get_running_loop().run_in_executor(threads, find, mount)
            if not store.has(mount):  # a deployment file named it meanwhile
                store.mount(mount, open_store(datastore.url, access=datastore))
        except ConfigError as error:
            problems = "; ".join(problem.message for problem in error.problems)
            logger.warning("lines that are parked for datastore %r stay parked: %s", mount, problems)
        else:
            logger.info("datastore %r is used while lines are parked for it: no deployment file names it", mount)
