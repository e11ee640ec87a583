"""Protocol Buffers as the specification describes them, read without the code under test; and changes of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from fuzz_target import changed_bytes
from otlp_requests import varint

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["encoded", "parsed", "records_of", "with_a_change"]

Field: TypeAlias = "tuple[int, int, int | bytes]"
"""Number, wire type, and the number or the bytes."""
_SIZES = {1: 8, 5: 4}
_NUMBERS = (0, 1, 2, 127, 128, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 1_795_348_800_000_000_000)


def parsed(message: bytes) -> list[Field] | None:
    """The fields of a message; None where the bytes are not fields."""
    found: list[Field] = []
    position = 0
    try:
        while position < len(message):
            tag, position = _number(message, position)
            number, wire = tag >> 3, tag & 7
            if not number or wire not in {0, 1, 2, 5}:
                return None
            if wire == 0:
                value, position = _number(message, position)
                found.append((number, wire, value))
                continue
            size = _SIZES.get(wire, 0)
            if wire == 2:
                size, position = _number(message, position)
            if position + size > len(message):
                return None
            found.append((number, wire, message[position : position + size]))
            position += size
    except IndexError:
        return None
    return found


def encoded(fields: Sequence[Field]) -> bytes:
    """The message of `fields`."""
    parts = []
    for number, wire, value in fields:
        parts.append(varint(number << 3 | wire))
        if isinstance(value, int):
            parts.append(varint(value))
        else:
            parts += [varint(len(value)), value] if wire == 2 else [value]
    return b"".join(parts)


def records_of(request: bytes) -> list[tuple[bytes, bytes]] | None:
    """The encoded resource and record of every log record, or span, of a request; None where the outline is broken."""
    found: list[tuple[bytes, bytes]] = []
    of_request = parsed(request)
    if of_request is None:
        return None
    for resource_logs in _members(of_request, 1):
        of_resource = parsed(resource_logs)
        if of_resource is None:
            return None
        resource = b"".join(_members(of_resource, 1))
        for scope_logs in _members(of_resource, 2):
            of_scope = parsed(scope_logs)
            if of_scope is None:
                return None
            found += [(resource, raw) for raw in _members(of_scope, 2)]
    return found


def with_a_change(message: bytes, chance: random.Random, words: Sequence[bytes], depth: int = 0) -> bytes:
    """A message with one change in one of its fields, at any depth; lengths above it stay right, most of the time."""
    fields = parsed(message) if depth < 9 else None
    if not fields or chance.random() < 0.02:
        return changed_bytes(message, chance, words)
    place = chance.randrange(len(fields))
    number, wire, value = fields[place]
    if isinstance(value, bytes) and wire == 2 and chance.random() < 0.8:
        fields[place] = (number, wire, with_a_change(value, chance, words, depth + 1))
        return encoded(fields)
    match chance.randrange(6):
        case 0:
            del fields[place]
        case 1:
            fields.insert(chance.randrange(len(fields) + 1), fields[place])
        case 2:
            fields[place] = (chance.randrange(1, 16), wire, value)
        case 3:
            fields.insert(place, fields.pop(chance.randrange(len(fields))))
        case 4:
            fields[place] = (number, 2, chance.choice(words))
        case _:
            fields[place] = (number, 0, chance.choice(_NUMBERS))
    return encoded(fields)


def _members(fields: Sequence[Field], wanted: int) -> list[bytes]:
    return [value for number, wire, value in fields if number == wanted and wire == 2 and isinstance(value, bytes)]


def _number(message: bytes, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (2**64 - 1), position
    raise IndexError
