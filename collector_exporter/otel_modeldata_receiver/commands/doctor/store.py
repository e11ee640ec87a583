"""Looks for an event in the store, and compares the store's clock with this machine's."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ...config.store_url import is_azure, meant_store
from ...layout.blob_path import parse_blob_path
from ...storage.open_store import open_store
from ...storage.store import BLOB_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...storage.store import Store

__all__ = ["MOST_SKEW_SECONDS", "CanaryLine", "Skew", "find", "skew"]

_LOOK_SECONDS: Final = 0.25
_CLOCK_SECONDS: Final = 5.0
MOST_SKEW_SECONDS: Final = 60.0
"""What clocks may differ."""
_RESOLUTION_SECONDS: Final = 1.0
"""Resolution of the HTTP header `Date` (RFC 9110, 6.6.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLine:
    """The line of a canary in the store.

    Attributes:
        blob: its name in the store.
        line: decoded.
    """

    blob: str
    line: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How far this machine's clock is ahead of another one, in seconds, and the uncertainty of this value."""

    seconds: float
    uncertainty: float

    @property
    def matters(self) -> bool:
        """Whether a noticeable part of the events is stored in the folder of another hour."""
        return abs(self.seconds) - self.uncertainty > MOST_SKEW_SECONDS


def find(url: str, folder: str, correlation_id: str, moments: Sequence[float], timeout: float) -> CanaryLine | None:
    """Wait for the line of an event below a collection's folder; None if it is not there after `timeout` seconds.

    Args:
        url: URL of the store.
        folder: folder of the collection, relative to the store.
        correlation_id: correlation id of the event.
        moments: times around the event's own, in seconds since the epoch; only the folders of these times are read.
        timeout: how long to wait, in seconds.

    Raises:
        ReceiverError: the store cannot be opened or read.
    """
    stamps = [datetime.fromtimestamp(moment, timezone.utc).strftime("%Y/%m/%d/%H/%M") for moment in moments]
    return asyncio.run(_find(url, _Search(folder, correlation_id, stamps), time.monotonic() + timeout))


async def _find(url: str, search: _Search, deadline: float) -> CanaryLine | None:
    store = open_store(url)
    try:
        while True:
            line = await search.look(store)
            if line is not None or time.monotonic() > deadline:
                return line
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await store.close()


class _Search:
    """Looks for one line in the blobs of a folder, and remembers how far each was read."""

    def __init__(self, folder: str, correlation_id: str, stamps: Sequence[str]) -> None:
        self._folder = folder
        self._id = correlation_id.encode()
        self._stamps = stamps
        self._read: dict[str, int] = {}

    async def look(self, store: Store) -> CanaryLine | None:
        """Read the bytes appended since the last call. At every rolling rate a blob's date is a prefix of a stamp."""
        for blob in await store.walk(self._folder):
            date = parse_blob_path(blob.name).date
            if not blob.name.endswith(BLOB_SUFFIX) or not any(
                date and stamp.startswith(date) for stamp in self._stamps
            ):
                continue
            start = self._read.get(blob.name, 0)
            if blob.size == start:
                continue
            content = await store.read(blob.name, start, blob.size)
            whole = content[: content.rfind(b"\n") + 1]
            self._read[blob.name] = start + len(whole)
            for raw in whole.splitlines():
                if self._id in raw:
                    return CanaryLine(blob=blob.name, line=json.loads(raw))
        return None


def skew(url: str) -> Skew | None:
    """How far this machine's clock is ahead of the storage service's; None where a store has no clock of its own.

    Every answer has the service's time, even a refusal, so no credential is sent.

    Raises:
        ReceiverError: the store's URL cannot be understood.
        OSError: the service does not answer.
    """
    url = meant_store(url)
    if not is_azure(url):
        return None
    request = urllib.request.Request(asyncio.run(_service_url(url)), method="HEAD")  # noqa: S310 (of a storage account)
    before = time.time()
    try:
        with urllib.request.urlopen(request, timeout=_CLOCK_SECONDS) as response:  # noqa: S310
            date = response.headers["Date"]
    except urllib.error.HTTPError as error:
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        date = error.headers["Date"]
    after = time.time()
    if date is None:
        return None
    theirs = parsedate_to_datetime(date).timestamp() + _RESOLUTION_SECONDS / 2
    return Skew(seconds=(before + after) / 2 - theirs, uncertainty=_RESOLUTION_SECONDS / 2 + (after - before) / 2)


async def _service_url(url: str) -> str:
    """The account's URL without container and secrets."""
    from ...storage.azure_account import account_of  # noqa: PLC0415 (needs an extra that a local store does not)

    account = account_of(url)
    try:
        scheme = urlsplit(str(account.service.url)).scheme
        return f"{scheme}://{account.service.primary_hostname}/"
    finally:
        await account.service.close()
        if account.credential is not None:
            await account.credential.close()
