"""A store in Azure append blobs.

Theory of operation. Azure applies an append block whole or not at all. Its answer, however, can be lost, late or
wrong: a timeout, a cut connection or a status of 5xx can happen before the block was applied or after. Azure's client
library then retries, appends a second copy and reports success. This module prevents that with three rules:

1. Position. The retries of the library are off. Each append names the position that it expects
   (`appendpos_condition`), so of all appends at one position at most one is ever applied, no matter who repeats them.
   (aiohttp, too, repeats a PUT by itself when a kept-alive connection turns out to be closed.)
2. Doubt. After **any** error the blob is read, and one of three things is true:
   - its size is still the position: the block was not applied;
   - its bytes from the position to the end are the block: it was applied;
   - anything else: another writer, or a late block of this writer that began with the same lines, is at the position.
     This is `FencedError`.
   No error excludes doubt. For a connection that was lost after the request was sent, the library over aiohttp
   reports `ServiceRequestError`, although that class means that nothing was sent.
3. Roll. "Not applied" is true at this moment only: the request may still be on its way. The caller must repeat the
   same bytes at the same position, or read the blob again before it writes other bytes. After `FencedError` it must
   read the blob and continue in another one (`rolled_blobs.py`).

This module does not depend on lines, ids, folders, rolling or callers, only on names, positions and bytes. Credentials
come from `azure_account.py`; no message, log line or repr contains a key, token or signature.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContentSettings

from ..exceptions import RemovedError, StoreCheckError, StoreError
from ..time_limit import timeout
from .azure_account import CONNECTION_STRING_VARIABLE, account_of, split_url
from .chunked_body import LARGE_BYTES, ChunkedBody, md5
from .locking.azure_lease import AzureLease
from .locking.store_lock import LOCK_NAME
from .store import BLOB_SUFFIX, BlobState, FencedError, StoredObject, checked_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobClient

    from ..config.store_access import AccessConfig
    from .azure_account import StorageAccount

__all__ = ["AzureBlobStore"]

logger = logging.getLogger(__name__)

_REQUEST_SECONDS: Final = 30.0
"""Longest time of one request with its body. A read timeout alone does not end a peer that stops reading."""
_UPLOAD_SECONDS: Final = 120.0
"""Longest time of the upload of an object, which may be 64 MiB."""
_WALK_SECONDS: Final = 1800.0
"""Longest time of a listing of the whole store, which arrives in pages of 5000 names."""

_FORBIDDEN: Final = 403
_READING: Final = "Storage Blob Data Reader"
_PERMISSION: Final = "Storage Blob Data Contributor"
_PROBE: Final = ".otel-modeldata-write-check"
"""An empty append blob that proves the permission to write. It stays, because nothing else needs permission to
delete."""

_NO_MORE_BLOCKS: Final = frozenset({"BlockCountExceedsLimit", "BlobIsSealed", "InvalidBlobType", "BlobArchived"})
"""Answers to an append that do not change when it is repeated."""

_STRANGE: Final = (LookupError, TypeError, AttributeError)
"""What the library raises when an answer is not Azure's: a proxy between them may answer 200 to everything."""

_SECRETS: Final = re.compile(r"(?i)\b(sig|AccountKey|SharedAccessSignature|SharedAccessKey)=[^\s;&'\"]+")


class AzureBlobStore:
    """Append blobs below `{container}/{prefix}`.

    Args:
        account: closed with the store.
        container: its container.
        prefix: path below it, without slashes at its ends; empty for none.
        create_container: whether `check` may create a missing container.
    """

    def __init__(
        self,
        account: StorageAccount,
        container: str,
        prefix: str = "",
        *,
        create_container: bool = False,
    ) -> None:
        self._service = account.service
        self._container = account.service.get_container_client(container)
        self._name = container
        self._prefix = f"{prefix}/" if prefix else ""
        self._credential = account.credential
        self._opened_by = account.origin
        self._create_container = create_container
        # Over TLS every byte is authenticated already; without it (an emulator) an MD5 finds what a proxy broke.
        self._validate = urlsplit(self._service.url).scheme == "http"

    def __repr__(self) -> str:
        return f"AzureBlobStore({self._url!r}, prefix={self._prefix!r})"

    @classmethod
    def from_url(
        cls, url: str, *, create_container: bool = False, access: AccessConfig | None = None
    ) -> AzureBlobStore:
        """The store that `url` names; see `open_store.open_store`.

        Raises:
            ConfigError: the URL or the account cannot be understood.
        """
        container, prefix = split_url(url)
        return cls(account_of(url, access), container, prefix, create_container=create_container)

    async def check(self) -> None:
        """Write the probe blob and list it."""
        try:
            await self._probe()
        except StoreCheckError:
            raise
        except StoreError as error:
            raise StoreCheckError(*error.args) from None

    async def blobs(self, prefix: str) -> list[str]:
        """See `Store.blobs`."""
        start = self._prefix + checked_name(prefix)
        async with self._request("list blobs"):
            names = [name async for name in self._container.list_blob_names(name_starts_with=start)]
        return sorted(name.removeprefix(self._prefix) for name in names if name.endswith(BLOB_SUFFIX))

    async def walk(self, folder: str) -> list[StoredObject]:
        """See `Store.walk`."""
        start = self._prefix + (f"{checked_name(folder)}/" if folder else "")
        async with self._request("list blobs", seconds=_WALK_SECONDS):
            found = [
                StoredObject(
                    name=blob.name.removeprefix(self._prefix),
                    size=blob.size,
                    modified=blob.last_modified.timestamp(),
                )
                async for blob in self._container.list_blobs(name_starts_with=start)
            ]
        return sorted(found, key=lambda one: one.name)

    async def folders(self, folder: str) -> list[str]:
        """See `LockableStore.folders`."""
        start = self._prefix + (f"{checked_name(folder)}/" if folder else "")
        async with self._request("list folders", seconds=_WALK_SECONDS):
            found = self._container.walk_blobs(name_starts_with=start, delimiter="/")
            return sorted([one.name.removeprefix(start)[:-1] async for one in found if one.name.endswith("/")])

    async def create(self, name: str) -> BlobState | None:
        """See `Store.create`. Without the condition the service would empty a blob that exists."""
        async with self._request("create a blob"):
            try:
                await self._blob(name).create_append_blob(
                    content_settings=ContentSettings(content_type="application/x-ndjson"),
                    match_condition=MatchConditions.IfMissing,
                )
            except ResourceExistsError as error:
                if _code(error) != "BlobAlreadyExists":  # the container is being deleted
                    raise
                properties = await self._properties(name)
                return BlobState(size=0, blocks=0) if properties is not None and properties.size == 0 else None
        return BlobState(size=0, blocks=0)

    async def state(self, name: str) -> BlobState | None:
        """See `Store.state`; a block is applied whole or not at all, so no line is torn."""
        async with self._request("look at a blob"):
            properties = await self._properties(name)
        if properties is None:
            return None
        return BlobState(size=properties.size, blocks=properties.append_blob_committed_block_count or 0)

    async def read(self, name: str, start: int, end: int) -> bytes:
        """See `Store.read`."""
        async with self._request("read a blob"):
            return await self._read(name, start, end)

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        """See `Store.append`; one request, and after an error one or two more to learn whether it was applied."""
        try:
            async with timeout(_REQUEST_SECONDS):
                # Not `validate_content`: it computes the MD5 on the event loop, and takes no chunked body.
                headers = {"Content-MD5": base64.b64encode(await md5(block)).decode()} if self._validate else {}
                answer = await self._blob(name).append_block(
                    ChunkedBody(block),  # type: ignore[arg-type]  # aiohttp takes it, but only `upload_blob` has the type
                    length=len(block),
                    appendpos_condition=state.size,
                    headers=headers,
                )
            count = answer["blob_committed_block_count"]
            if not isinstance(count, int):
                raise TypeError
        except (AzureError, OSError, *_STRANGE) as error:  # TimeoutError is an OSError
            return await self._settle(name, state, block, error)
        return BlobState(size=state.size + len(block), blocks=count)

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        """See `Store.put`; the URL has no query, which Azure ML's reader takes for a part of the name."""
        blob = self._blob(name)
        large = len(content) >= LARGE_BYTES  # worth a small request that asks whether it is stored already
        digest = await md5(content)
        async with self._request("upload a blob", seconds=_UPLOAD_SECONDS):
            if not (large and await self._holds(name, content, digest)):
                try:
                    await blob.upload_blob(
                        io.BytesIO(content),
                        length=len(content),
                        overwrite=False,
                        content_settings=ContentSettings(content_type=content_type, content_md5=bytearray(digest)),
                        validate_content=self._validate,
                    )
                except ResourceExistsError:
                    if not await self._holds(name, content, digest):  # deleted meanwhile
                        raise
        return self.url(name)

    def url(self, name: str) -> str:
        """See `Store.url`; a blank stays one, because Azure ML's reader does not decode the path."""
        return f"{self._url}/{self._prefix}{checked_name(name)}"

    async def remove(self, name: str, size: int) -> None:
        """See `Store.remove`; where deleting is not allowed, an empty blob takes its place."""
        async with self._request("remove a blob"):
            properties = await self._properties(name)
            if properties is None:
                return
            if properties.size != size:
                raise FencedError
            same, etag = MatchConditions.IfNotModified, properties.etag
            try:
                try:
                    await self._blob(name).delete_blob(etag=etag, match_condition=same)
                except HttpResponseError as error:
                    if error.status_code != _FORBIDDEN:
                        raise
                    if size:
                        await self._blob(name).create_append_blob(etag=etag, match_condition=same)
            except ResourceModifiedError:
                raise FencedError from None
            except ResourceNotFoundError as error:
                if _code(error) != "BlobNotFound":
                    raise

    async def lock(self, holder: str) -> AzureLease:
        """See `LockableStore.lock`."""
        await self.create(LOCK_NAME)
        async with self._request("lock the store"):
            return await AzureLease.taken(self._blob(LOCK_NAME), holder)

    async def close(self) -> None:
        """Close the connections and the credential."""
        await self._service.close()
        if self._credential is not None:
            await self._credential.close()

    @property
    def _url(self) -> str:
        return f"{str(self._service.url).partition('?')[0].rstrip('/')}/{self._name}"

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._prefix + checked_name(name))

    async def _probe(self) -> None:
        if self._create_container:
            async with self._request("create the container"):
                try:
                    await self._container.create_container()
                except ResourceExistsError as error:
                    if _code(error) != "ContainerAlreadyExists":
                        raise
        await self.create(_PROBE)
        await self.blobs(_PROBE)

    async def _holds(self, name: str, content: bytes, digest: bytes) -> bool:
        """Whether there is an object of that name; it is read for the comparison only when it has no MD5.

        Raises:
            ValueError: it has other content.
        """
        stored = await self._properties(name)
        if stored is None:
            return False
        equal = stored.size == len(content)
        if equal and (theirs := stored.content_settings.content_md5):
            equal = bytes(theirs) == digest
        elif equal:
            equal = await self._read(name, 0, len(content)) == content
        if not equal:
            raise ValueError(
                f"expected a new name or equal content, got other content for {name!r}: ids must be unique"
            )
        return True

    async def _properties(self, name: str) -> BlobProperties | None:
        """The blob's properties, or None when there is a container but no such blob."""
        try:
            return await self._blob(name).get_blob_properties()
        except ResourceNotFoundError as error:
            if _code(error) != "BlobNotFound":
                raise
            return None

    async def _read(self, name: str, start: int, end: int) -> bytes:
        if start == end:
            return b""
        download = await self._blob(name).download_blob(offset=start, length=end - start, max_concurrency=1)
        return await download.readall()

    async def _settle(self, name: str, state: BlobState, block: bytes, error: Exception) -> BlobState:
        """The outcome of an append that ended in `error`: rule 2 of the theory of operation."""
        failure = self._failure("append to a blob", error)
        if isinstance(failure, StoreCheckError):  # refused before a position was compared
            raise failure from None
        async with self._request("look at a blob after an append that failed"):
            properties = await self._properties(name)
            size = -1 if properties is None else properties.size
            if properties is None or size < state.size:
                raise FencedError
            end = state.size + len(block)
            if size == end and await self._read(name, state.size, end) == block:
                logger.debug(
                    "%s: the block at %d was applied though it ended in %s", name, state.size, type(error).__name__
                )
                return BlobState(size=end, blocks=properties.append_blob_committed_block_count or state.blocks + 1)
        if size > state.size or _code(error) in _NO_MORE_BLOCKS:
            raise FencedError
        raise failure from None

    @asynccontextmanager
    async def _request(self, act: str, *, seconds: float = _REQUEST_SECONDS) -> AsyncIterator[None]:
        """Bound the time of a request, and turn its failure into a `StoreError` that names what to do."""
        try:
            async with timeout(seconds):
                yield
        except (AzureError, OSError, *_STRANGE) as error:
            # Not chained: messages of libraries, and the URLs in them, may contain signatures.
            raise self._failure(act, error) from None

    def _failure(self, act: str, error: Exception) -> StoreError:
        code = _code(error)
        status = error.status_code if isinstance(error, HttpResponseError) else None
        expected = f"expected to {act} in container {self._name!r} ({self._url})"
        if code == "ContainerNotFound":
            return StoreCheckError(
                f"{expected}, got no such container: create it, for example with 'az storage container create', "
                "correct its name, or let the receiver create it (receive --create-container)"
            )
        if status in {401, 403}:
            return StoreCheckError(
                f"{expected}, got {status} {code or 'refused'}: give this identity the role {_PERMISSION!r} (to "
                f"read only, {_READING!r}) on this container, or renew its key or signature (opened by "
                f"{self._opened_by})"
            )
        if isinstance(error, ClientAuthenticationError):
            return StoreCheckError(
                f"{expected}, got no credential: set {CONNECTION_STRING_VARIABLE}, or sign in with an identity "
                f"that has the role {_PERMISSION!r}"
            )
        kind = RemovedError if code == "BlobNotFound" else StoreError
        return kind(
            f"{expected}, got {_reason(error, status, code)}: check that the account can be reached (opened by "
            f"{self._opened_by})"
        )


def _code(error: Exception) -> str:
    """The service's code for `error`, such as `BlobNotFound`; empty when the error is not from the service."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _reason(error: Exception, status: int | None, code: str) -> str:
    """One line about `error` without secrets."""
    if isinstance(error, _STRANGE):
        return f"an answer that is none of Azure's ({type(error).__name__}): look for a proxy"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    text = f"{status} {code or first}" if status else f"{type(error).__name__} ({first})"
    return _SECRETS.sub(r"\1=***", text)
