"""Rewrites the references in a stored line: to its payload, or to the parts of a record in quarantine.

Everything else of the line stays as it is, byte for byte in a line of the receiver: its values are not decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ...layout.payload_path import payload_path

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

__all__ = ["Counts", "rewritten"]

_Members = dict[str, msgspec.Raw]

_ALWAYS: Final = ("dataref", "recordref", "resourceref", "requestref")
_MAYBE: Final = (*(f'"{key}"'.encode() for key in _ALWAYS), b'"datainblob"')
"""A line without any of these has no reference."""
_WHITESPACE: Final = b" \t\r\n"
_members: Final = msgspec.json.Decoder(_Members)
_text: Final = msgspec.json.Decoder(str)
_flag: Final = msgspec.json.encode("true")


@dataclass(slots=True)
class Counts:
    """How many references were found.

    Attributes:
        rewritten: those that led elsewhere.
        right: those that are as they should be.
        missing: those to a payload that is not in the store; they stay as they are.
        foreign: those to something outside of the folder of their line; they stay as they are.
    """

    rewritten: int = 0
    right: int = 0
    missing: int = 0
    foreign: int = 0


def rewritten(line: bytes, folder: str, objects: Container[str], place: Callable[[str], str], to: Counts) -> bytes:
    """`line` with references to where its payloads are; the line itself if it has none, or is no JSON object.

    Args:
        line: with its line break.
        folder: where its payloads are looked for: the folder of its blob, as a name in the store.
        objects: names of the objects of the store.
        place: the reference to the object of a name.
        to: counts the references.
    """
    if not any(key in line for key in _MAYBE):
        return line
    try:
        members = _members.decode(line)
    except (ValueError, RecursionError):
        return line  # torn, or of somebody else: audit reports it
    before = to.rewritten
    for key, reference in _references(members):
        payload = payload_path(folder, reference)
        name = payload.found(objects)
        if name is None:
            to.missing += payload.is_certain
            to.foreign += not payload.is_certain
        elif (new := place(name)) == reference:
            to.right += 1
        else:
            to.rewritten += 1
            members[key] = msgspec.Raw(msgspec.json.encode(new))
    if to.rewritten == before:
        return line
    content = b",".join(b"%b:%b" % (msgspec.json.encode(key), bytes(value)) for key, value in members.items())
    end = line[len(line.rstrip(_WHITESPACE)) :]
    return b"{%b}%b" % (content, end)


def _references(members: _Members) -> Iterator[tuple[str, str]]:
    """The keys of a line that refer to an object, and what they refer to."""
    keys: list[str] = [key for key in _ALWAYS if key in members]
    if "data" in members and bytes(members.get("datainblob", b"")) == _flag:
        keys.append("data")
    for key in keys:
        try:
            yield key, _text.decode(members[key])
        except ValueError:
            continue  # null, for example
