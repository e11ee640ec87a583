"""The interface of a store: named blobs that grow by appends, and whole objects.

A store does not depend on events, folders or rolling. It appends bytes to named blobs under the rule that makes
exactly-once possible: an append names the position that it expects, and is applied there completely or not at all.

To add a store, implement `Store` in a module beside `local.py` and `azure_append_blob.py`, and add its URL scheme to
`open_store.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BLOB_SUFFIX", "BlobState", "FencedError", "Store", "StoredObject", "checked_name"]

BLOB_SUFFIX: Final = ".jsonl"
"""Azure's readers read only blobs whose names end with this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobState:
    """The size of a blob.

    Attributes:
        size: bytes durable in the blob; the position of the next append.
        blocks: append operations it has taken (Azure allows 50,000); 0 where the store has no such limit.
    """

    size: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One blob or object of a listing.

    Attributes:
        name: relative to the store.
        size: bytes at the time of the listing.
        modified: when it was last written, in seconds since the epoch; None where the store does not say it.
    """

    name: str
    size: int
    modified: float | None = field(default=None, compare=False)


class FencedError(Exception):
    """This blob takes no more blocks from this writer, which must go on to a new blob. Never leaves the sink."""


class Store(Protocol):
    """A store; see `local.py` and `azure_append_blob.py`.

    Names are relative, with `/` between the segments. The store puts its own prefix before them. It raises `ValueError`
    for a name that `checked_name` refuses. Every method but `close` may raise `StoreError`.
    """

    async def check(self) -> None:
        """Prove that blobs can be written; else raise `StoreCheckError`, which names the store and the permission."""

    async def blobs(self, prefix: str) -> Sequence[str]:
        """The names that start with `prefix` and end with `.jsonl`, in ascending order."""

    async def walk(self, folder: str) -> Sequence[StoredObject]:
        """Everything below `folder`, at any depth, in ascending order of names; "" is the whole store.

        Unlike the other methods it repairs nothing and waits for no writer: an audit must see the same as readers.
        """

    async def create(self, name: str) -> BlobState | None:
        """Create an empty append blob; None when the name is taken.

        An empty blob of that name is used as well: a create whose answer was lost leaves one. When another writer uses
        the same one, the position rule of `append` fences one of the two.
        """

    async def state(self, name: str) -> BlobState | None:
        """The present, durable size of the blob, or None when there is no such blob.

        Where lines can be torn, a torn last line is cut off first; it was never acknowledged.
        """

    async def read(self, name: str, start: int, end: int) -> bytes:
        """The bytes of the blob from `start` up to, not including, `end`; both are within its size."""

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        """Make `block` durable at `state.size`, exactly once, and return the new state.

        Raises:
            StoreError: it is not known to be durable; calling again with the same arguments is safe. The block may
                become durable later, even without another call.
            FencedError: bytes of another writer, or late ones of this writer, are at `state.size`, or the blob is full,
                sealed or deleted. `block` alone was not and will not be applied; the bytes there may begin with it.
        """

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """Write a whole object and return the URL (or path) for a line to refer to. Putting it again is safe.

        Raises:
            ValueError: the name has other content, which is not changed.
        """

    def url(self, name: str) -> str:
        """What `put` returns for this name, without asking the store."""

    async def remove(self, name: str, size: int) -> None:
        """Remove a blob or an object of this size; later appends to it are fenced. A name that is gone is no error.

        Where the permission to remove is missing, it is emptied instead.

        Raises:
            FencedError: it has another size, so that something was appended meanwhile; nothing was removed.
        """

    async def close(self) -> None:
        """Release the connections and threads."""


def checked_name(name: str) -> str:
    r"""`name`, if it stays inside the store; a second check after the allow-list of `semconv.is_name`.

    Azure resolves `..` before it checks the scope of a credential, so such a name leaves its folder and container.

    Raises:
        ValueError: empty, absolute or `.`/`..`/empty segments, a backslash, or a control character.
    """
    if not is_checked_name(name):
        raise ValueError(
            f"expected a relative name without '..', '//', a backslash or control characters, got {name!r}: "
            "check endpoint, deployment and collection before building a path from them"
        )
    return name


def is_checked_name(name: str) -> bool:
    """Whether `checked_name` lets a name pass; a listing may have others, which other programs made."""
    return "\\" not in name and name.isprintable() and not any(part in {"", ".", ".."} for part in name.split("/"))
