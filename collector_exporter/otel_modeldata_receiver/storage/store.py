"""What a store promises: the contract between the sink, which decides what goes where, and the places that hold blobs.

A store knows nothing of events, folders or rolling. It appends bytes to named blobs under the one rule that makes
exactly-once possible: an append names the position it expects, and either happened completely there or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BLOB_SUFFIX", "BlobState", "FencedError", "Store", "StoredObject", "checked_name"]

BLOB_SUFFIX: Final = ".jsonl"
"""Azure's readers look at names that end so and at nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobState:
    """How far a blob has grown.

    Attributes:
        size: bytes durable in the blob; the position of the next append.
        blocks: append operations it has taken (Azure allows 50,000); 0 where the store has no such limit.
    """

    size: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One blob or payload object as a listing shows it.

    Attributes:
        name: relative to the store.
        size: bytes at the time of the listing.
    """

    name: str
    size: int


class FencedError(Exception):
    """This blob takes no more blocks from this writer, who must roll to a new one. Never leaves the sink."""


class Store(Protocol):
    """A place that holds blobs; see `local.py` and `azure_append_blob.py`.

    Names are relative, with `/` between the segments; the store puts its own prefix before them and refuses, with
    `ValueError`, those that `checked_name` refuses. Every method but `close` may raise `StoreError`.
    """

    async def check(self) -> None:
        """Prove that blobs can be written; raise `StoreCheckError` naming place and permission otherwise."""

    async def blobs(self, prefix: str) -> Sequence[str]:
        """The names that start with `prefix` and end with `.jsonl`, in ascending order."""

    async def walk(self, folder: str) -> Sequence[StoredObject]:
        """Everything below `folder`, at any depth, in ascending order of names; "" is the whole store.

        Unlike the other methods it repairs nothing and waits for no writer: an audit must see what readers see.
        """

    async def create(self, name: str) -> BlobState | None:
        """Create an empty append blob; None when the name is taken.

        An empty blob of that name serves as well (it is what a create with a lost answer leaves behind): should
        another writer take the same one, the position rule of `append` fences one of the two.
        """

    async def state(self, name: str) -> BlobState | None:
        """The blob's present, durable size, or None when there is no such blob.

        A torn last line, which nobody was told is stored, is cut off first where the store can do that.
        """

    async def read(self, name: str, start: int, end: int) -> bytes:
        """The bytes of the blob from `start` up to, not including, `end`, which both lie within its size."""

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        """Make `block` durable at `state.size`, exactly once, and return the new state.

        Raises:
            StoreError: it is not known to be durable; calling again with the same arguments is safe. The block may
                still become durable later, even when nobody calls again.
            FencedError: somebody else's bytes, or late ones of this writer, are at `state.size`, or the blob is full,
                sealed or gone. `block` alone is not in it and never will be; what is there may begin with it.
        """

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """Write a whole object and return the URL (or path) that a line may point to. Putting it again is safe.

        Raises:
            ValueError: the name holds other content; it stays as it is.
        """

    async def close(self) -> None:
        """Release connections and threads."""


def checked_name(name: str) -> str:
    r"""`name`, when it stays inside the store; the second lock behind the allow-list of `semconv.is_name`.

    Azure resolves `..` before it looks at the credential's scope: such a name crosses folders and containers.

    Raises:
        ValueError: empty, absolute or `.`/`..`/empty segments, a backslash, or a control character.
    """
    if "\\" in name or not name.isprintable() or any(part in {"", ".", ".."} for part in name.split("/")):
        raise ValueError(
            f"expected a relative name without '..', '//', a backslash or control characters, got {name!r}: "
            "check endpoint, deployment and collection before a path is built of them"
        )
    return name
