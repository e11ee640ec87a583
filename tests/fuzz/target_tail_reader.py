"""The tail reader: which events a receiver takes for stored after a restart, for any bytes in its blobs, at any cut.

The input is a line of settings, then the blobs of a folder: `tail=100 read=7 LF` and the bytes, with `0x1E` between two
blobs. A sink is opened on these blobs, and every id that occurs anywhere in them is sent again. What it does not write
it takes for stored.

- An id that is not the id of a whole line is never taken for stored: its event would be lost.
- The id of a whole line in the tail is always recognized: its event would be stored twice.
- The bytes that were there stay, and what is written begins on a line of its own.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from event_loop import run
from fuzz_target import FuzzTarget, changed_bytes
from hypothesis import strategies as st
from memory_store import FOLDER, INSTANCE, MemoryStore, sink_on

from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.folders import known_blobs
from otel_modeldata_receiver.storage.sink import SinkLimits

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["TARGET"]

_BLOB_END = b"\x1e"
_SETTINGS = re.compile(rb"tail=(\d{1,4}) read=(\d{1,4})")
_ANY_ID = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9-]{1,20})"')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def check(given: bytes) -> None:
    """The oracle; see above."""
    head, _, content = given.partition(b"\n")
    settings = _SETTINGS.fullmatch(head)
    tail, read = (int(settings[1]), max(1, int(settings[2]))) if settings else (1 << 20, 1 << 20)
    blobs = content.split(_BLOB_END)[:5]
    sent = sorted({found.decode() for found in _ANY_ID.findall(content)} | {"never-stored"})
    stored, after = run(_known(blobs, sent, tail, read))
    may, must = _stored_ids(blobs, tail)
    assert stored <= may, f"taken for stored without a whole line: {sorted(stored - may)}"
    assert must & set(sent) <= stored, f"stored and not recognized: {sorted(must & set(sent) - stored)}"
    for number, blob in enumerate(blobs):
        assert after[number].startswith(blob), f"blob {number} has changed"
        if after[number] != blob:
            assert not blob or blob.endswith(b"\n"), f"blob {number}: a line is appended to half a line"


async def _known(blobs: Sequence[bytes], sent: Sequence[str], tail: int, read: int) -> tuple[set[str], list[bytes]]:
    """The ids of `sent` that a sink on these blobs does not write, and the blobs after it."""
    store = MemoryStore()
    store.latency = 0.0
    names = [f"{FOLDER}/{INSTANCE}{ordinal:06d}.jsonl" for ordinal in range(len(blobs))]
    store.contents.update(zip(names, blobs, strict=True))
    store.blocks.update({name: [] for name in names})
    at_once, known_blobs._READ_BYTES = known_blobs._READ_BYTES, read  # type: ignore[misc]
    try:
        sink = sink_on(store, limits=SinkLimits(tail_bytes=max(1, tail)))
        await sink.append(FOLDER, [Line(one, b'{"id":"%b","new":1}\n' % one.encode()) for one in sent])
        await sink.close()
    finally:
        known_blobs._READ_BYTES = at_once  # type: ignore[misc]
    before = dict(zip(names, blobs, strict=True))
    written = b"".join(text.removeprefix(before.get(name, b"")) for name, text in store.contents.items())
    new = {json.loads(line)["id"] for line in written.splitlines()}
    return set(sent) - new, [store.contents[name] for name in names]


def _stored_ids(blobs: Sequence[bytes], tail: int) -> tuple[set[str], set[str]]:
    """The ids of all whole lines, and those of lines as the receiver writes them that are in the tail."""
    may: set[str] = set()
    must: set[str] = set()
    left = max(1, tail)
    for blob in reversed(blobs):
        position = 0
        for line in blob.split(b"\n")[:-1]:
            ids, is_ours = _ids_of(line)
            may |= ids
            if is_ours and position >= len(blob) - left:
                must |= ids
            position += len(line) + 1
        left = max(0, left - len(blob))
    return may, must


def _ids_of(line: bytes) -> tuple[set[str], bool]:
    """The ids that a line may have, and whether it is one that the receiver writes."""
    try:
        text = line.decode("utf-8", "surrogateescape")
        pairs = json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse, parse_int=str)
    except (ValueError, RecursionError):
        return set(), False
    if not isinstance(pairs, tuple):
        return set(), False
    ids = [value for key, value in pairs if key == "id"]
    is_ours = len(ids) == 1 and isinstance(ids[0], str) and text.isprintable()
    is_ours = is_ours and not _SURROGATE.search(text) and text.count("[") < 50
    return {one for one in ids if isinstance(one, str)}, is_ours


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    return tuple(pairs)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


_WORDS = (
    *(b"\n", b'{"id":"x"}\n', b'"id":"y"', b'{"id":"z","data":[{"id":"inner"}]}\n', b'{"id":"half', _BLOB_END),
    *(b'{"id":"a","id":"b"}\n', b'"{\\"id\\":\\"q\\"}"', b'{"id":1}\n', b"tail=12 read=3\n", b"\xff", b'\\"', b"}}"),
)


def _mutate(given: bytes, chance: random.Random) -> bytes:
    head, _, content = given.partition(b"\n")
    if chance.random() < 0.2:
        head = b"tail=%d read=%d" % (chance.randrange(1, 200), chance.choice((1, 2, 7, 64, 9999)))
        return head + b"\n" + content
    return head + b"\n" + changed_bytes(content, chance, _WORDS)


_LINES = st.sampled_from(
    [
        b'{"id":"a"}\n',
        b'{"id":"b","data":[{"id":"in-rows"}]}\n',
        b'{"specversion":"1.0","id":"c","data":"{\\"id\\":\\"in-text\\"}"}\n',
        b'garbage{"id":"d"}\n',
        b'{"id":"e","data":{"id":"nested"}}\n',
        b'{"id":"f"',
        b"\n",
        b'{"id":"\xc3\xa9"}\n',
        b'{"id":"g"}\r\n',
        _BLOB_END,
    ]
)


@st.composite
def _blobs(draw: st.DrawFn) -> bytes:
    head = b"tail=%d read=%d\n" % (draw(st.integers(1, 120)), draw(st.sampled_from([1, 2, 5, 16, 9999])))
    return head + b"".join(draw(st.lists(_LINES, max_size=8)))


TARGET = FuzzTarget(
    name="tail_reader",
    about="bytes of a receiver's blobs, cut anywhere -> exactly the ids of whole lines are taken for stored",
    check=check,
    mutate=_mutate,
    inputs=_blobs(),
    runs=12_000,
)
