"""Names of what is parked: lines of folder F are in the folder `_parked/F` of the main store, objects below it.

The name of an endpoint cannot begin with `_`, so no name that a client chooses leads here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

from ..mounts import mount_of
from ..store import BLOB_SUFFIX, is_checked_name

if TYPE_CHECKING:
    from ..sink_limits import SinkLimits

__all__ = [
    "PARKED",
    "DeliveredMark",
    "ParkedBlob",
    "ParkedObject",
    "damaged_object",
    "delivered_mark",
    "folder_of_object",
    "is_parked",
    "parked_blob",
    "parked_folder",
    "parked_limits",
    "parked_object",
    "parked_objects",
    "place_of",
    "read_mark",
    "refused_object",
    "unparked_object",
]

PARKED: Final = "_parked"
"""First segment of the folders with parked lines, in the main store."""
_FILES: Final = "files"
_BLOB: Final = re.compile(rf"{PARKED}/(?P<folder>.+)/(?P<instance>[0-9a-f]{{32}})\d+\.jsonl", re.ASCII)
_OBJECT: Final = re.compile(
    rf"{PARKED}/(?P<place>.+/{_FILES})/(?:(?P<instance>[0-9a-f]{{32}})/)?(?P<type>[^/]+)/(?P<name>[^/.][^/]*)", re.ASCII
)
"""Not the drafts of a process that was killed while it wrote a file: their names begin with a dot."""
_MARK: Final = re.compile(r"(?P<stem>.+)-(?P<size>\d+)-(?P<digest>[0-9a-f]{64})\.delivered", re.ASCII)
_LONGEST_TYPE: Final = 200
_OTHER_TYPE: Final = "application/octet-stream"


class ParkedBlob(NamedTuple):
    """The parts of the name of a blob with parked lines: the folder of the lines, and who wrote it."""

    folder: str
    instance: str


class ParkedObject(NamedTuple):
    """What the name of a parked object states.

    Attributes:
        name: its own name, where it will be.
        content_type: its media type.
        instance: who has parked it; empty where an older receiver did: any receiver delivers it.
    """

    name: str
    content_type: str
    instance: str

    @property
    def folder(self) -> str:
        """The folder whose lines refer to it."""
        return folder_of_object(self.name)


class DeliveredMark(NamedTuple):
    """What the name of a mark states: the first `size` bytes of the parked blob `blob` are delivered."""

    blob: str
    size: int
    digest: str


def parked_folder(folder: str) -> str:
    """Where the lines of `folder` are parked."""
    return f"{PARKED}/{folder}"


def is_parked(name: str) -> bool:
    """Whether this is the name of something parked."""
    return name.startswith(f"{PARKED}/")


def parked_blob(name: str) -> ParkedBlob | None:
    """The parts of the name of a blob with parked lines; None for another name."""
    match = _BLOB.fullmatch(name)
    return None if match is None else ParkedBlob(match["folder"], match["instance"])


def delivered_mark(mark: DeliveredMark) -> str:
    """The name of a mark, which is written when a delivered blob cannot be removed."""
    return f"{mark.blob.removesuffix(BLOB_SUFFIX)}-{mark.size}-{mark.digest}.delivered"


def read_mark(name: str) -> DeliveredMark | None:
    """What the mark `name` states; None for another name."""
    match = _MARK.fullmatch(name)
    return None if match is None else DeliveredMark(match["stem"] + BLOB_SUFFIX, int(match["size"]), match["digest"])


def refused_object(name: str, digest: str) -> str:
    """Where the content of a parked object is kept whose name has other content; named like the payload of an event."""
    folder, _, file = name.rpartition(f"/{_FILES}/")
    return f"{damaged_object(folder, digest)}/{_FILES}/{file.replace('/', '-')}"


def damaged_object(folder: str, digest: str) -> str:
    """Where a parked line of `folder` is kept that is no JSON any more."""
    return f"_quarantine/damaged/{folder}/{digest}"


def parked_limits(limits: SinkLimits) -> SinkLimits:
    """The limits for folders with parked lines.

    A blob is delivered line by line and then removed. If the process ends in between, its lines are recognized in the
    tail of the folder's own blobs, so a blob is smaller than that tail.
    """
    return replace(limits, max_bytes=min(limits.max_bytes, limits.tail_bytes // 2))


def folder_of_object(name: str) -> str:
    """The folder whose lines refer to the object `name`."""
    return name.rpartition(f"/{_FILES}/")[0] or name.rpartition("/")[0]


def parked_objects(folder: str) -> str:
    """Where the objects of `folder` are parked."""
    return f"{parked_folder(folder)}/{_FILES}"


def parked_object(name: str, content_type: str, instance: str = "") -> str:
    """Where the object `name` is parked; segments of the name have who parks it and its media type."""
    encoded = quote(content_type, safe="")
    encoded = encoded if 0 < len(encoded) <= _LONGEST_TYPE else quote(_OTHER_TYPE, safe="")
    owner = f"{instance}/" if instance else ""
    return f"{parked_objects(folder_of_object(name))}/{owner}{encoded}/{name.rpartition('/')[2]}"


def unparked_object(name: str) -> ParkedObject | None:
    """The object that is parked as `name`; None for another name."""
    match = _OBJECT.fullmatch(name)
    if match is None or not is_checked_name(name):
        return None
    return ParkedObject(f"{match['place']}/{match['name']}", unquote(match["type"]), match["instance"] or "")


def place_of(folder: str) -> str:
    """Whose place `folder` is, for messages: a datastore, or the tenant."""
    mount = mount_of(folder)
    if mount is not None:
        return f"datastore {mount!r}"
    return "/".join(folder.split("/")[:2]) if not folder.startswith("_") else folder.partition("/")[0]
