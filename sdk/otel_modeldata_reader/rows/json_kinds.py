"""The kinds of JSON values in rows, row by row: to find the line in which a column changes its type.

This is slow and exact. It is used only where `pyarrow.json` refuses rows, and to find the place of a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = [
    "BLANKS",
    "BOOLEAN",
    "INTEGER",
    "LIST",
    "NULL",
    "NUMBER",
    "OBJECT",
    "TEXT",
    "decode_rows",
    "first_names",
    "integer_range",
    "kind_of",
    "kinds_of",
    "plain_text",
    "with_texts",
]

NULL: Final = "null"
BOOLEAN: Final = "boolean"
INTEGER: Final = "integer"
NUMBER: Final = "float"
TEXT: Final = "text"
LIST: Final = "list"
OBJECT: Final = "object"
_BY_FIRST_BYTE: Final = {
    ord("n"): NULL,
    ord("t"): BOOLEAN,
    ord("f"): BOOLEAN,
    ord('"'): TEXT,
    ord("["): LIST,
    ord("{"): OBJECT,
}
BLANKS: Final = b" \t\r\n"
"""What JSON may have around a value."""
_DIGITS: Final = 1000
"""Python refuses to read more than 4,300 digits, and no type holds as many."""
_rows: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_encode: Final = msgspec.json.Encoder().encode


def decode_rows(payload: bytes) -> list[dict[str, bytes]] | None:
    """The rows of an event, each value as its JSON text without blanks around it; None if it is no array of objects.

    Of two equal keys in an object the last one counts.
    """
    try:
        return [{name: bytes(value).strip(BLANKS) for name, value in row.items()} for row in _rows.decode(payload)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def first_names(payload: bytes | msgspec.Raw) -> tuple[str, ...] | None:
    """The columns of the first row of an event; None if it has no row."""
    payload = bytes(payload)
    end = payload.find(b"},{")
    rows = decode_rows(payload) if end < 0 else decode_rows(payload[: end + 1] + b"]") or decode_rows(payload)
    return tuple(rows[0]) if rows else None


def kind_of(value: bytes) -> str:
    """The kind of a JSON value."""
    kind = _BY_FIRST_BYTE.get(value[0])
    if kind is not None:
        return kind
    return NUMBER if b"." in value or b"e" in value or b"E" in value else INTEGER


def kinds_of(rows: Iterable[Mapping[str, bytes]]) -> dict[str, dict[str, int]]:
    """For each column the kinds of its values, null excepted, and the first row of each kind."""
    found: dict[str, dict[str, int]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            kinds = found.setdefault(name, {})
            if (kind := kind_of(value)) != NULL:
                kinds.setdefault(kind, number)
    return found


def integer_range(rows: Iterable[Mapping[str, bytes]], column: str) -> tuple[int, int] | None:
    """The smallest and the largest integer of a column; None if it has none. Above 1,000 digits some are left out."""
    numbers = [int(row[column][:_DIGITS]) for row in rows if column in row and kind_of(row[column]) == INTEGER]
    return (min(numbers), max(numbers)) if numbers else None


def with_texts(rows: Sequence[Mapping[str, bytes]], columns: Collection[str]) -> bytes:
    """The JSON of rows in which the values of some columns are texts: what is no text yet becomes its JSON text."""
    names = {name: _encode(name) + b":" for row in rows for name in row}
    objects = (
        b",".join([names[name] + (_quoted(value) if name in columns else value) for name, value in row.items()])
        for row in rows
    )
    return b"[%b]" % b",".join([b"{%b}" % one for one in objects])


def plain_text(value: bytes) -> str | None:
    """The text of a JSON value that is a text, else its JSON; None for null."""
    if value == b"null":
        return None
    return msgspec.json.decode(value, type=str) if value[:1] == b'"' else value.decode()


def _quoted(value: bytes) -> bytes:
    return value if value[:1] in {b'"', b"n"} else _encode(value.decode())
