"""Watches the deployment files: they are read when the receiver starts, and again when they change.

A file that is wrong changes nothing: the previous version of the files stays in use, and one log line has the reason.
A datastore that cannot be written is logged, and its lines are parked: it keeps neither the receiver from starting nor
other deployments from their changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from ..daemon_executor import DaemonExecutor
from ..exceptions import ConfigError, StoreError
from ..storage.mounts import MountedStores, check_mount
from ..storage.open_store import open_store
from ..time_limit import timeout
from .datastores import DatastorePath, Datastores, is_datastore_path
from .files import DeploymentFiles
from .parked_datastores import mount_parked
from .plan import datastore_of_mount, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..config.receiver import ReceiverConfig
    from ..config.store_access import DatastoreConfig
    from ..layout.destination import Destinations, Plans
    from ..storage.store import Store
    from .plan import Plan

__all__ = ["Deployments"]

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""Pause between two checks of the files."""
_CHECK_SECONDS: Final = 10.0
"""How long a datastore may take to answer at the start."""


class Deployments:
    """The stores and plans that settings and deployment files define.

    Args:
        config: validated settings.
        ask: asks Azure ML for a datastore that the settings do not list, see `Datastores`.

    Attributes:
        plans: the plans of the files as they are now.
        store: the default store, with the datastores of the files mounted.

    Raises:
        ConfigError: files or settings are wrong; lists all problems.
    """

    def __init__(
        self, config: ReceiverConfig, *, ask: Callable[[DatastorePath], DatastoreConfig] | None = None
    ) -> None:
        self._files = DeploymentFiles(config.deployments)
        self._datastores = Datastores(config.known_datastores, config.workspace, ask)
        self._paths = config.deployments
        self._stamp = self._files.stamp()
        self._last_error = ""
        self._threads = DaemonExecutor(1, "otel-modeldata-files")  # a stop does not wait for Azure ML
        self._task: asyncio.Task[None] | None = None
        self._checks: asyncio.Future[list[None]] | None = None
        self._mounting: asyncio.Task[None] | None = None
        plan = self._plan()
        self.plans: Plans = plan.deployments
        self.store = MountedStores(_default_store(config, self._datastores))
        for mount, datastore in plan.mounts.items():
            self.store.mount(mount, open_store(datastore.url, access=datastore))

    def start(self, destinations: Destinations) -> None:
        """Watch the files from now on, if there are any, and give each change to `destinations`.

        Lines that are parked for a datastore of former files are delivered too.
        """
        find = partial(datastore_of_mount, datastores=self._datastores)
        self._mounting = asyncio.create_task(mount_parked(self.store, find, self._threads), name="parked datastores")
        if not self._paths:
            return
        self._check(self.store.mounts)
        if not self.plans:
            logger.warning(
                "expected a deployment file with data_collector in %s, got none so far: the defaults apply",
                ", ".join(self._paths),
            )
        self._task = asyncio.create_task(self._watch(destinations), name="deployment files")

    def reload(self) -> None:
        """Read the files again at the next look, even if they did not change."""
        self._stamp = ()

    async def stop(self) -> None:
        """Stop watching; safe to call twice and before `start`."""
        for background in (self._checks, self._mounting):
            if background is not None:
                background.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._threads.shutdown(wait=False)

    def _plan(self) -> Plan:
        return make_plan(self._files.read(), self._datastores)

    async def _watch(self, destinations: Destinations) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            stamp = await loop.run_in_executor(self._threads, self._files.stamp)
            if stamp != self._stamp:
                await self._reload(stamp, destinations)

    async def _reload(self, stamp: tuple[tuple[str, int, int], ...], destinations: Destinations) -> None:
        """Use the files as they are now. A store that fails is retried; wrong files are read again when they change."""
        try:
            plan = await asyncio.get_running_loop().run_in_executor(self._threads, self._plan)
            self._stamp = stamp
            self._mount(plan.mounts)
        except ConfigError as error:
            self._stamp = stamp
            self._log_once("; ".join(map(str, error.problems)))
        except Exception as error:  # a bug here must not end the watch
            self._stamp = stamp
            logger.exception("deployment files are not read again (bug): %s", type(error).__name__)
        else:
            self.plans = plan.deployments
            destinations.replace(plan.deployments)
            self._last_error = ""
            logger.info("deployment files were read again: %d deployments", len(plan.deployments))

    def _mount(self, mounts: Mapping[str, DatastoreConfig]) -> None:
        """Mount the stores that are new, and check them."""
        new = {mount: datastore for mount, datastore in mounts.items() if not self.store.has(mount)}
        for mount, datastore in new.items():
            self.store.mount(mount, open_store(datastore.url, access=datastore))
        self._check({mount: self.store.mounts[mount] for mount in new})

    def _check(self, stores: Mapping[str, Store]) -> None:
        """Log each store that cannot be written, in a background task."""
        if stores:
            self._checks = asyncio.gather(*(_warn_unless_usable(mount, store) for mount, store in stores.items()))

    def _log_once(self, error: str) -> None:
        """Log an error, unless it is the same as at the last attempt."""
        if error != self._last_error:
            self._last_error = error
            logger.error("deployment files changed, the previous ones stay in use: %s", error)


async def _warn_unless_usable(mount: str, store: Store) -> None:
    try:
        async with timeout(_CHECK_SECONDS):
            await check_mount(mount, store)
    except StoreError as error:
        logger.error("lines for a datastore are parked until it can be written: %s", error)  # noqa: TRY400 (no bug)
    except TimeoutError:
        logger.error(  # noqa: TRY400 (no bug)
            "lines for a datastore are parked until it can be written: datastore %r: expected an answer within %d s, "
            "got none: check that it can be reached",
            mount,
            _CHECK_SECONDS,
        )


def _default_store(config: ReceiverConfig, datastores: Datastores) -> Store:
    """The store for every collection that no deployment file stores elsewhere."""
    if not is_datastore_path(config.store):
        return open_store(config.store, create_container=config.create_container, access=config.store_access)
    url, access = datastores.located(config.store, config.store_access)
    return open_store(url, create_container=config.create_container, access=access)
