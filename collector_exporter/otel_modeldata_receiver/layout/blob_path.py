"""Where a stored line is and where it belongs: the path of its blob against what the line says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from otel_modeldata import semconv

from .partition import QUARANTINE

__all__ = ["Place", "place_of", "tenant_of"]

_DATE: Final = r"(?P<date>\d{4}(?:/\d\d){0,4})"
_BLOB: Final = re.compile(rf"(?P<endpoint>[^/]+)/(?P<deployment>[^/]+)/(?P<collection>[^/]+)/{_DATE}/[^/]+", re.ASCII)
_QUARANTINE_BLOB: Final = re.compile(rf"{QUARANTINE}/{_DATE}/[^/]+", re.ASCII)
_DEPLOYMENT: Final = re.compile(r"/(?:onlineEndpoints|endpoints)/([^/]+)/deployments/([^/]+)", re.IGNORECASE)
"""The end of `cloud.resource_id` of an Azure ML deployment, and of `semconv.local_source`. Other sources (a virtual
machine's id, say) name no deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A blob's path, read.

    Attributes:
        blob: its name in the store.
        endpoint: first segment; empty, like the other names, for quarantine and outside of the layout.
        deployment: second segment.
        collection: third segment.
        date: `2026/11/22/10` for Hour, longer for Minute, shorter for the others; empty outside of the layout.
        quarantine: it holds records that could not become lines.
    """

    blob: str
    endpoint: str = ""
    deployment: str = ""
    collection: str = ""
    date: str = ""
    quarantine: bool = False

    @property
    def folder(self) -> str:
        """The blob's folder."""
        return self.blob.rpartition("/")[0]

    @property
    def stamp(self) -> str:
        """How the key `time` of every line here begins: `2026-11-22T10`."""
        return _stamp(self.date)

    def misplaced(self, source: str, event_type: str) -> str | None:
        """Why a line of this source and type does not belong here, or None."""
        if not self.endpoint:
            return (
                "expected a path of {endpoint}/{deployment}/{collection}/{date}, got another: "
                "audit the folder that is the receiver's --store"
            )
        if event_type != semconv.event_type(self.collection):
            return f"expected type {semconv.event_type(self.collection)!r} in this folder, got {event_type[:200]!r}"
        tenant = tenant_of(source)
        if tenant is None or [name.lower() for name in tenant] == [self.endpoint.lower(), self.deployment.lower()]:
            return None  # resource ids of Azure are the same in any case
        return f"expected a source of {self.endpoint}/{self.deployment} in this folder, got {'/'.join(tenant)[:200]!r}"

    def mistimed(self, time: str) -> str | None:
        """Why a line of this time does not belong here, or None."""
        if time.startswith(self.stamp) and time.endswith("Z"):
            return None
        utc = _utc_text(time)
        if utc is None:
            return f"expected an RFC 3339 time with a zone, got {time[:80]!r}"
        return None if utc.startswith(self.stamp) else f"expected a time within {self.date}, got {time[:80]!r}"


@lru_cache(maxsize=1024)
def tenant_of(source: str) -> tuple[str, str] | None:
    """Endpoint and deployment that a CloudEvents `source` names, if it names any."""
    found = _DEPLOYMENT.search(source)
    return (found[1], found[2]) if found is not None and found.end() == len(source) else None


def place_of(blob: str) -> Place:
    """What the path of a blob says."""
    if (quarantine := _QUARANTINE_BLOB.fullmatch(blob)) is not None:
        return Place(blob=blob, date=quarantine["date"], quarantine=True)
    found = _BLOB.fullmatch(blob)
    if found is None:
        return Place(blob=blob)
    endpoint, deployment, collection, date = found.groups()
    return Place(blob=blob, endpoint=endpoint, deployment=deployment, collection=collection, date=date)


@lru_cache(maxsize=4096)
def _stamp(date: str) -> str:
    day, clock = date.split("/")[:3], date.split("/")[3:]
    return "-".join(day) + (f"T{':'.join(clock)}" if clock else "")


def _utc_text(time: str) -> str | None:
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
