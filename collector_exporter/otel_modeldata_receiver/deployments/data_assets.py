"""Data assets: what makes a collection's folder a thing that Azure ML, and any reader of tables, can open by name.

The first stored line of a collection leaves two small objects in its folder: `MLTable`, with which the folder opens in
the `mltable` package, and `{name}-v{version}.data.yml`, the asset as `az ml data create --file` takes it. With a
workspace the asset is registered there as well. An asset is a folder: it is up to date by itself from then on.

All of it happens behind the acknowledgement, in tasks of its own: it delays no answer, fails none, and is tried again
until it works.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from otel_modeldata.log_throttle import LogThrottle

from ..daemon_executor import DaemonThreads
from ..exceptions import AssetError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..layout.destination import Destination

__all__ = ["MLTABLE", "Asset", "Assets", "asset_file"]

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
"""Content of the object `MLTable`; only `.jsonl` blobs hold lines."""
_DATA_SCHEMA: Final = "https://azuremlschemas.azureedge.net/latest/data.schema.json"
_YAML: Final = "application/yaml"

_MOST: Final = 1000
"""Collections that wait for their first line, and assets on their way: names come from clients."""
_AT_ONCE: Final = 4
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
_STOP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A data asset of the type uri_folder.

    Attributes:
        name: `{endpoint}-{deployment}-{collection}` unless chosen.
        version: "1" unless chosen.
        path: the folder: `azureml://...` where that is known, else its URL, or its path in a local store.
        description: whose data it is.
    """

    name: str
    version: str
    path: str
    description: str


def asset_file(asset: Asset) -> bytes:
    """The asset in Azure ML's YAML schema for data."""
    content = {
        "$schema": _DATA_SCHEMA,
        "name": asset.name,
        "version": asset.version,
        "type": "uri_folder",
        "description": asset.description,
        "path": asset.path,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000).encode()


class Assets:
    """Leaves the objects of an asset beside its collection's first line, and registers it.

    Args:
        put: stores an object and returns its URL: `Sink.put`.
        store_path: `azureml://` path of the store's root, if it has one.
        register: registers an asset in a workspace; it blocks, and raises `AssetError` when that fails. None: nowhere.
        first_pause: seconds before the second try; later ones wait longer.
    """

    def __init__(
        self,
        put: Callable[[str, bytes, str], Awaitable[str]],
        *,
        store_path: str | None = None,
        register: Callable[[Asset], None] | None = None,
        first_pause: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        self._put = put
        self._store_path = store_path
        self._register = register
        self._first_pause = first_pause
        self._expected: dict[str, Destination] = {}
        self._begun: set[tuple[str, str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting = 0
        self._threads = DaemonThreads(1, "otel-modeldata-assets")  # a stop waits for no answer of Azure ML
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._log = LogThrottle(logger)

    def expect(self, destination: Destination) -> None:
        """Note that lines for `destination` may come; `Destinations` says so once for each."""
        key = _key(destination)
        if key not in self._begun and len(self._expected) < _MOST:
            self._expected[destination.root] = destination

    def stored(self, folders: Iterable[str]) -> None:
        """Begin the assets of collections whose first lines are among those just stored in `folders`."""
        if not self._expected:
            return
        for folder in folders:
            for root in _roots(folder):
                if (destination := self._expected.pop(root, None)) is not None:
                    self._begin(destination)

    async def settle(self) -> None:
        """Give what is at work a moment to end, then stop; what is left is done when the next line comes elsewhere."""
        deadline = asyncio.get_running_loop().time() + _STOP_SECONDS
        while len(self._tasks) > self._resting and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait(self._tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def _begin(self, destination: Destination) -> None:
        key = _key(destination)
        if key in self._begun:
            return
        if len(self._tasks) >= _MOST:
            self._log.log(
                logging.WARNING, "many", "more than %d data assets wait to be written; others are left out", _MOST
            )
            return
        if len(self._begun) >= 10 * _MOST:
            self._begun.clear()  # doing one again is harmless
        self._begun.add(key)
        task = asyncio.create_task(self._persist(destination), name=f"data asset {destination.asset_name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s is given up: a defect", task.get_name(), exc_info=error)

    async def _persist(self, destination: Destination) -> None:
        """Try until it works."""
        pause = self._first_pause
        while True:
            try:
                async with self._slots:
                    return await self._make(destination)
            except (StoreError, AssetError) as error:
                self._log.log(
                    logging.WARNING, "failed", "data asset %s is tried again: %s", destination.asset_name, error
                )
            self._resting += 1
            try:
                await asyncio.sleep(pause)
            finally:
                self._resting -= 1
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _make(self, destination: Destination) -> None:
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
        """Store an object once; one that is there with other content is somebody's choice and stays."""
        try:
            return await self._put(name, content, _YAML)
        except ValueError:
            logger.warning("%s is there with other content and is left alone", name)
            return ""

    def _asset(self, destination: Destination, mltable_url: str) -> Asset:
        path = destination.path
        if path is None and self._store_path is not None:
            path = f"{self._store_path}/{destination.root}"
        return Asset(
            name=destination.asset_name,
            version=destination.asset_version,
            path=path or mltable_url.removesuffix("MLTable").rstrip("/\\"),
            description=f"{destination.collection} of {destination.endpoint}/{destination.deployment}",
        )


def _key(destination: Destination) -> tuple[str, str, str]:
    return (destination.root, destination.asset_name, destination.asset_version)


def _roots(folder: str) -> list[str]:
    """Every folder above `folder`: one of them may be a collection's root."""
    parts = folder.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
