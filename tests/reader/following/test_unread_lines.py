"""The lines of blobs that were not read yet: the last ones first, and each of them once."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otel_modeldata_reader as reader
from otel_modeldata_reader import StoreUnavailableError
from otel_modeldata_reader.following import unread_lines
from otel_modeldata_reader.following.unread_lines import UnreadLines
from otel_modeldata_receiver.storage.store import StoredObject

if TYPE_CHECKING:
    from pathlib import Path

LINES = [b'{"n":%d,"text":"%s"}\n' % (number, b"x" * (number * 7 % 23)) for number in range(12)]
CONTENT = b"".join(LINES)
_whole = list(itertools.accumulate(map(len, LINES), initial=0))


def listed(folder: Path) -> list[StoredObject]:
    files = sorted(folder.glob("*.jsonl"))
    return [StoredObject(name=one.name, size=one.stat().st_size, modified=one.stat().st_mtime) for one in files]


def taken(unread: UnreadLines, blobs: list[StoredObject]) -> list[dict[str, bytes]]:
    return [dict(slices.contents) for slices in iter(lambda: unread.take(blobs), None)]


def append(blob: Path, content: bytes) -> None:
    with blob.open("ab") as file:
        file.write(content)


def test_the_last_lines_of_a_blob_come_first(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(CONTENT)
    with reader.open(tmp_path) as store:
        found = taken(UnreadLines(store.objects, {}, read_bytes=100), listed(tmp_path))
    assert len(found) > 3
    assert found[0]["a.jsonl"].endswith(LINES[-1])
    assert b"".join(one["a.jsonl"] for one in reversed(found)) == CONTENT


def test_what_a_blob_gets_comes_before_what_is_left_of_it(tmp_path: Path) -> None:
    blob = tmp_path / "a.jsonl"
    blob.write_bytes(CONTENT)
    with reader.open(tmp_path) as store:
        unread = UnreadLines(store.objects, {}, read_bytes=100)
        first = unread.take(listed(tmp_path))
        append(blob, b'{"n":99}\n')
        rest = taken(unread, listed(tmp_path))
    assert first is not None
    assert rest[0] == {"a.jsonl": b'{"n":99}\n'}
    assert b"".join(one["a.jsonl"] for one in reversed(rest[1:])) + first.contents["a.jsonl"] == CONTENT


def test_of_many_blobs_the_ends_of_all_come_first_and_then_the_blob_that_changed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_lines, "_LEAST_BYTES", 1)
    for at, name in enumerate("bca"):
        (tmp_path / f"{name}.jsonl").write_bytes(CONTENT)
        os.utime(tmp_path / f"{name}.jsonl", (1_000 + at, 1_000 + at))
    with reader.open(tmp_path) as store:
        found = taken(UnreadLines(store.objects, {}, read_bytes=120), listed(tmp_path))
    assert found[0].keys() == {"a.jsonl", "b.jsonl", "c.jsonl"}
    assert all(content.endswith(LINES[-1]) for content in found[0].values())
    assert next(iter(found[1])) == "a.jsonl"
    assert "b.jsonl" not in found[1]
    assert list(found[-1]) == ["b.jsonl"]
    for name in found[0]:
        assert b"".join(one.get(name, b"") for one in reversed(found)) == CONTENT


def test_a_torn_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    blob = tmp_path / "a.jsonl"
    blob.write_bytes(LINES[0] + LINES[1][:9])
    with reader.open(tmp_path) as store:
        unread = UnreadLines(store.objects, {})
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": LINES[0]}]
        append(blob, LINES[1][9:-1])  # a whole object without a line feed
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": LINES[1][:-1]}]
        append(blob, b"\n" + LINES[2])
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": b"\n" + LINES[2]}]
        assert taken(unread, listed(tmp_path)) == []


@pytest.mark.parametrize("cut", [400, 4_000, 5_000])
def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, cut: int) -> None:
    blob = tmp_path / "a.jsonl"
    long = b'{"text":"' + b"y" * 5_000 + b'"}\n'
    blob.write_bytes(LINES[0] + long[:cut])
    with reader.open(tmp_path) as store:
        unread = UnreadLines(store.objects, {}, read_bytes=100, longest_line=300)
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": LINES[0]}]
        append(blob, long[cut:-3])
        assert taken(unread, listed(tmp_path)) == []
        append(blob, long[-3:] + LINES[1])
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": LINES[1]}]
        append(blob, long + LINES[2])
        assert taken(unread, listed(tmp_path)) == [{"a.jsonl": LINES[2]}]


@pytest.mark.parametrize("cut", [400, 5_000])
def test_after_a_line_that_is_too_long_and_ends_with_the_blob_every_line_is_read(tmp_path: Path, cut: int) -> None:
    parts = [b"[" + b"1" * cut, b"1" * (5_001 - cut) + b"]\n", *LINES[:3]]
    found = []
    with reader.open(tmp_path) as store:
        unread = UnreadLines(store.objects, {}, read_bytes=100, longest_line=300)
        for part in parts:
            append(tmp_path / "a.jsonl", part)
            found += taken(unread, listed(tmp_path))
    assert found == [{"a.jsonl": one} for one in LINES[:3]]


def test_a_blob_that_is_shorter_than_it_was_listed_is_an_error(tmp_path: Path) -> None:
    blob = tmp_path / "a.jsonl"
    blob.write_bytes(CONTENT)
    blobs = listed(tmp_path)
    blob.write_bytes(LINES[0])
    with reader.open(tmp_path) as store, pytest.raises(StoreUnavailableError) as caught:
        UnreadLines(store.objects, {}).take(blobs)
    assert str(caught.value) == (
        f"expected {len(CONTENT):,} bytes in 'a.jsonl', got {len(LINES[0]):,}: it has changed, try again"
    )


@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=6),
    start=st.integers(0, len(CONTENT)),
    read=st.integers(1, len(CONTENT)),
    takes=st.integers(0, 4),
)
def test_however_bytes_arrive_every_line_comes_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], start: int, read: int, takes: int
) -> None:
    folder = tmp_path_factory.mktemp("store")
    blob = folder / "a.jsonl"
    edges = sorted({start, len(CONTENT), *(cut for cut in cuts if cut > start)})
    blob.write_bytes(CONTENT[:start])
    found = []
    with reader.open(folder) as store:
        unread = UnreadLines(store.objects, {"a.jsonl": start}, read_bytes=read)
        for first, last in itertools.pairwise(edges):
            append(blob, CONTENT[first:last])
            for _ in range(takes):
                if (slices := unread.take(listed(folder))) is not None:
                    found += slices.contents["a.jsonl"].splitlines(keepends=True)
        for contents in taken(unread, listed(folder)):
            found += contents["a.jsonl"].splitlines(keepends=True)
    text = sorted(one.strip() for one in found if one.strip())
    assert text == sorted(one.strip() for one, end in zip(LINES, _whole[1:], strict=True) if end > start)
