"""Which folders are open, and which idle one is closed when there are too many.

Opening and closing takes the same time, however many folders are open: idle folders are in the order in which they
became idle, and busy ones are not looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from .folder_names import tenant_of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..group_commit import PartitionWriter
    from ..sink_limits import SinkLimits
    from .blob_mark import BlobMark

__all__ = ["OpenFolders"]

_SHARE_OF_TENANT: Final = 4
"""A tenant with more than one of so many parts of the open folders closes its own when it opens another."""


class OpenFolders:
    """The writers of open folders.

    Args:
        limits: see `SinkLimits`.
        clock: seconds, of the event loop.
    """

    def __init__(self, limits: SinkLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._writers: dict[str, PartitionWriter] = {}
        self._idle: OrderedDict[str, float] = OrderedDict()  # since when; the oldest is the first
        self._idle_of: dict[str, OrderedDict[str, None]] = {}  # the same, by tenant
        self._marks: OrderedDict[str, tuple[BlobMark, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._writers)

    @property
    def names(self) -> list[str]:
        """The open folders, in the order in which they were opened."""
        return list(self._writers)

    @property
    def writers(self) -> Iterable[PartitionWriter]:
        """The writers of all open folders."""
        return self._writers.values()

    @property
    def items(self) -> Iterable[tuple[str, PartitionWriter]]:
        """The open folders and their writers."""
        return self._writers.items()

    def get(self, folder: str) -> PartitionWriter | None:
        """The writer of a folder, if it is open."""
        return self._writers.get(folder)

    def forget(self, folder: str) -> None:
        """Close a folder if it is idle, and forget what its blobs must contain: they were removed."""
        if folder in self._idle:
            self._not_idle(folder)
            self._writers.pop(folder).close()
        self._marks.pop(folder, None)

    def use(self, folder: str) -> PartitionWriter | None:
        """The writer of a folder, if it is open; it is busy from now on."""
        writer = self._writers.get(folder)
        if writer is not None:
            self._not_idle(folder)
        return writer

    def add(self, folder: str, writer: PartitionWriter) -> None:
        """Note a folder that was opened; it is busy."""
        self._writers[folder] = writer

    def make_room(self, tenant: str) -> None:
        """Close folders that were idle for too long, and those above the limit, before `tenant` opens another one."""
        idle_since = self._clock() - self._limits.idle_seconds
        while self._idle and next(iter(self._idle.values())) <= idle_since:
            self.close_one()
        while len(self._writers) >= self._limits.open_folders and self.close_one(tenant):
            pass

    def idle(self, folder: str) -> None:
        """Note that no line waits in a folder."""
        if folder in self._writers:
            self._idle[folder] = self._clock()
            self._idle_of.setdefault(tenant_of_folder(folder), OrderedDict())[folder] = None

    def close_one(self, tenant: str = "") -> bool:
        """Close the folder that is idle for the longest time, of all or of a tenant that has many; False if none is."""
        if not self._idle:
            return False
        own = self._idle_of.get(tenant)
        if own is None or len(own) <= self._limits.open_folders // _SHARE_OF_TENANT:
            own = None
        folder = next(iter(own or self._idle))
        self._not_idle(folder)
        writer = self._writers.pop(folder)
        if marks := writer.close():
            self._marks[folder] = marks
            self._marks.move_to_end(folder)
            if len(self._marks) > self._limits.closed_folders:
                self._marks.popitem(last=False)
        return True

    def marks(self, folder: str) -> tuple[BlobMark, ...]:
        """What the blobs of a closed folder must contain, if it is known."""
        return self._marks.pop(folder, ())

    def _not_idle(self, folder: str) -> None:
        if self._idle.pop(folder, None) is None:
            return
        tenant = tenant_of_folder(folder)
        own = self._idle_of[tenant]
        del own[folder]
        if not own:
            del self._idle_of[tenant]
