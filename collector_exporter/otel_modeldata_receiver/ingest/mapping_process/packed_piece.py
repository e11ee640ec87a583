"""A piece of a mapped request as a message: its lines are one part, each large payload is another one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, structs

from ...line import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...mapping.event import Event, LargePayload
    from ...mapping.outcomes import Mapped
    from ...mapping.quarantine import Rejected

__all__ = ["PackedPiece", "pack", "unpack"]

_PART_BYTES: Final = 64 * 1024
"""What is larger is a part of its own."""
_FOUND_BY: Final = 64
"""Bytes of a content by which it is looked for; a search for all of it takes long."""


class PackedPiece(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a piece.

    Attributes:
        lines: folder, ids and sizes of the lines, whose bytes are the first part.
        rest: the piece without lines; what is large in it is the other parts, in order.
        rejected: for each rejected record, the names of the fields that are parts.
    """

    lines: Sequence[tuple[str, Sequence[str], Sequence[int]]]
    rest: Mapped
    rejected: Sequence[Sequence[str]]


def pack(mapped: Mapped) -> tuple[PackedPiece, list[bytes]]:
    """`mapped` as a header and parts."""
    groups = mapped.lines.items()
    lines = [(folder, [line.id for line in group], [len(line.data) for line in group]) for folder, group in groups]
    parts = [b"".join([line.data for _, group in groups for line in group])]
    large: list[LargePayload] = []
    for one in mapped.large:
        parts.append(one.content)
        data = one.event.line.data if one.event.binary else UNSET
        event = structs.replace(one.event, line=structs.replace(one.event.line, data=data), content=b"")
        large.append(structs.replace(one, event=event, record=_around(one.content, one.whole_record())))
    rejected: list[Rejected] = []
    fields: list[list[str]] = []
    for kept in mapped.rejected:
        names = [name for name in ("record", "request") if len(getattr(kept, name)) > _PART_BYTES]
        parts += [getattr(kept, name) for name in names]
        rejected.append(_with_parts(kept, dict.fromkeys(names, b"")))
        fields.append(names)
    defects = tuple(RuntimeError(f"{type(defect).__name__} in the mapping process") for defect in mapped.defects)
    rest = structs.replace(mapped, lines={}, large=tuple(large), rejected=tuple(rejected), defects=defects)
    return PackedPiece(lines=lines, rest=rest, rejected=fields), parts


def _around(content: bytes, record: bytes) -> bytes | tuple[bytes, bytes]:
    """What is before and after `content` in `record`; all of it where it is small, or its content was changed."""
    start = record.find(content[:_FOUND_BY])
    if len(record) <= _PART_BYTES or start < 0 or not record.startswith(content, start):
        return record
    return record[:start], record[start + len(content) :]


def unpack(packed: PackedPiece, parts: Sequence[bytes]) -> Mapped:
    """The piece of a header and its parts."""
    data, *others = parts
    left = iter(others)
    lines: dict[str, list[Line]] = {}
    start = 0
    for folder, ids, sizes in packed.lines:
        group = lines[folder] = []
        for one, size in zip(ids, sizes, strict=True):
            group.append(Line(one, data[start : start + size]))
            start += size
    rest = packed.rest
    large = tuple(structs.replace(one, event=_with_content(one.event, next(left))) for one in rest.large)
    rejected = tuple(
        _with_parts(one, {name: next(left) for name in names})
        for one, names in zip(rest.rejected, packed.rejected, strict=True)
    )
    return structs.replace(rest, lines=lines, large=large, rejected=rejected)


def _with_content(event: Event, content: bytes) -> Event:
    return structs.replace(event, content=content)


def _with_parts(rejected: Rejected, parts: dict[str, bytes]) -> Rejected:
    if not parts:
        return rejected
    return replace(
        rejected, record=parts.get("record", rejected.record), request=parts.get("request", rejected.request)
    )
