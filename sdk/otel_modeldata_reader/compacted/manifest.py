"""The manifest of a compacted folder: which bytes of lines its Parquet files stand for, and what proves it.

A manifest vouches for bytes, not for blobs: what is appended later is read as lines until the next compaction. It is
written when all its files are durable, and never changes: the next state of the folder has a manifest with the next
number.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ..blobs.byte_ranges import ByteRange
from ..blobs.compacted_name import compacted_folder
from ..exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..blobs.compacted_name import CompactedName

__all__ = [
    "END_BYTES",
    "MOST_BYTES",
    "CoveredBlob",
    "LaterManifestError",
    "LineCounts",
    "Manifest",
    "ManifestError",
    "Part",
    "RowGroup",
    "SkippedLine",
    "decode_manifest",
    "encode_manifest",
    "end_digest",
]

VERSION: Final = 1
MOST_BYTES: Final = 16 << 20
"""Of a manifest; larger ones are not read."""
END_BYTES: Final = 4096
"""The last bytes of a blob that say whether a blob of the same name is the same blob."""
_MOST_ROWS: Final = 1 << 22
"""Of a row group."""
_FILE: Final = re.compile(r"(?:part|events)-[0-9a-f]{32}\.parquet")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ManifestError(ReaderError):
    """A manifest that is damaged, or that no compaction has written."""


class LaterManifestError(ManifestError):
    """A manifest that a later release has written."""


class CoveredBlob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first bytes of a blob, which the manifest stands for: whole lines.

    Attributes:
        name: of the blob, relative to the store.
        size: how many bytes.
        lines: how many lines they are.
        sha256: their digest, in hexadecimal.
        end: the digest of the last `END_BYTES` of them.
        dropped: whether the blob was removed after that. A blob that has the name now is another one, if it does not
            have these bytes.
    """

    name: str
    size: int
    lines: int
    sha256: str
    end: str
    dropped: bool = False

    @property
    def range(self) -> ByteRange:
        """The bytes."""
        return ByteRange(self.name, 0, self.size)


class RowGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row group of a Parquet file.

    Attributes:
        order: its place among all row groups of the folder, which are in the order of their lines.
        rows: of the group; for a file of events as many as events.
        events: how many events the rows are from.
        first: the earliest time of an event, in nanoseconds since the epoch.
        last: the latest one.
        misplaced: events whose time is that of another folder.
        digest: of its content (`content_digest.py`), as it was read from the lines.
    """

    order: int
    rows: int
    events: int
    first: int
    last: int
    misplaced: int
    digest: str


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Parquet file.

    Attributes:
        name: of the file, in the compacted folder.
        size: in bytes.
        sha256: its digest, in hexadecimal.
        kind: `rows` for rows of one schema, `events` for lines that are kept as they are: without types, with a payload
            elsewhere, of another kind than rows.
        types: the `datatypes` of the lines; empty for events.
        columns: the own columns, in their order; empty for events.
        groups: its row groups.
    """

    name: str
    size: int
    sha256: str
    kind: Literal["rows", "events"]
    types: str = ""
    columns: tuple[str, ...] = ()
    groups: tuple[RowGroup, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(group.rows for group in self.groups)

    @property
    def events(self) -> int:
        """Events whose rows the file has."""
        return sum(group.events for group in self.groups)


class SkippedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that no Parquet file has.

    Attributes:
        blob: name of its blob.
        line: its number in the blob, from 1.
        kind: `duplicates` or `foreign`.
        reason: in words.
    """

    blob: str
    line: int
    kind: str
    reason: str


class LineCounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the covered lines were.

    Attributes:
        lines: all of them; each is an event, or one of the others, or blank.
        events: in the Parquet files.
        duplicates: left out, because another line has the same id.
        foreign: left out, because they are no events with rows.
        misplaced: duplicates whose time is that of another folder.
    """

    lines: int = 0
    events: int = 0
    duplicates: int = 0
    foreign: int = 0
    misplaced: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a compacted folder has.

    Attributes:
        version: of this format.
        root: folder of the collection in the store.
        date: the span of time, as the folder of the lines has it: `2026/11/22/10`.
        number: of this manifest; the highest one of a folder counts.
        blobs: the bytes of the lines that it stands for.
        parts: the Parquet files.
        counts: of the covered lines.
        skipped: the first lines that no file has; at most 20.
        made: when, as RFC 3339.
        by: the release that made it.
    """

    version: int
    root: str
    date: str
    number: int
    blobs: tuple[CoveredBlob, ...]
    parts: tuple[Part, ...]
    counts: LineCounts
    skipped: tuple[SkippedLine, ...] = ()
    made: str = ""
    by: str = ""

    @property
    def folder(self) -> str:
        """The compacted folder, relative to the store."""
        return compacted_folder(self.root, self.date)

    @property
    def lines_folder(self) -> str:
        """The folder of the lines, relative to the store."""
        return f"{self.root}/{self.date}" if self.root else self.date

    def part_name(self, part: Part) -> str:
        """The name of a file, relative to the store."""
        return f"{self.folder}/{part.name}"

    def groups(self) -> list[tuple[Part, int]]:
        """The row groups of all files in the order of their lines: the file, and the number of the group in it."""
        found = [(part, number) for part in self.parts for number in range(len(part.groups))]
        return sorted(found, key=lambda one: one[0].groups[one[1]].order)


class _Version(msgspec.Struct, frozen=True):
    version: int


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of the object of a manifest.

    Raises:
        ManifestError: it is larger than what is read.
    """
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    if len(content) > MOST_BYTES:
        raise ManifestError(
            f"expected a manifest of at most {MOST_BYTES >> 20} MiB, got {len(content):,} bytes: "
            "the folder has too many blobs or types"
        )
    return content


def decode_manifest(content: bytes, place: CompactedName) -> Manifest:
    """The manifest in an object.

    Args:
        content: at most `MOST_BYTES`.
        place: the name of the object.

    Raises:
        LaterManifestError: a later release has written it.
        ManifestError: it is none, or one of another folder, or names what is not in its folder.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_version(content)
        raise ManifestError(f"expected a manifest, got {error}") from None
    _check_version(content)
    if (manifest.root, manifest.date, manifest.number) != (place.root, place.date, place.number):
        raise ManifestError("expected the manifest of its own folder, got that of another one")
    for wrong in _wrong(manifest):
        raise ManifestError(f"expected a manifest that a compaction wrote, got one with {wrong}")
    return manifest


def _check_version(content: bytes) -> None:
    """Raise an error for another version; what has none is damaged."""
    try:
        version = msgspec.json.decode(content, type=_Version).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if version != VERSION:
        raise LaterManifestError(f"expected a manifest of version {VERSION}, got {version}: use a later release")


def end_digest(end: bytes) -> str:
    """The digest of the last bytes of a covered blob, of which `END_BYTES` count."""
    return hashlib.sha256(end[-END_BYTES:]).hexdigest()


def _wrong(manifest: Manifest) -> Iterator[str]:
    """What no compaction writes."""
    start = f"{manifest.lines_folder}/"
    for blob in manifest.blobs:
        rest = blob.name.removeprefix(start)
        if rest == blob.name or "/" in rest or not rest.endswith(".jsonl"):
            yield f"the blob {blob.name!r:.200} outside of its folder"
        if blob.size < 0 or blob.lines < 0 or not _SHA256.fullmatch(blob.sha256) or not _SHA256.fullmatch(blob.end):
            yield f"wrong figures of {blob.name!r:.200}"
    kept = [blob.name for blob in manifest.blobs if not blob.dropped]
    if len(set(kept)) < len(kept):
        yield "a blob that is named twice"
    orders: set[int] = set()
    for part in manifest.parts:
        if not _FILE.fullmatch(part.name) or not _SHA256.fullmatch(part.sha256) or part.size <= 0:
            yield f"the file {part.name!r:.200}"
        for group in part.groups:
            if not 0 < group.events <= group.rows <= _MOST_ROWS or group.order in orders:
                yield f"wrong figures of {part.name!r:.200}"
            orders.add(group.order)
    if sum(part.events for part in manifest.parts) != manifest.counts.events:
        yield "other counts than its files"
