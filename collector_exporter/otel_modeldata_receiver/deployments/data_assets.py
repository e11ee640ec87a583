"""Data assets: they make the folder of a collection available in Azure ML under a name.

After the first stored line of a collection two small objects are stored in its folder: `MLTable`, with which the
`mltable` package opens the folder, and `{name}-v{version}.data.yml`, the asset in the form that `az ml data create
--file` takes. With a workspace the asset is registered there as well. An asset is a folder, so it needs no update.

This happens after the acknowledgement, in background tasks: it neither delays nor fails an answer, and is retried until
it works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from otel_modeldata.log_throttle import LogThrottle

from ..daemon_executor import DaemonExecutor
from ..exceptions import AssetError, StoreError
from ..retry import backoff
from ..time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..layout.destination import Destination

__all__ = ["MLTABLE", "AssetPublisher", "DataAsset", "asset_file"]

logger = logging.getLogger(__name__)

MLTABLE: Final = """\
$schema: https://azuremlschemas.azureedge.net/latest/MLTable.schema.json
type: mltable
paths:
  - pattern: ./**/*.jsonl
transformations:
  - read_json_lines:
      encoding: utf8
      invalid_lines: error
      include_path_column: false
"""
"""Content of the object `MLTable`; only `.jsonl` blobs contain lines."""
_DATA_SCHEMA: Final = "https://azuremlschemas.azureedge.net/latest/data.schema.json"
_YAML: Final = "application/yaml"
_FAST_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Writes ASCII as `SafeDumper` does, in a fifth of its time; other characters it may escape."""

_MOST: Final = 1000
"""Limit for collections that wait for a first line, and for assets in progress, because clients choose the names."""
_AT_ONCE: Final = 4
_REST_SECONDS: Final = 0.1
"""Pause of each of these before its next asset: no one waits for an asset, and the objects of one take as long as
several appends. A receiver may see its first thousand collections at the same time."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
_STOP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAsset:
    """A data asset of the type uri_folder.

    Attributes:
        name: `{endpoint}-{deployment}-{collection}` unless chosen.
        version: "1" unless chosen.
        path: the folder: `azureml://...` if that is known, else its URL, or its path in a local store.
        description: collection, endpoint and deployment.
    """

    name: str
    version: str
    path: str
    description: str


def asset_file(asset: DataAsset) -> bytes:
    """The asset in Azure ML's YAML schema of data assets."""
    content = {
        "$schema": _DATA_SCHEMA,
        "name": asset.name,
        "version": asset.version,
        "type": "uri_folder",
        "description": asset.description,
        "path": asset.path,
    }
    dumper = _FAST_DUMPER if all(map(str.isascii, content.values())) else yaml.SafeDumper
    return yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000).encode()


class AssetPublisher:
    """Stores the objects of an asset after the first line of its collection, and registers it.

    Args:
        put: stores an object and returns its URL: `Sink.put`.
        store_path: `azureml://` path of the root of the store, if it has one.
        register: registers an asset in a workspace; blocks, and raises `AssetError` when it fails. None: no workspace.
        first_pause: seconds before the second attempt; the pause doubles after each further one.
    """

    def __init__(
        self,
        put: Callable[[str, bytes, str], Awaitable[str]],
        *,
        store_path: str | None = None,
        register: Callable[[DataAsset], None] | None = None,
        first_pause: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        self._put = put
        self._store_path = store_path
        self._register = register
        self._first_pause = first_pause
        self._expected: dict[str, Destination] = {}
        self._published: set[tuple[str, str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pausing = 0
        self._stopping = asyncio.Event()
        self._threads = DaemonExecutor(1, "otel-modeldata-assets")  # a stop does not wait for an answer of Azure ML
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._log = LogThrottle(logger)

    def expect(self, destination: Destination) -> None:
        """Note that lines for `destination` may be stored; see `Destinations.on_new`."""
        key = _key(destination)
        if key not in self._published and len(self._expected) < _MOST:
            self._expected[destination.root] = destination

    def stored(self, folders: Iterable[str]) -> None:
        """Publish the assets of the collections whose first lines were stored in `folders`."""
        if not self._expected:
            return
        for folder in folders:
            for root in _roots(folder):
                if (destination := self._expected.pop(root, None)) is not None:
                    self._begin(destination)

    async def stop(self) -> None:
        """Give running attempts a moment to end, then stop. The next receiver publishes the rest later."""
        self._stopping.set()
        deadline = asyncio.get_running_loop().time() + _STOP_SECONDS
        while len(self._tasks) > self._pausing and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait(self._tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def _begin(self, destination: Destination) -> None:
        key = _key(destination)
        if key in self._published:
            return
        if len(self._tasks) >= _MOST:
            self._log.log(
                logging.WARNING, "many", "more than %d data assets wait to be published; others are left out", _MOST
            )
            return
        if len(self._published) >= 10 * _MOST:
            self._published.clear()  # publishing an asset again is harmless
        self._published.add(key)
        task = asyncio.create_task(self._publish(destination), name=f"data asset {destination.asset_name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s is not published (bug)", task.get_name(), exc_info=error)

    async def _publish(self, destination: Destination) -> None:
        """Retry until it works; a missing permission may be granted at any time."""
        for pause in backoff(self._first_pause, _LONGEST_PAUSE_SECONDS):
            try:
                async with self._slots:
                    await self._publish_once(destination)
                    await self._rest()
                    return
            except (StoreError, AssetError) as error:
                self._log.log(
                    logging.WARNING,
                    "failed",
                    "data asset %s is not published yet, retrying: %s",
                    destination.asset_name,
                    error,
                )
            self._pausing += 1
            try:
                await asyncio.sleep(pause)
            finally:
                self._pausing -= 1

    async def _rest(self) -> None:
        """Keep the place of an asset that is published for a moment, while others wait for it."""
        if len(self._tasks) > _AT_ONCE:
            with contextlib.suppress(TimeoutError):
                async with timeout(_REST_SECONDS):
                    await self._stopping.wait()

    async def _publish_once(self, destination: Destination) -> None:
        url = await self._write(f"{destination.root}/MLTable", MLTABLE.encode())
        asset = self._asset(destination, url)
        await self._write(f"{destination.root}/{asset.name}-v{asset.version}.data.yml", asset_file(asset))
        if self._register is None:
            return
        if "://" not in asset.path:
            self._log.log(
                logging.WARNING, "local", "%s is not registered: Azure ML cannot read a local store", asset.name
            )
            return
        await asyncio.get_running_loop().run_in_executor(self._threads, self._register, asset)
        logger.info("data asset %s version %s is registered", asset.name, asset.version)

    async def _write(self, name: str, content: bytes) -> str:
        """Store an object; one that exists with other content is not changed."""
        try:
            return await self._put(name, content, _YAML)
        except ValueError:
            logger.warning("%s exists with other content and is not changed", name)
            return ""

    def _asset(self, destination: Destination, mltable_url: str) -> DataAsset:
        path = destination.path
        if path is None and self._store_path is not None:
            path = f"{self._store_path}/{destination.root}"
        return DataAsset(
            name=destination.asset_name,
            version=destination.asset_version,
            path=path or mltable_url.removesuffix("MLTable").rstrip("/\\"),
            description=f"{destination.collection} of {destination.endpoint}/{destination.deployment}",
        )


def _key(destination: Destination) -> tuple[str, str, str]:
    return (destination.root, destination.asset_name, destination.asset_version)


def _roots(folder: str) -> list[str]:
    """Every folder above `folder`; one of them may be the root of a collection."""
    parts = folder.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
