"""The deployment files in force: read when the receiver starts, and again when they change, without a restart.

A file that is wrong, or that names a datastore which cannot be written, changes nothing: what was read before stays in
force, and one line says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from ..daemon_executor import DaemonThreads
from ..exceptions import ConfigError, StoreError
from ..layout.destination import Destinations
from ..storage.mounts import RoutingStore, check_mount
from ..storage.open_store import open_store
from . import plan as planning
from .datastores import DatastorePath, Datastores, is_datastore_path
from .files import DeploymentFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.receiver import ReceiverConfig
    from ..config.store_access import DatastoreConfig
    from ..storage.store import Store
    from .plan import Plan

__all__ = ["Deployments"]

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""Pause between two looks at the files."""


class Deployments:
    """Where the lines of every collection go, as settings and deployment files say.

    Args:
        config: validated settings.
        ask: asks Azure ML for a datastore that the settings do not list, see `Datastores`.

    Attributes:
        destinations: where the lines of each collection go.
        store: takes the lines for all of them.

    Raises:
        ConfigError: files or settings are wrong; the message lists what.
    """

    def __init__(
        self, config: ReceiverConfig, *, ask: Callable[[DatastorePath], DatastoreConfig] | None = None
    ) -> None:
        self._files = DeploymentFiles(config.deployments)
        self._datastores = Datastores(config.known_datastores, config.workspace, ask)
        self._watched = config.deployments
        self._stamp = self._files.stamp()
        self._complaint = ""
        self._threads = DaemonThreads(1, "otel-modeldata-files")  # a stop waits for no answer of Azure ML
        self._task: asyncio.Task[None] | None = None
        plan = self._plan()
        self._planned = len(plan.deployments)
        self.destinations = Destinations(config.rolling_rate, plan.deployments)
        self.store = RoutingStore(_default_store(config, self._datastores))
        for mount, datastore in plan.mounts.items():
            self.store.mount(mount, open_store(datastore.url, access=datastore))

    def start(self) -> None:
        """Look at the files from now on, if there are any."""
        if self._watched and not self._planned:
            logger.warning(
                "expected a deployment file with data_collector in %s, got none so far: defaults hold",
                ", ".join(self._watched),
            )
        if self._watched:
            self._task = asyncio.create_task(self._watch(), name="deployment files")

    async def stop(self) -> None:
        """Look no more; safe to call twice and before `start`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._threads.shutdown(wait=False)

    def _plan(self) -> Plan:
        return planning.make(self._files.read(), self._datastores)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            stamp = await loop.run_in_executor(self._threads, self._files.stamp)
            if stamp != self._stamp:
                await self._reload(stamp)

    async def _reload(self, stamp: tuple[tuple[str, int, int], ...]) -> None:
        """Put the files as they are now in force. A store that fails is tried again, wrong files wait for a change."""
        try:
            plan = await asyncio.get_running_loop().run_in_executor(self._threads, self._plan)
            self._stamp = stamp
            await self._mount(plan.mounts)
        except ConfigError as error:
            self._stamp = stamp
            self._complain(error)
        except StoreError as error:
            self._stamp = ()
            self._complain(error)
        except Exception as error:  # a defect here must not end the watch
            self._stamp = stamp
            logger.exception("deployment files are not read again: %s", type(error).__name__)
        else:
            self.destinations.replace(plan.deployments)
            self._complaint = ""
            logger.info("deployment files were read again: %d deployments", len(plan.deployments))

    async def _mount(self, mounts: dict[str, DatastoreConfig]) -> None:
        """Check and mount the stores that are new."""
        for mount, datastore in mounts.items():
            if self.store.has(mount):
                continue
            store = open_store(datastore.url, access=datastore)
            try:
                await check_mount(mount, store)
            except BaseException:  # only to close what nobody else knows; it is raised again
                await store.close()
                raise
            self.store.mount(mount, store)

    def _complain(self, error: ConfigError | StoreError) -> None:
        if str(error) != self._complaint:
            self._complaint = str(error)
            logger.error("deployment files changed, those read before stay in force: %s", _one_line(error))


def _default_store(config: ReceiverConfig, datastores: Datastores) -> Store:
    """The store that takes what no deployment file sends elsewhere."""
    if not is_datastore_path(config.store):
        return open_store(config.store, create_container=config.create_container, access=config.store_access)
    path = DatastorePath.parse(config.store)
    datastore = datastores.find(path)
    access = config.store_access if config.store_access.chosen else datastore
    return open_store(_below(datastore.url, path.path), create_container=config.create_container, access=access)


def _below(url: str, path: str) -> str:
    """The URL of a folder of the store at `url`, whose query stays at its end."""
    place, mark, query = url.partition("?")
    return f"{place.rstrip('/')}/{path}{mark}{query}" if path else url


def _one_line(error: Exception) -> str:
    return "; ".join(str(error).splitlines())
