"""The output side of a receiver, built from the settings: stores, sink, destinations and data assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..layout.destination import Destinations
from ..storage.sink import Sink
from .azureml_workspace import AzureWorkspace
from .data_assets import AssetPublisher
from .datastores import is_datastore_path
from .first_lines import FirstLines
from .watcher import Deployments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.receiver import ReceiverConfig
    from ..layout.destination import Destination
    from ..telemetry import Instruments

__all__ = ["Output"]


class Output:
    """The output side of a receiver.

    Call `start`, then `close`. `close` is safe to call twice, and before `start`.

    Args:
        config: validated settings.
        instruments: metrics.
        sink: stores the lines; by default a sink on the stores that the settings name.

    Attributes:
        sink: stores the lines.
        destinations: the folder of each collection in the sink.

    Raises:
        ConfigError: settings or deployment files are wrong, or name an unknown datastore.
    """

    def __init__(self, config: ReceiverConfig, instruments: Instruments, *, sink: Sink | None = None) -> None:
        self._deployments: Deployments | None = None
        self._assets: AssetPublisher | None = None
        self._first_lines = FirstLines(config.shown_store)
        if sink is not None:
            self.sink, self.destinations = sink, Destinations(config.rolling_rate)
            return
        workspace = AzureWorkspace(config.workspace) if config.workspace is not None else None
        self._deployments = deployments = Deployments(config, ask=workspace.datastore if workspace else None)
        self.sink = Sink(
            deployments.store, instance=config.instance, linger=config.linger_seconds, instruments=instruments
        )
        if config.assets:
            self._assets = AssetPublisher(
                self.sink.put,
                store_path=config.store.rstrip("/") if is_datastore_path(config.store) else None,
                register=workspace.register if workspace else None,
            )
        self.destinations = Destinations(config.rolling_rate, deployments.plans, on_new=self._expect)

    def start(self) -> None:
        """Watch the deployment files from now on."""
        if self._deployments is not None:
            self._deployments.start(self.destinations)

    def reload(self) -> None:
        """Read the deployment files again, as when they change."""
        if self._deployments is not None:
            self._deployments.reload()

    def stored(self, folders: Sequence[str]) -> None:
        """Note that lines became durable in `folders`."""
        self._first_lines.stored(folders)
        if self._assets is not None:
            self._assets.stored(folders)

    def _expect(self, destination: Destination) -> None:
        self._first_lines.expect(destination)
        if self._assets is not None:
            self._assets.expect(destination)

    async def close(self) -> None:
        """Stop the background tasks, refuse pending lines and release the stores."""
        if self._deployments is not None:
            await self._deployments.stop()
        if self._assets is not None:
            await self._assets.stop()
        await self.sink.close()
