"""Everything behind the service, put together as the settings say: stores, sink, destinations and data assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..layout.destination import Destinations
from ..storage.sink import Sink
from .azureml_workspace import AzureWorkspace
from .data_assets import Assets
from .datastores import is_datastore_path
from .watcher import Deployments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.receiver import ReceiverConfig
    from ..telemetry import Instruments

__all__ = ["Output"]


class Output:
    """The output side of a receiver; `start`, then `close`, which is safe to call twice and before `start`.

    Args:
        config: validated settings.
        sink: where lines go; by default a sink on the stores that the settings name.
        instruments: metrics; those of the process's meter provider by default.

    Attributes:
        sink: where lines go.
        destinations: where the lines of each collection go in it.

    Raises:
        ConfigError: settings or deployment files are wrong, or name what nobody knows.
    """

    def __init__(
        self, config: ReceiverConfig, *, sink: Sink | None = None, instruments: Instruments | None = None
    ) -> None:
        self._deployments: Deployments | None = None
        self._assets: Assets | None = None
        if sink is not None:
            self.sink, self.destinations = sink, Destinations(config.rolling_rate)
            return
        workspace = AzureWorkspace(config.workspace) if config.workspace is not None else None
        self._deployments = deployments = Deployments(config, ask=workspace.datastore if workspace else None)
        self.sink = Sink(
            deployments.store, instance=config.instance, linger=config.linger_seconds, instruments=instruments
        )
        self.destinations = deployments.destinations
        if config.assets:
            self._assets = Assets(
                self.sink.put,
                store_path=config.store.rstrip("/") if is_datastore_path(config.store) else None,
                register=workspace.register if workspace else None,
            )
            self.destinations.on_new = self._assets.expect

    def start(self) -> None:
        """Follow the deployment files from now on."""
        if self._deployments is not None:
            self._deployments.start()

    def stored(self, folders: Iterable[str]) -> None:
        """Note that lines became durable in `folders`."""
        if self._assets is not None:
            self._assets.stored(folders)

    async def close(self) -> None:
        """Stop what runs in the background, refuse what is pending and release the stores."""
        if self._deployments is not None:
            await self._deployments.stop()
        if self._assets is not None:
            await self._assets.settle()
        await self.sink.close()
