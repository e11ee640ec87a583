"""Delivers parked lines to their folders, in order, when these take lines again.

Theory of operation.

1. One attempt for a folder reads its parked blobs in their order, and appends their lines to the folder. Ids that are
   stored there already are left out by the folder's own window (`rolled_blobs.py`): those of an append whose outcome
   was unknown when its lines were parked, and those that were delivered before a crash.
2. Before that, the blob is retired (`parked_blobs.py`): new lines go to another blob, and those that it has do not
   count as stored any more. From then on only the folder itself decides that, because lines may vanish there too.
3. A blob is removed when all its lines are durable in the folder, and before the next blob is begun. So after a crash
   at most one blob is delivered again, and it is smaller than the tail of the folder that is read for ids. A blob that
   cannot be removed (a lease, a policy, no permission) is marked instead (`delivered_marks.py`).
4. A blob is removed only if its size is still the size that was delivered (`Store.remove`). So a late append to it is
   kept and delivered too. A late append to a removed blob is fenced.
5. Back to direct appends: the folder is closed, so that lines which arrive now wait for a moment. When nothing is being
   parked any more and nothing is left, the folder is no longer parked, and what waits is stored directly. If this takes
   too long, the folder is opened again, and its lines are parked.
6. An object is delivered before the lines that refer to it, and only if there are any: see `object_delivery.py`.

Few attempts run at the same time, of folders in one datastore only one while it is suspect. An attempt begins with a
small piece of a blob, which shows whether the place takes lines; it is delivered again with the blob, without effect.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import random
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ...exceptions import StoreError
from ...retry import retry_for
from ...time_limit import timeout
from ..folders.reference_search import ReferenceSearches
from . import parked_names
from .damaged_lines import DamagedLines
from .delivered_marks import DeliveredMarks
from .delivery_patience import note_outcome, set_patience
from .leftovers.leftover import Leftover, LeftoverKind
from .leftovers.leftovers import Leftovers
from .object_delivery import ObjectDelivery
from .parked_lines import count_within, read_parked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from ...line import Line
    from ..sink import Sink
    from ..store import Store
    from .parked_folders import ParkedFolder, ParkedFolders

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 8
"""Attempts that run at the same time; each has at most a blob of 4 MiB in memory, a few times."""
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_UNPROVEN_SECONDS: Final = 1.0
"""For folders of which nothing is parked: the main store failed too, and its own return ends their outage."""
_LONGEST_CLOSED_SECONDS: Final = 4.0
"""How long the lines of a folder may wait for its return to direct appends, if the store is slow."""
_PIECE_BYTES: Final = 64 << 10
"""What is sent first, while it is unknown whether the place takes lines."""
_READ_RETRY_SECONDS: Final = 8.0


class Delivery:
    """Delivers what is parked, in background tasks that exist only while something is parked.

    Args:
        sink: appends to the folders.
        store: the store of the sink.
        instance: that of the sink: only its own parked blobs are delivered.
        folders: the parked folders.
        patience: seconds that an append of this many bytes may take in a brief attempt.
        on_delivered: called with each folder whose lines are all delivered.
    """

    def __init__(  # noqa: PLR0913 (made in one place)
        self,
        *,
        sink: Sink,
        store: Store,
        instance: str,
        folders: ParkedFolders,
        patience: Callable[[int], float],
        on_delivered: Callable[[str], None],
    ) -> None:
        self._sink = sink
        self._store = store
        self._instance = instance
        self._folders = folders
        self._patience = patience
        self._on_delivered = on_delivered
        self._queue: list[tuple[float, int, ParkedFolder]] = []
        self._number = 0
        self._attempts: dict[asyncio.Task[None], None] = {}  # in order
        self._running: set[ParkedFolder] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._damaged = DamagedLines(store)
        references = ReferenceSearches(store)
        self._leftovers = Leftovers(store, references, instance, self._deliver_again, self._removed)
        self._objects = ObjectDelivery(
            sink=sink,
            store=store,
            instance=instance,
            folders=folders,
            leftovers=self._leftovers,
            references=references,
            seconds=self._seconds,
            took=self._took,
        )
        self._log = LogThrottle(logger, math.inf)
        self._is_stopped = False

    def add(self, folder: ParkedFolder) -> None:
        """Deliver what is parked of `folder`, now or when that is possible, but for what is left of it already."""
        folder.left |= self._leftovers.names_of(folder.name)
        self._schedule(folder)

    def find_again(self, name: str, size: int, objects: Collection[str]) -> None:
        """Deliver `size` bytes that are parked of a folder which takes lines, among them `objects`."""
        if not self._leftovers.is_crowded(name):
            logger.warning("lines of %s are parked again: was the store restored from an older copy?", name)
        self.add(self._folders.find(name, size, objects))

    def look_at(self, name: str, left: Leftover) -> None:
        """Look from time to time at what another receiver has parked and does not deliver."""
        self._leftovers.add(name, left)

    def is_left(self, name: str) -> bool:
        """Whether a blob or an object is not to be delivered now, as one that is delivered and cannot be removed."""
        return name in self._leftovers

    async def parks(self, folder: ParkedFolder, name: str, parked: str, line_ids: Iterable[str]) -> None:
        """Note that an object is parked now, perhaps once more: its line may be on the way.

        This ends when no removal of what was parked there before is under way.

        Args:
            folder: where it is delivered.
            name: its own name.
            parked: where it is parked.
            line_ids: lines that refer to it, of which it is not known whether they are stored.
        """
        folder.objects.put(name)
        for line_id in line_ids:
            folder.objects.ask(name, line_id)
        folder.left.discard(parked)
        await self._leftovers.give_up(parked)

    def hurry(self) -> None:
        """The main store works again: look at folders at once of which nothing may be parked."""
        for folder in self._folders:
            if not folder.proven and folder.pause:
                self._schedule_now(folder)

    async def stop(self) -> None:
        """Stop; what is parked stays parked, and is delivered after the next start."""
        self._is_stopped = True
        tasks = [*self._attempts, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._leftovers.stop()
        for folder in self._folders:  # nothing that hangs may hold up the end
            self._sink.abandon(folder.name)

    def _schedule(self, folder: ParkedFolder) -> None:
        """Set when the next attempt is due, each time later."""
        longest = _LONGEST_PAUSE_SECONDS if folder.proven else _LONGEST_PAUSE_UNPROVEN_SECONDS
        folder.pause = min(2 * folder.pause or _FIRST_PAUSE_SECONDS, longest)
        # Not all at the same moment: places that failed together would be asked together.
        self._push(folder, folder.pause * random.Random(self._number).uniform(0.75, 1.0))  # noqa: S311

    def _schedule_now(self, folder: ParkedFolder) -> None:
        folder.pause = _FIRST_PAUSE_SECONDS
        self._push(folder, 0.0)

    def _push(self, folder: ParkedFolder, pause: float) -> None:
        if self._is_stopped:
            return
        self._number += 1
        folder.due = asyncio.get_running_loop().time() + pause
        heapq.heappush(self._queue, (folder.due, self._number, folder))
        self._news.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="delivery of parked lines")
            self._task.add_done_callback(_log_bug)

    async def _run(self) -> None:
        try:
            while self._queue or self._attempts:
                self._news.clear()
                pause = self._start_due()
                try:
                    async with timeout(pause):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            self._task = None

    def _start_due(self) -> float | None:
        """Start the attempts that are due; return the seconds until the next one is."""
        now = asyncio.get_running_loop().time()
        while self._queue and len(self._attempts) < _AT_ONCE:
            due, _, folder = self._queue[0]
            if due > now:
                return due - now
            heapq.heappop(self._queue)
            if due != folder.due or folder.ended or folder in self._running:  # its next attempt is set elsewhere
                continue
            if self._folders.is_suspect(folder.mount) and any(one.mount == folder.mount for one in self._running):
                self._push(folder, folder.pause)
                continue
            self._start(folder)
        return None

    def _start(self, folder: ParkedFolder) -> None:
        set_patience(folder, self._running)
        self._running.add(folder)
        task = asyncio.get_running_loop().create_task(self._attempt(folder), name=f"delivery to {folder.name}")
        self._attempts[task] = None

        def ended(task: asyncio.Task[None]) -> None:
            self._attempts.pop(task, None)
            self._news.set()
            _log_bug(task)

        task.add_done_callback(ended)

    async def _attempt(self, folder: ParkedFolder) -> None:
        before, folder.has_taken = folder.delivered, False
        try:
            self._store.url(f"{folder.name}/files")  # is its datastore known?
            if await self._deliver(folder):
                if folder.proven:
                    self._on_delivered(folder.name)
                return
        except (StoreError, TimeoutError) as error:
            logger.debug("%s: %s", folder.name, error)
        except ValueError as error:  # a datastore is not configured any more
            self._log.log(logging.WARNING, folder.place, "%s: parked lines stay parked: %s", folder.place, error)
        except Exception:  # a bug must not end the deliveries of others
            logger.exception("parked lines of %s are not delivered (bug)", folder.name)
        finally:
            self._running.discard(folder)
        note_outcome(folder, has_delivered=folder.delivered > before)
        if folder.delivered > before:
            folder.pause = 0.0
        self._schedule(folder)

    async def _deliver(self, folder: ParkedFolder) -> bool:
        """Deliver everything, and return to direct appends; False when lines arrive faster than they are delivered."""
        await self._deliver_parked(folder)
        folder.close()
        try:
            async with timeout(folder.closed_seconds):
                await folder.empty()
                while await self._deliver_parked(folder):
                    pass
                await self._check_others(folder)
            self._folders.end(folder)
            self._sink.forget(parked_names.parked_folder(folder.name))
        except TimeoutError:
            folder.closed_seconds = min(2 * folder.closed_seconds, _LONGEST_CLOSED_SECONDS)
            return False
        finally:
            folder.open()
        return True

    async def _deliver_parked(self, folder: ParkedFolder) -> bool:
        """Deliver the blobs and objects that are there now; return whether there were any."""
        below = parked_names.parked_folder(folder.name)
        marks = DeliveredMarks(self._store, await retry_for(lambda: self._store.walk(below), _READ_RETRY_SECONDS))
        found = False
        for name in marks.blobs(folder.name, self._instance):
            found |= await self._deliver_blob(folder, name, marks)
        return await self._objects.deliver_rest(folder) or found

    async def _check_others(self, folder: ParkedFolder) -> None:
        """Report blobs that vanished before they were delivered."""
        for mark in self._sink.parked_blobs(folder.name).marks:
            await self._sink.parked_blobs(folder.name).retire(mark.name)

    async def _deliver_blob(self, folder: ParkedFolder, name: str, marks: DeliveredMarks) -> bool:
        """Deliver the lines of a blob, then remove it; return whether there were any."""
        done = marked = await marks.delivered(name)
        found = False
        while True:
            state = await retry_for(lambda: self._store.state(name), _READ_RETRY_SECONDS)
            if state is None:
                return found
            if state.size < done:  # somebody cut it: lines that are delivered are recognized
                done = marked = 0
            if state.size > done:
                found = True
                await self._deliver_part(folder, name, done, state.size)
                done = state.size
                continue
            if not found:  # it is empty now, or was delivered by an earlier process
                await self._sink.parked_blobs(folder.name).retire(name)
            self._sink.parked_blobs(folder.name).delivered(name, done)
            left = None if await self._leftovers.remove_now(name, done) else await self._store.state(name)
            if left is None:
                self._folders.removed(folder, done)
                await marks.remove(name)
                return found
            if left.size == done:  # otherwise it has grown, or it is removed and the next blob has its name
                if done > marked:
                    await marks.put(name, done)
                    self._folders.removed(folder, done - marked)
                self._leftovers.add(name, Leftover(LeftoverKind.DELIVERED, folder.name, done, marks.names(name)))
                return found

    async def _deliver_part(self, folder: ParkedFolder, name: str, start: int, end: int) -> None:
        """Deliver the lines between two positions of a blob, after the objects that they may refer to."""
        lines, damaged = read_parked(await self._store.read(name, start, end))
        for text in damaged:
            await self._damaged.keep(folder, text)
        await self._objects.deliver_named(folder, lines, damaged)
        if not folder.has_taken:
            await self._deliver_lines(folder, lines[: count_within(lines, _PIECE_BYTES)])
        await self._sink.parked_blobs(folder.name).retire(name)
        await self._deliver_lines(folder, lines)

    def _deliver_again(self, name: str, left: str) -> None:
        """Deliver what was left of a folder: it has new lines, or what was delivered of it has vanished since."""
        folder = self._folders.get(name)
        if folder is None:
            folder = self._folders.find(name, 0)
            self.add(folder)
        folder.left.discard(left)
        folder.wanted.add(left)

    def _removed(self, name: str, left: str) -> None:
        """What was left in a folder is removed; if it is there again, it was parked once more."""
        if (folder := self._folders.get(name)) is not None:
            folder.left.discard(left)

    async def _deliver_lines(self, folder: ParkedFolder, lines: Sequence[Line]) -> None:
        """Append lines to the folder."""
        if not lines:
            return
        try:
            async with timeout(self._seconds(folder, sum(len(line.data) for line in lines))):
                appended = await self._sink.append(folder.name, lines, retry_seconds=0.0)
        except TimeoutError:
            self._sink.abandon(folder.name)
            raise
        self._took(folder)
        self._folders.delivered(folder, appended.stored)

    def _seconds(self, folder: ParkedFolder, size: int) -> float:
        """How long the place of a folder may take for this many bytes in the present attempt."""
        return folder.patience * self._patience(size)

    def _took(self, folder: ParkedFolder) -> None:
        """The place takes lines: others in the same datastore need not wait for their time."""
        folder.has_taken = True
        if self._folders.absolve(folder.mount):
            for other in self._folders:
                if other.mount == folder.mount and other is not folder:
                    self._schedule_now(other)


def _log_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s stopped (bug)", task.get_name(), exc_info=error)
