"""The output side of a receiver, built from the settings: stores, sink, destinations and data assets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..layout.destination import Destinations
from ..storage.mounts import check_mount
from ..storage.parking.parking_sink import ParkingSink
from ..storage.sink import Sink
from .azureml_workspace import AzureWorkspace
from .data_assets import AssetPublisher
from .datastores import is_datastore_path
from .first_lines import FirstLines
from .watcher import Deployments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.receiver import ReceiverConfig
    from ..exceptions import StoreError
    from ..layout.destination import Destination
    from ..storage.line_sink import LineSink
    from ..telemetry import Instruments

__all__ = ["Output"]


class Output:
    """The output side of a receiver.

    Call `start`, then `close`. `close` is safe to call twice, and before `start`.

    Args:
        config: validated settings.
        instruments: metrics.
        sink: stores the lines; by default a sink on the stores that the settings name.
        parks: whether lines of a folder that takes none are parked; without it their sender keeps them.

    Attributes:
        sink: stores the lines.
        destinations: the folder of each collection in the sink.

    Raises:
        ConfigError: settings or deployment files are wrong, or name an unknown datastore.
    """

    def __init__(
        self, config: ReceiverConfig, instruments: Instruments, *, sink: Sink | None = None, parks: bool = True
    ) -> None:
        self._deployments: Deployments | None = None
        self._assets: AssetPublisher | None = None
        self._parking: ParkingSink | None = None
        self._task: asyncio.Task[None] | None = None
        self._first_lines = FirstLines(config.shown_store)
        self._own = sink
        if sink is not None:
            self.sink: LineSink = sink
            self.destinations = Destinations(config.rolling_rate)
            return
        workspace = AzureWorkspace(config.workspace) if config.workspace is not None else None
        self._deployments = deployments = Deployments(config, ask=workspace.datastore if workspace else None)
        store, instance = deployments.store, config.instance
        self.sink = self._own = own = Sink(
            store, instance=instance, linger=config.linger_seconds, instruments=instruments
        )
        put = own.put
        if parks:
            self.sink = self._parking = parking = ParkingSink(
                own,
                store,
                instance=instance,
                instruments=instruments,
                on_delivered=lambda folder: self._note_stored([folder]),
            )
            put = parking.put_directly
        if config.assets:
            self._assets = AssetPublisher(
                put,
                store_path=config.store.rstrip("/") if is_datastore_path(config.store) else None,
                register=workspace.register if workspace else None,
            )
        self.destinations = Destinations(config.rolling_rate, deployments.plans, on_new=self._expect)

    async def check(self) -> None:
        """Prove that every store can be written; without parking, one that fails stops its sender.

        Raises:
            StoreCheckError: one cannot; the message names it.
        """
        await self.sink.check()
        if self._deployments is not None:
            for mount, store in self._deployments.store.mounts.items():
                await check_mount(mount, store)

    def trouble(self) -> StoreError | None:
        """Why lines or payloads that are being stored are not stored yet; None if no attempt has failed."""
        return None if self._own is None else self._own.trouble()

    def start(self) -> None:
        """Watch the deployment files from now on, and deliver what was parked before the start."""
        if self._deployments is not None:
            self._deployments.start(self.destinations)
        if self._parking is not None:
            self._task = asyncio.get_running_loop().create_task(self._parking.resume(), name="parked lines")

    def names(self, endpoint: str, deployment: str) -> bool:
        """Whether a deployment file names this deployment; Azure ML ignores the case."""
        plans = {} if self._deployments is None else self._deployments.plans
        return (endpoint.lower(), deployment.lower()) in plans

    def reload(self) -> None:
        """Read the deployment files again, as when they change."""
        if self._deployments is not None:
            self._deployments.reload()

    def stored(self, folders: Sequence[str]) -> None:
        """Note that lines became durable in `folders`, or are parked."""
        parking = self._parking
        self._note_stored(folders if parking is None else [one for one in folders if not parking.is_parked(one)])

    def _note_stored(self, folders: Sequence[str]) -> None:
        self._first_lines.stored(folders)
        if self._assets is not None:
            self._assets.stored(folders)

    def _expect(self, destination: Destination) -> None:
        self._first_lines.expect(destination)
        if self._assets is not None:
            self._assets.expect(destination)

    async def close(self) -> None:
        """Stop the background tasks, refuse pending lines and release the stores."""
        if self._task is not None:
            self._task.cancel()
        if self._deployments is not None:
            await self._deployments.stop()
        if self._assets is not None:
            await self._assets.stop()
        await self.sink.close()
