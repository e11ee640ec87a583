"""What `group_commit.py` asks of the blobs of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .folders.blob_mark import BlobMark

__all__ = ["BlobWriter"]


class BlobWriter(Protocol):
    """`RollingBlobWriter`, or `ParkedBlobWriter` where lines wait for their own folder."""

    @property
    def marks(self) -> tuple[BlobMark, ...]:
        """What the blobs must contain whose ids are known."""

    @property
    def is_suspected(self) -> bool:
        """Whether the blobs must be looked at before the next block."""

    @property
    def has_learned(self) -> bool:
        """Whether the stored ids are known, as far as they are remembered."""

    def suspect(self) -> None:
        """Look at the blobs before an id is called stored."""

    def has_any(self, ids: Sequence[str]) -> bool:
        """Whether any line with these ids may be stored; faster than `known`."""

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` whose lines are stored, as far as it is known since `locate`."""

    async def locate(self) -> bool:
        """Learn the ids that are stored, before a block is chosen; True when blobs were read.

        Raises:
            StoreError: the store does not answer; calling again is safe.
        """

    async def append(self, block: bytes) -> bool:
        """Make `block` durable.

        Returns:
            False when it is not, and the block must be chosen again after `locate`.

        Raises:
            StoreError: it is not known to be durable. Call again with the same block, or call `give_up`.
        """

    def remember(self, ids: Sequence[str]) -> None:
        """Note that the lines with these ids are stored, by the `append` that has just returned."""

    def give_up(self) -> None:
        """Forget the block whose outcome is unknown."""

    def close(self) -> None:
        """Release the memory of the ids."""
