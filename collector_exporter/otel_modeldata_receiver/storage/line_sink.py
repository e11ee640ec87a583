"""What ingest asks of storage: lines and objects become durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..line import Line
    from .group_commit import Appended

__all__ = ["LineSink"]


class LineSink(Protocol):
    """`Sink`, or `ParkingSink` in front of it; see there."""

    @property
    def open_folders(self) -> int:
        """How many folders are open."""

    async def append(self, folder: str, lines: Sequence[Line], *, callers: int = 1) -> Appended:
        """Store `lines` in `folder` in this order, and return when every one of them is durable."""

    async def is_superseded(self, folder: str, line_id: str, name: str) -> bool:
        """Whether a line is stored, or was, and refers to the object `name` no more."""

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """Store an object and return its URL."""

    def forget_objects(self) -> None:
        """Send every object again from now on."""

    async def drain(self) -> None:
        """Wait until no line is pending."""

    async def check(self) -> None:
        """Prove that the store can be written."""

    async def close(self) -> None:
        """Refuse the lines that are still pending and release the store."""
