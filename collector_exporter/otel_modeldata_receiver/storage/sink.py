"""The sink: stores lines, each exactly once, and returns when they are durable.

`group_commit.py` and `rolled_blobs.py` store the lines of one folder. This module joins what all folders share
(`folders/`): which of them are open, the memory of their ids, the order in which their blocks are stored; and shutdown.
The folders of a tenant do not wait for those of another one.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import telemetry
from ..exceptions import StoreError
from ..retry import retry_for
from .folders.fair_turns import FairTurns
from .folders.folder_names import tenant_of_folder
from .folders.known_ids import IdMemory
from .folders.object_references import is_stored
from .folders.open_folders import OpenFolders
from .folders.resent_objects import ResentObjects
from .group_commit import Appended, PartitionWriter
from .parking.parked_blobs import ParkedBlobWriter
from .parking.parked_names import is_parked, parked_folder, parked_limits
from .rolled_blobs import RollingBlobWriter
from .sink_context import SinkContext
from .sink_limits import SinkLimits
from .store import checked_name
from .upload_turns import UploadTurns

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..line import Line
    from .blob_writer import BlobWriter
    from .store import Store

__all__ = ["Appended", "Sink", "SinkLimits"]

_INSTANCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Sink:
    """Appends lines to rolled blobs of a store; one for each process, used from one event loop.

    Args:
        store: where the blobs are; closed with the sink.
        instance: 32 hex digits, the same for a replica over its restarts and different for every other one.
        linger: seconds that a first line waits for others to share its append; 0 appends at once.
        limits: see `SinkLimits`.
        instruments: metrics; those of the process's meter provider by default.

    Raises:
        ValueError: `instance` is not 32 lower-case hex digits.
    """

    def __init__(
        self,
        store: Store,
        *,
        instance: str,
        linger: float = 0.0,
        limits: SinkLimits | None = None,
        instruments: telemetry.Instruments | None = None,
    ) -> None:
        if _INSTANCE.fullmatch(instance) is None:
            raise ValueError(f"expected 32 lower-case hex digits as instance, got {instance!r}: use uuid4().hex")
        self._store = store
        self._instance = instance
        self._limits = limits or SinkLimits()
        self._instruments = instruments or telemetry.instruments()
        self._folders = OpenFolders(self._limits, _now)
        self._context = SinkContext(
            store=store,
            limits=self._limits,
            memory=IdMemory(self._limits, self._folders.close_one),
            linger=linger,
            instruments=self._instruments,
        )
        self._turns = FairTurns(
            self._limits.blocks_under_way, self._limits.tenant_blocks_under_way, self._limits.turn_seconds
        )
        self._objects: OrderedDict[str, str] = OrderedDict()
        self._large_puts = UploadTurns(self._limits.large_puts)
        self._small_puts = UploadTurns(self._limits.small_puts)
        self._resent = ResentObjects(store)
        self._put_trouble: StoreError | None = None
        self._closed = False

    @property
    def open_folders(self) -> int:
        """How many folders are open."""
        return len(self._folders)

    async def check(self) -> None:
        """Prove that the store can be written.

        Raises:
            StoreCheckError: it cannot; the message names the store and the missing permission.
        """
        await self._store.check()

    async def append(
        self, folder: str, lines: Sequence[Line], *, retry_seconds: float | None = None, callers: int = 1
    ) -> Appended:
        """Store `lines` in `folder` in this order, and return when every one of them is durable.

        The lines of a cancelled call are stored nevertheless, and are duplicates when they are sent again.

        Args:
            folder: relative to the store.
            lines: each at most a block.
            retry_seconds: how long the folder's blocks are retried from now on; by default as the limits state.
            callers: how many requests wait for them.

        Raises:
            StoreError: not all of them are known to be durable; sending the same lines again is safe.
            ValueError: a line is larger than a block, or `folder` leaves the store; nothing was stored.
        """
        self._refuse_when_closed()
        largest = max([len(line.data) for line in lines], default=0)
        if largest > self._limits.block_bytes:
            raise ValueError(
                f"expected lines of at most {self._limits.block_bytes} bytes, got one of {largest}: "
                "put its payload beside it and point to it with dataref"
            )
        if not lines:
            checked_name(folder)
            return Appended(0, 0)
        writer = self._open(folder)
        writer.retry_seconds = self._limits.retry_seconds if retry_seconds is None else retry_seconds
        return await writer.add(lines, callers)

    async def is_superseded(self, folder: str, line_id: str, name: str) -> bool:
        """Whether a line is stored already, or was, and no line of this receiver refers to its object any more.

        That is so after rows were erased, or after an hour was made compact without its lines. Neither the object nor
        the line must be stored again then. All blobs of this receiver in the folder are searched for that, for all
        objects that are asked for at the same time together (`folders/resent_objects.py`).

        Args:
            folder: the folder of the line.
            line_id: the id of the line.
            name: the object, as for `put`.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        self._refuse_when_closed()
        writer = self._folders.get(folder)
        if writer is not None and writer.lacks(line_id):  # the usual case
            return False
        if not await self._open(folder).has(line_id) or await is_stored(self._store, name):
            return False
        return await self._resent.is_unnamed(f"{folder}/{self._instance}", name)

    async def stored_ids(self, folder: str, line_ids: Collection[str]) -> set[str]:
        """Those of some lines that are stored in `folder` already, or were: sent again, they are duplicates.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """
        self._refuse_when_closed()
        writer = self._folders.get(folder)
        unsure = [one for one in line_ids if writer is None or not writer.lacks(one)]
        if not unsure:  # the usual case
            return set()
        writer = self._open(folder)
        answers = await asyncio.gather(*(writer.has(one) for one in unsure))
        return {one for one, is_stored_there in zip(unsure, answers, strict=True) if is_stored_there}

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """Store an object and return its URL, for `dataref`; only a few of a tenant are sent at the same time.

        Args:
            name: relative to the store. It contains a digest of the content, so one name has one content, and an
                object that is stored already is not sent again.
            content: its bytes.
            content_type: its media type.

        Raises:
            StoreError: it is not known to be stored; putting it again is safe.
            ValueError: the name has other content already, or leaves the store.
        """
        self._refuse_when_closed()
        turns = self._large_puts if len(content) > self._limits.large_put_bytes else self._small_puts
        async with turns.turn(tenant_of_folder(name)):
            url = self._objects.pop(name, None)
            if url is None or not content or not await is_stored(self._store, name):
                try:
                    url = await retry_for(
                        lambda: self._try_put(name, content, content_type),
                        self._limits.retry_seconds,
                        self._instruments.retries,
                    )
                finally:
                    self._put_trouble = None
            self._objects[name] = url
            if len(self._objects) > self._limits.known_objects:
                self._objects.popitem(last=False)
            return url

    async def _try_put(self, name: str, content: bytes, content_type: str) -> str:
        try:
            return await self._store.put(name, content, content_type)
        except StoreError as error:
            self._put_trouble = error
            raise

    def trouble(self) -> StoreError | None:
        """Why the last attempt to store something that is not stored yet has failed; None if none has."""
        found = [writer.trouble for writer in self._folders.writers if writer.task is not None]
        return next(filter(None, found), self._put_trouble)

    def stalled(self, seconds: float, rate: float) -> list[tuple[str, float, StoreError | None]]:
        """The folders whose present block is not durable after `seconds` and its size by `rate`.

        Each with the moment when the block began, and the error of the last attempt if there was one.
        """
        now = asyncio.get_running_loop().time()
        return [
            (folder, writer.began, writer.trouble)
            for folder, writer in self._folders.items
            if writer.began is not None and now - writer.began > seconds + writer.block_bytes / rate
        ]

    def abandon(self, folder: str) -> None:
        """Give up every pending line of `folder` now; the outcome of the block that is under way is unknown."""
        writer = self._folders.get(folder)
        if writer is not None and writer.task is not None:
            writer.task.cancel()

    def parked_blobs(self, folder: str) -> ParkedBlobWriter:
        """The blobs with the parked lines of `folder`. Ask again after each wait: the folder may have been closed."""
        name = parked_folder(folder)
        writer = self._folders.get(name)
        if writer is None:
            writer = self._open(name)
            self._folders.idle(name)
        assert isinstance(writer.blobs, ParkedBlobWriter)  # noqa: S101 (as `_open` makes it)
        return writer.blobs

    def forget(self, folder: str) -> None:
        """Close `folder` if it is idle: its blobs were removed."""
        self._folders.forget(folder)

    def forget_objects(self) -> None:
        """Send every object again from now on: the store failed, and may have been replaced."""
        self._objects.clear()

    async def drain(self) -> None:
        """Write the lines that linger, and wait until no line is pending; new ones are still taken."""
        for writer in self._folders.writers:
            writer.flush_now()
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Refuse the lines that are still pending (see `drain`) and release the store; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._resent.stop()
        await self._store.close()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [writer.task for writer in self._folders.writers if writer.task is not None]

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreError("expected an open sink, got one that is closed: send the lines again to another receiver")

    def _open(self, folder: str) -> PartitionWriter:
        writer = self._folders.use(folder)
        if writer is None:
            tenant = tenant_of_folder(folder)
            stem = f"{checked_name(folder)}/{self._instance}"
            self._folders.make_room(tenant)
            marks = self._folders.marks(folder)
            blobs: BlobWriter
            if is_parked(folder):
                blobs = ParkedBlobWriter(stem, replace(self._context, limits=parked_limits(self._limits)), marks)
            else:
                blobs = RollingBlobWriter(stem, self._context, marks)
            writer = PartitionWriter(
                folder, blobs, self._context, turn=self._turns.turn(tenant), on_idle=self._folders.idle
            )
            self._folders.add(folder, writer)
        return writer


def _now() -> float:
    return asyncio.get_running_loop().time()
