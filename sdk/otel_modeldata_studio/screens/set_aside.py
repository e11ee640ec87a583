"""What receivers have set aside, as the screen health shows it: records in quarantine as text, and parked lines."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final

import msgspec

from ..catalog.times import hour_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog.listing import Listing
    from ..catalog.quarantine import Quarantined, QuarantinedRecord
    from ..studio import Studio

__all__ = ["ParkedRow", "QuarantineGroup", "QuarantineText", "parked_rows", "quarantine_groups"]

_MOST_RECORDS: Final = 10
"""Records of a reason that are shown."""
_LONGEST_TEXT: Final = 4 << 10


class QuarantineText(msgspec.Struct, frozen=True, kw_only=True):
    """A record in quarantine: when it came, its blob, and the record as text, at most 4,096 characters of it."""

    time: str | None
    place: str
    text: str


class QuarantineGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The records in quarantine for one kind of reason: one whole reason, how many there are, and the newest."""

    reason: str
    count: int
    first: str | None
    last: str | None
    records: tuple[QuarantineText, ...]


class ParkedRow(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that wait for their place."""

    collection: str
    place: str
    lines: int
    bytes: int
    blobs: int
    oldest: str | None


def quarantine_groups(found: Quarantined, name: str) -> Iterator[QuarantineGroup]:
    """The groups of a deployment, or of all for an empty name, the largest first."""
    counts: dict[str, int] = {}
    for named, kinds in found.kinds.items():
        if _is_of(named, name):
            for kind, count in kinds.items():
                counts[kind] = counts.get(kind, 0) + count
    shown: dict[str, list[QuarantinedRecord]] = {}
    for one in found.newest:
        if _is_of(f"{one.deployment}/{one.collection}".lower(), name):
            shown.setdefault(one.reason.partition(":")[0][:80] or "no reason", []).append(one)
    for kind, count in sorted(counts.items(), key=lambda one: -one[1]):
        records = shown.get(kind, [])
        yield QuarantineGroup(
            reason=records[0].reason if records else kind,
            count=count,
            first=records[-1].time or None if records else None,
            last=records[0].time or None if records else None,
            records=tuple(
                QuarantineText(time=one.time or None, place=one.blob, text=_shown_record(one))
                for one in records[:_MOST_RECORDS]
            ),
        )


def _is_of(named: str, name: str) -> bool:
    """Whether a record may be of a deployment; one of no known deployment is of all."""
    endpoint, _, rest = named.partition("/")
    deployment = rest.partition("/")[0]
    wanted = name.lower().split("/")
    return not name or (endpoint in {"", wanted[0]} and deployment in {"", wanted[-1]})


def _shown_record(one: QuarantinedRecord) -> str:
    """A record as text, in which every character that is none to print is escaped."""
    if not one.record:
        return f"{one.records:,} record(s) of {one.size:,} bytes, which are kept in {one.blob}"
    from google.protobuf import text_format  # noqa: PLC0415 (only for records in quarantine)
    from google.protobuf.message import DecodeError  # noqa: PLC0415 (likewise)

    from otel_modeldata_receiver.otlp_messages import LogRecord  # noqa: PLC0415 (likewise)

    try:
        content = b64decode(one.record, validate=True)
        return text_format.MessageToString(LogRecord.FromString(content), as_utf8=False)[:_LONGEST_TEXT]
    except (ValueError, DecodeError):
        return one.record[:_LONGEST_TEXT]


def parked_rows(studio: Studio, listing: Listing, name: str) -> Iterator[ParkedRow]:
    """What is parked of a deployment, or of all for an empty name."""
    for root, one in studio.catalog.parked.items():
        if name and not root.startswith(f"{name}/"):
            continue
        start = f"_parked/{root}/"
        yield ParkedRow(
            collection=root,
            place=one.place,
            lines=one.lines,
            bytes=one.size,
            blobs=sum(blob.startswith(start) for blob in listing.aside),
            oldest=hour_text(one.oldest),
        )
