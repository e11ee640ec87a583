"""What an audit needs to know of some lines: of an hour that is closed, or of a part of a store.

A summary is a function of the lines and of the names of their blobs alone. So that of a closed hour is remembered, and
its lines are not read again. What changes without them is checked at every audit: whether the payloads that lines refer
to are there, and whether an id is in another hour too. For that a summary has the references and hashes of the ids.

It is remembered as one object: a line with the form, a MessagePack of `HourSummary`, and the hashes of ids, ascending,
8 bytes each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from ..fault import Fault  # noqa: TC001 (msgspec reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["FAULTS", "AccountCounts", "BlobLines", "HourSummary", "Reference", "Summarized", "decoded", "encoded"]

FAULTS: Final = ("unreadable", "misplaced", "forged", "content_range", "duplicated")
"""The faults that lines have in themselves; those that are forged name another deployment than that of their folder."""
_FORM: Final = b"otel-modeldata audit 1\n"
_LENGTH: Final = 8


class BlobLines(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of a blob that a summary is about.

    Attributes:
        name: of the blob.
        size: bytes of these lines.
        lines: how many there are, with blank ones.
        is_whole: whether they end with a line feed.
    """

    name: str
    size: int
    lines: int
    is_whole: bool


class AccountCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a producer and collection; see `reconciliation.ProducerCounts`.

    Attributes:
        account: `endpoint/deployment` of their folder; without a producer also their source.
        tenant: endpoint and deployment.
        ranges: the first and the last number of each range of the numbers of stored events.
    """

    producer: str
    collection: str
    account: str
    tenant: tuple[str, str]
    stored: int
    numbered: int
    unnumbered: int
    duplicates: int
    ranges: list[tuple[int, int]]


class Reference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line that refers to a payload.

    Attributes:
        blob: name of its blob.
        line: its number in the blob.
        url: what it refers to.
        content_range: the size that the line states; None if another writer wrote it, whose sizes are not checked.
        is_binary: whether the payload is no JSON.
    """

    blob: str
    line: int
    url: str
    content_range: str | None
    is_binary: bool


class HourSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A summary.

    Attributes:
        blobs: the lines that it is about.
        lines: how many there are, without blank ones.
        accounts: the events by producer and collection; each id counts once.
        faults: the lines with a fault, by its kind: one of `FAULTS`.
        references: lines that refer to payloads.
    """

    blobs: list[BlobLines]
    lines: int
    accounts: list[AccountCounts]
    faults: dict[str, Fault]
    references: list[Reference]


class Summarized(NamedTuple):
    """A summary with the hashes of ids.

    Attributes:
        summary: the summary.
        ids: hashes of the ids, ascending.
        named: hashes of ids in the deployment that their line names, if that is another one than the folder's: they are
            duplicates if that one has them, and make none there.
    """

    summary: HourSummary
    ids: NDArray[np.int64]
    named: NDArray[np.int64]


_decoder: Final = msgspec.msgpack.Decoder(HourSummary)


def encoded(one: Summarized) -> bytes:
    """A summary as the content of an object."""
    summary = msgspec.msgpack.encode(one.summary)
    parts = [_FORM]
    for part in (summary, one.ids.astype("<i8").tobytes(), one.named.astype("<i8").tobytes()):
        parts += [len(part).to_bytes(_LENGTH, "little"), part]
    return b"".join(parts)


def decoded(content: bytes, sizes: Mapping[str, int] | None) -> Summarized | None:
    """The summary in an object; None if it is none, or not about these bytes.

    Args:
        content: of the object, which anyone may have written who may write into the store.
        sizes: how many bytes of which blobs it must be about; None if it is not from a store.
    """
    if not content.startswith(_FORM):
        return None
    parts, start = [], len(_FORM)
    for _ in range(3):
        length = int.from_bytes(content[start : start + _LENGTH], "little")
        start += _LENGTH
        parts.append(content[start : start + length])
        start += length
    if start != len(content) or len(parts[1]) % _LENGTH or len(parts[2]) % _LENGTH:
        return None
    try:
        summary = _decoder.decode(parts[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    ids, named = (np.frombuffer(part, "<i8").astype(np.int64) for part in parts[1:])
    is_sound = set(summary.faults) <= set(FAULTS) and all(bool((one[1:] > one[:-1]).all()) for one in (ids, named))
    is_meant = sizes is None or {one.name: one.size for one in summary.blobs} == {
        name: size for name, size in sizes.items() if size
    }
    return Summarized(summary, ids, named) if is_sound and is_meant else None
