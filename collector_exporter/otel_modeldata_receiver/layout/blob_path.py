"""Reads the path of a blob, and compares it with the lines in the blob."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Final

from otel_modeldata import semconv

from .partition import QUARANTINE

__all__ = ["BlobPath", "parse_blob_path", "tenant_of"]

_DATE: Final = r"(?P<date>\d{4}(?:/\d\d){0,4})"
_FRACTION: Final = re.compile(r"\.[0-9]+")
_BLOB: Final = re.compile(
    rf"(?P<endpoint>(?!_at/)[^/]+)/(?P<deployment>[^/]+)/(?P<collection>[^/]+)/{_DATE}/[^/]+", re.ASCII
)
"""Not the folder of a datastore (`storage/mounts.py`), which the operator chose: it names no deployment."""
_QUARANTINE_BLOB: Final = re.compile(rf"{QUARANTINE}/{_DATE}/[^/]+", re.ASCII)
_DEPLOYMENT: Final = re.compile(r"/(?:onlineEndpoints|endpoints)/([^/]+)/deployments/([^/]+)", re.IGNORECASE)
"""The end of `cloud.resource_id` of an Azure ML deployment, and of `semconv.local_source`. Other sources, such as the
id of a virtual machine, name no deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobPath:
    """The parts of a blob's path.

    Attributes:
        name: name of the blob in the store.
        endpoint: first segment; empty, like the other names, for quarantine and outside of the layout, where only the
            source of a line says of which deployment it is.
        deployment: second segment.
        collection: third segment.
        date: `2026/11/22/10` for Hour, longer for Minute, shorter for the others; empty outside of the layout.
        quarantine: whether the blob contains records that could not become lines.
    """

    name: str
    endpoint: str = ""
    deployment: str = ""
    collection: str = ""
    date: str = ""
    quarantine: bool = False

    @property
    def folder(self) -> str:
        """The folder of the blob."""
        return self.name.rpartition("/")[0]

    @property
    def time_prefix(self) -> str:
        """How the key `time` of every line in this folder begins: `2026-11-22T10`."""
        return _time_prefix(self.date)

    def misplaced(self, source: str, event_type: str) -> str | None:
        """Why a line of this source and type does not belong in this folder, or None."""
        if not self.endpoint:
            return (
                "expected a path of {endpoint}/{deployment}/{collection}/{date}, got another: "
                "audit the folder that is the receiver's --store"
            )
        if event_type != semconv.event_type(self.collection):
            return f"expected type {semconv.event_type(self.collection)!r} in this folder, got {event_type[:200]!r}"
        tenant = tenant_of(source)
        if tenant is None or [name.lower() for name in tenant] == [self.endpoint.lower(), self.deployment.lower()]:
            return None  # Azure compares resource ids without case
        return f"expected a source of {self.endpoint}/{self.deployment} in this folder, got {'/'.join(tenant)[:200]!r}"

    def mistimed(self, time: str) -> str | None:
        """Why a line of this time does not belong in this folder, or None."""
        if time.startswith(self.time_prefix) and time.endswith("Z"):
            return None
        utc = _utc_text(time)
        if utc is None:
            return f"expected an RFC 3339 time with a zone, got {time[:80]!r}"
        return None if utc.startswith(self.time_prefix) else f"expected a time within {self.date}, got {time[:80]!r}"


@lru_cache(maxsize=1024)
def tenant_of(source: str) -> tuple[str, str] | None:
    """Endpoint and deployment that a CloudEvents `source` names, if it names any."""
    match = _DEPLOYMENT.search(source)
    return (match[1], match[2]) if match is not None and match.end() == len(source) else None


def parse_blob_path(blob: str) -> BlobPath:
    """The parts of the path of a blob; of a name outside of the layout there are none."""
    if (quarantine := _QUARANTINE_BLOB.fullmatch(blob)) is not None:
        return BlobPath(name=blob, date=quarantine["date"], quarantine=True)
    match = _BLOB.fullmatch(blob)
    if match is None:
        return BlobPath(name=blob)
    endpoint, deployment, collection, date = match.groups()
    return BlobPath(name=blob, endpoint=endpoint, deployment=deployment, collection=collection, date=date)


@lru_cache(maxsize=4096)
def _time_prefix(date: str) -> str:
    day, clock = date.split("/")[:3], date.split("/")[3:]
    return "-".join(day) + (f"T{':'.join(clock)}" if clock else "")


def _utc_text(time: str) -> str | None:
    try:
        # Python 3.10 reads neither "Z" nor fractions of other than 3 or 6 digits; no folder depends on fractions.
        moment = datetime.fromisoformat(_FRACTION.sub("", time.upper()).replace("Z", "+00:00"))
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
