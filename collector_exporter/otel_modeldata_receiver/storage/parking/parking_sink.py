"""A sink in front of another one: lines of a folder that takes none are parked, so no tenant stops another.

A folder takes no lines when its append fails while the main store takes the same lines, or when it is not durable after
about a second while the store answers others. Then the lines are parked (`parked_folders.py`) in the main store, which
acknowledges them, and further lines of the folder are parked at once. `delivery.py` brings them to their folder.

Only if parking fails as well is the whole store in an outage, and the caller gets the error.

An append that was given up may still become durable in its folder. So its lines may be there and be parked too; the
ids known to the folder decide when they are delivered, as for every line that is sent again. At the moment of giving up
all waiting lines of the folder are dropped, so at most one block is in doubt.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ...exceptions import PlaceError, StoreError
from ...time_limit import timeout
from ..group_commit import Appended
from ..mounts import mount_of
from . import parked_names
from .append_patience import BYTES_PER_SECOND, PATIENCE_SECONDS, append_patience
from .delivery import Delivery
from .main_store import MainStore
from .parked_before import ParkedBefore
from .parked_folders import ParkedFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ...line import Line
    from ...telemetry import Instruments
    from ..sink import Sink
    from ..store import Store
    from .parked_folders import ParkedFolder

__all__ = ["ParkingSink"]

logger = logging.getLogger(__name__)

_NEWEST_RETRY_SECONDS: Final = 0.5
"""How long the newest parked blob is tried before a new one is begun."""
_LOOK_SECONDS: Final = 0.25
"""Pause between two looks at the appends that are under way."""


class ParkingSink:
    """See `Sink` for the methods that are not explained here.

    Args:
        sink: appends to all folders; closed with this one.
        store: the store of the sink; parked lines are in its main store.
        instance: the instance of the sink.
        instruments: metrics.
        on_delivered: called with each folder whose parked lines are all delivered.
    """

    def __init__(
        self,
        sink: Sink,
        store: Store,
        *,
        instance: str,
        instruments: Instruments,
        on_delivered: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sink = sink
        self._store = store
        self._instance = instance
        self._folders = ParkedFolders(instruments)
        self._delivery = Delivery(
            sink=sink,
            store=store,
            instance=instance,
            folders=self._folders,
            patience=append_patience,
            on_delivered=on_delivered,
        )
        self._before = ParkedBefore(store, instance, self._folders, self._delivery)
        self._log = LogThrottle(logger)
        self._is_stopping = False
        self._main = MainStore(sink.check, self._delivery.hurry)
        self._unanswered: dict[str, set[str]] = {}
        """Objects that are put next, and the lines of which it could not be said whether they are stored."""
        self._appends = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Find what was parked before this process started, and deliver it; appends wait for that by themselves.

        Raises:
            StoreError: the main store does not answer; calling again is safe.
        """
        await self._before.start()

    async def resume(self) -> None:
        """Deliver what was parked before this process started, as soon as the main store answers; never returns.

        Later on, look for parked lines from time to time: a store that is restored from an older copy may have some
        again that are delivered already, or that are missing in their folder now.
        """
        await self._before.resume()

    async def check(self) -> None:
        """See `Sink.check`."""
        await self._sink.check()

    @property
    def open_folders(self) -> int:
        """See `Sink.open_folders`."""
        return self._sink.open_folders

    def is_parked(self, folder: str) -> bool:
        """Whether the lines of `folder` are parked at present."""
        return self._folders.get(folder) is not None

    async def append(self, folder: str, lines: Sequence[Line], *, callers: int = 1) -> Appended:
        """Make `lines` durable in `folder`, or park them; `Appended.parked` is the number of parked ones.

        Raises:
            StoreError: the main store does not take them either; sending the same lines again is safe.
            ValueError: as for `Sink.append`.
        """
        if not self._before.is_found:
            await self.start()
        size = 0
        while True:
            parked = self._folders.get(folder) or self._suspected(folder)
            retry_seconds = None
            if parked is None:
                began = asyncio.get_running_loop().time()
                appended, parked = await self._append_directly(folder, lines, began, callers)
                if appended is not None:
                    return appended
                if mount_of(folder) is None and not self._main.has_served_since(began):
                    retry_seconds = 0.0  # perhaps the main store itself failed, and was retried already
            if parked is None or not await parked.enter():
                continue
            try:
                appended = await self._park(parked, lines, retry_seconds)
            finally:
                parked.leave()
            size = sum(len(line.data) for line in lines)
            self._folders.parked(parked, appended.stored, size)
            return Appended(appended.stored, appended.duplicates, appended.stored)

    async def _park(self, parked: ParkedFolder, lines: Sequence[Line], retry_seconds: float | None) -> Appended:
        """Append to the newest parked blob, or to the next one if that one is refused, as while it is leased.

        Lines may be in both then. They are recognized when they are delivered.
        """
        name = parked_names.parked_folder(parked.name)
        try:
            return await self._park_once(name, lines, _NEWEST_RETRY_SECONDS if retry_seconds is None else retry_seconds)
        except StoreError:
            if self._is_stopping:
                raise
        try:
            return await self._park_once(name, lines, retry_seconds)
        except StoreError as error:
            self._main.fail()
            raise await self._refusal(parked, error) from None

    async def _refusal(self, parked: ParkedFolder, error: StoreError) -> StoreError:
        """The error for lines that cannot be parked: that of one tenant, if the main store works."""
        if not await self._main.works(PATIENCE_SECONDS):
            return error
        self._log.log(logging.WARNING, parked.place, "lines of %s cannot be parked either: %s", parked.place, error)
        return PlaceError(*error.args)

    async def _park_once(self, name: str, lines: Sequence[Line], retry_seconds: float | None) -> Appended:
        began = asyncio.get_running_loop().time()
        self._watch(1)
        try:
            appended = await self._sink.append(name, lines, retry_seconds=retry_seconds)
        finally:
            self._watch(-1)
        self._main.serve(began)
        return appended

    async def is_superseded(self, folder: str, line_id: str, name: str) -> bool:
        """See `Sink.is_superseded`; False if the folder cannot be read: it is asked again when the object is stored."""
        await self.start()
        if self._folders.get(folder) or self._suspected(folder):
            self._unanswered.setdefault(name, set()).add(line_id)
            return False
        self._watch(1)
        try:
            return await self._sink.is_superseded(folder, line_id, name)
        except StoreError as error:
            if self._is_stopping:
                raise
            # Also if nothing shows that the main store works: parking the object does.
            self._begin(folder, error)
            self._unanswered.setdefault(name, set()).add(line_id)
            return False
        finally:
            self._watch(-1)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """Store an object, or park it; the URL is that of `name` in both cases, where it will be.

        Raises:
            StoreError: the main store does not take it either.
            ValueError: as for `Sink.put`.
        """
        await self.start()
        folder = parked_names.folder_of_object(name)
        line_ids = self._unanswered.pop(name, set())
        while True:
            parked = self._folders.get(folder) or self._suspected(folder)
            if parked is None:
                put = partial(self._sink.put, name, content, content_type)
                patience, is_mounted = append_patience(len(content)), mount_of(name) is not None
                try:
                    if line_ids and await self._are_superseded(folder, line_ids, name):
                        return self._store.url(name)
                    return await self._main.in_time(put(), patience, is_mounted=is_mounted)
                except (StoreError, TimeoutError) as error:
                    if self._is_stopping:
                        raise
                    parked = self._begin(folder, error)
            if not await parked.enter():
                continue
            place = parked_names.parked_object(name, content_type, self._instance)
            try:
                await self._delivery.parks(parked, name, place, line_ids)
                await self._sink.put(place, content, content_type)
            finally:
                parked.leave()
            self._folders.parked(parked, 0, len(content))
            return self._store.url(name)

    async def _are_superseded(self, folder: str, line_ids: Iterable[str], name: str) -> bool:
        self._watch(1)
        try:
            return all([await self._sink.is_superseded(folder, line_id, name) for line_id in line_ids])
        finally:
            self._watch(-1)

    async def put_directly(self, name: str, content: bytes, content_type: str) -> str:
        """Store an object that may wait, such as a data asset; it is never parked.

        Raises:
            StoreError: it is not stored; its place may take none at present.
            ValueError: as for `Sink.put`.
        """
        mount = mount_of(name)
        if self._folders.is_suspect(mount):
            raise StoreError(f"expected to write {name!r}, got no answer of datastore {mount!r} before: repair it")
        try:
            async with timeout(append_patience(len(content))):
                return await self._sink.put(name, content, content_type)
        except TimeoutError:
            raise StoreError(f"expected to write {name!r} in time, got no answer: check that store") from None

    def forget_objects(self) -> None:
        """See `Sink.forget_objects`."""
        self._sink.forget_objects()

    async def drain(self) -> None:
        """See `Sink.drain`; what is parked stays parked from now on."""
        await self._before.wait()  # as appends do that came right after the start
        await self._stop()
        await self._sink.drain()

    async def close(self) -> None:
        """See `Sink.close`."""
        await self._stop()
        await self._sink.close()

    async def _stop(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._main.stop()
            self._before.stop()
            await self._delivery.stop()

    async def _append_directly(
        self, folder: str, lines: Sequence[Line], began: float, callers: int
    ) -> tuple[Appended | None, ParkedFolder | None]:
        """What was appended, or the folder if its lines are to be parked."""
        self._watch(1)
        try:
            appended = await self._sink.append(folder, lines, callers=callers)
        except StoreError as error:
            if self._is_stopping:
                raise
            return None, self._begin(folder, error)
        finally:
            self._watch(-1)
        if mount_of(folder) is None:
            self._main.serve(began)
        else:
            self._folders.absolve(mount_of(folder))
        return appended, None

    def _watch(self, change: int) -> None:
        """Count the appends that are under way; they are looked at while there are any."""
        self._appends += change
        if self._appends and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Park the lines of folders whose append takes too long, unless the main store answers no one."""
        self._timer = None
        if self._is_stopping:
            return
        for folder, began, error in self._sink.stalled(PATIENCE_SECONDS, BYTES_PER_SECOND):
            if self._folders.get(folder) is not None:
                continue
            if mount_of(folder) is None and not self._main.has_left_behind(began):
                self._main.ask()
                continue
            if parked_names.is_parked(folder):  # its newest blob gives no answer
                self._sink.abandon(folder)
                continue
            self._begin(folder, error or StoreError("expected an answer within about a second, got none"))
            self._sink.abandon(folder)
        if self._appends:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _suspected(self, folder: str) -> ParkedFolder | None:
        """The folder, if it is in a datastore whose last append failed."""
        if not self._folders.is_suspect(mount_of(folder)):
            return None
        return self._begin(folder, StoreError("expected an answer of its datastore, got an error for another folder"))

    def _begin(self, folder: str, error: StoreError | TimeoutError) -> ParkedFolder:
        """Park the lines of `folder` from now on."""
        is_new = self._folders.get(folder) is None
        parked = self._folders.begin(folder, str(error) or "expected an answer in time, got none")
        if is_new:
            self._delivery.add(parked)
        return parked
