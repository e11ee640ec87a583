"""The ids that a line is about: those of its envelope, and, of labels, spans and the like, those that its rows name.

The scan for an id and the index of ids use the same rules, so that both find the same lines.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

from ..lines.envelope import decode_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MARK", "hash_of", "id_of_row", "ids_in_rows", "ids_of", "names_ids_in_rows", "plain_id", "span_ids_of"]

MARK: Final = b"\xef\xbb\xbf"
"""Some editors of Windows begin a file with it."""
_BY_ENVELOPE: Final = frozenset({"model_inputs", "model_outputs", *semconv.PAYLOAD_COLLECTIONS})
"""Collections whose rows belong to the request of their envelope; a value in them is no id."""
_ROW_ID: Final = re.compile(r"(?P<id>.+)_(?P<row>0|[1-9]\d{0,8})", re.DOTALL | re.ASCII)
_TEXT: Final = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)("\s*:|"|\\?\Z)', re.DOTALL)
"""Each text of a JSON value; those with a colon behind them are keys. One without an end goes to the end of a torn
line: its escaped quotes begin no other one."""
_LONGEST_ID: Final = 512
_HEX_ID: Final = re.compile(r"0x([0-9a-f]{32})", re.ASCII)
_HASH_BYTES: Final = 8
_text: Final = msgspec.json.Decoder(str)


class _Ids(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None


class _IdsAndRows(_Ids, frozen=True, gc=False):
    data: msgspec.Raw = msgspec.Raw()


_ids: Final = msgspec.json.Decoder(_Ids)
_ids_and_rows: Final = msgspec.json.Decoder(_IdsAndRows)


def names_ids_in_rows(root: str) -> bool:
    """Whether rows of a collection may name the ids of others: labels, spans and events of spans do."""
    return root.rpartition("/")[2] not in _BY_ENVELOPE


def hash_of(text: str) -> bytes:
    """What the index has in place of an id: 8 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()


def id_of_row(text: str) -> tuple[str, int] | None:
    """The correlation id and the number in a row id; None if it is none."""
    match = _ROW_ID.fullmatch(text) if "_" in text else None
    return None if match is None else (match["id"], int(match["row"]))


def plain_id(text: str) -> str:
    """An id as lines have it: spans write a trace id as `0x...`."""
    match = _HEX_ID.fullmatch(text) if text.startswith("0x") else None
    return text if match is None else match[1]


def span_ids_of(traceparent: str | None) -> tuple[str, str]:
    """The trace id and the span id of a `traceparent`; empty if there is none."""
    parts = (traceparent or "").split("-")
    return (parts[1], parts[2]) if len(parts) >= 4 else ("", "")


def ids_in_rows(data: bytes) -> Iterator[str]:
    """The texts that are values in JSON, of which one may be an id; of a row id also the id of its request."""
    for found, end in _TEXT.findall(data):
        if end != b'"' or not 0 < len(found) <= _LONGEST_ID:
            continue
        try:
            text = plain_id(_text.decode(b'"%b"' % found) if b"\\" in found else found.decode())
        except ValueError:
            continue
        yield text
        if (row := id_of_row(text)) is not None:
            yield row[0]


def ids_of(content: bytes, count: int, *, in_rows: bool) -> list[set[str]]:
    """The ids of each of some whole lines.

    Args:
        content: the lines, each with its line feed.
        count: how many there are.
        in_rows: whether their rows may name ids.
    """
    decoder = _ids_and_rows if in_rows else _ids
    try:
        found = decoder.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = []
    if len(found) == count:
        return [_all_of(one) for one in found]
    return [_ids_of_line(line, in_rows=in_rows) for line in content.split(b"\n")[:count]]


def _ids_of_line(line: bytes, *, in_rows: bool) -> set[str]:
    decoded = decode_line(line.removeprefix(MARK))
    if decoded is None:
        return set()
    found = _given((decoded.id, decoded.correlationid, span_ids_of(decoded.traceparent)[0]))
    return found | set(ids_in_rows(bytes(decoded.data))) if in_rows else found


def _all_of(one: _Ids) -> set[str]:
    found = _given((one.id, one.correlationid, span_ids_of(one.traceparent)[0]))
    if isinstance(one, _IdsAndRows):
        found.update(ids_in_rows(bytes(one.data)))
    return found


def _given(texts: Iterable[str | None]) -> set[str]:
    return {text for text in texts if text}
