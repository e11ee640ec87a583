"""The store of a partition in the process that reads it: opened once, with the credentials that this process has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange
from ..blobs.store_access import Piece, StoreAccess
from ..exceptions import ReaderError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_modeldata_receiver.config.store_access import AccessConfig
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["FolderObjects", "RangeAccess", "RemoteStore", "checked_url", "remote_store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStore:
    """Names a store for other processes.

    Attributes:
        url: as `open_store` takes it; it may hold a secret, which is never pickled.
        access: how an account in Azure is opened: names of files and identities, no secrets.
    """

    url: str
    access: AccessConfig | None = None

    def __repr__(self) -> str:
        return f"RemoteStore({_shown(self.url)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _remote_store, (checked_url(self.url), self.access)

    def opened(self) -> StoreAccess:
        """The store, open in this process.

        Raises:
            StoreUnavailableError: its credentials cannot be used here.
        """
        return _opened(self.url, self.access)


def remote_store(store: StoreAccess) -> RemoteStore:
    """The name of an open store; that of a folder is absolute, because other processes work in other folders."""
    from otel_modeldata_receiver.config.store_url import is_azure, meant_store  # noqa: PLC0415 (a store is open already)

    meant = meant_store(store.url)
    return RemoteStore(url=meant if is_azure(meant) else str(Path(meant).absolute()), access=store.access)


def checked_url(url: str) -> str:
    """The URL of a store that other processes read.

    Raises:
        ReaderError: it holds a secret, which would be part of plans, logs and checkpoints.
    """
    from otel_modeldata_receiver.config.store_url import has_secret  # noqa: PLC0415 (a store is open already)

    if has_secret(url):
        raise ReaderError(
            f"expected a store whose URL has no secret, got one with a signature ({_shown(url)!r}): write it without, "
            "and set AZURE_STORAGE_SAS_TOKEN where the rows are read"
        )
    return url


class RangeAccess:
    """Reads one range of a blob as if it were the whole blob.

    Args:
        store: has the blob.
        start: position of the first byte of the range.
    """

    def __init__(self, store: StoreAccess, start: int) -> None:
        self._store = store
        self._start = start

    def pieces(self, blobs: Iterable[StoredObject]) -> Iterator[Piece]:
        """The bytes of the range, whose size is that of the only blob."""
        for blob in blobs:
            for piece in self._store.pieces([ByteRange(blob.name, self._start, self._start + blob.size)]):
                start = piece.start - self._start
                if piece.is_last and start + len(piece.content) < blob.size:
                    raise StoreUnavailableError(
                        f"expected {self._start + blob.size:,} bytes or more in {blob.name}, got "
                        f"{piece.start + len(piece.content):,}: it was cut meanwhile; read the collection again"
                    )
                yield Piece(blob.name, start, piece.content, piece.is_last)


class FolderObjects(Mapping[str, int]):
    """The sizes of the objects in the folders of blobs by name; a folder is listed when the first name is looked up."""

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._folders: dict[str, dict[str, int]] = {}

    def __getitem__(self, name: str) -> int:
        folder = name.rpartition("/")[0]
        if folder not in self._folders:
            self._folders[folder] = {one.name: one.size for one in self._store.walk(folder)}
        return self._folders[folder][name]

    def __iter__(self) -> Iterator[str]:
        return (name for folder in self._folders.values() for name in folder)

    def __len__(self) -> int:
        return sum(map(len, self._folders.values()))


def _remote_store(url: str, access: AccessConfig | None) -> RemoteStore:
    return RemoteStore(url=url, access=access)


@lru_cache(maxsize=16)
def _opened(url: str, access: AccessConfig | None) -> StoreAccess:
    return StoreAccess(url, access)


def _shown(url: str) -> str:
    from otel_modeldata_receiver.config.store_url import shown_store  # noqa: PLC0415 (see above)

    return shown_store(url)
