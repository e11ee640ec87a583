"""The spool's files: the next process reads the records of a dead process, even from damaged files."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.spool.segment_file import RecordPosition
from otel_modeldata._delivery.spool.segment_format import (
    HEAD_BYTES,
    RECORD,
    SegmentContent,
    beginning,
    entry,
    scan,
    settled_entry,
)
from otel_modeldata.exceptions import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = b"who sends" * 20


def _payloads(count: int, seed: int = 3) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(rng.randrange(0, 60)) for _ in range(count)]


def _segment(payloads: list[bytes], settled: range) -> bytes:
    """A segment in which the marks of `settled` follow two thirds of the records."""
    entries = [entry(RECORD, ordinal, payload) for ordinal, payload in enumerate(payloads)]
    entries.insert(len(entries) * 2 // 3, settled_entry(settled))
    return beginning(SOURCE) + b"".join(entries)


PAYLOADS = _payloads(100)
SETTLED = range(10, 30)
WHOLE = _segment(PAYLOADS, SETTLED)
UNSETTLED = {n: payload for n, payload in enumerate(PAYLOADS) if n not in SETTLED}


def _found(data: bytes) -> tuple[SegmentContent, dict[int, bytes]]:
    found = scan(data)
    return found, {record.ordinal: data[record.start : record.end] for record in found.records}


def test_a_segment_returns_the_records_that_are_not_settled() -> None:
    found, records = _found(WHOLE)
    assert records == UNSETTLED
    assert (found.source, found.corrupt, found.damaged, found.end) == (SOURCE, 0, [], len(WHOLE))


def test_a_segment_cut_at_any_byte_returns_every_whole_record() -> None:
    """A torn tail is not damage, and only the torn record is lost."""
    ends: list[int] = []
    at = len(beginning(SOURCE))
    for n, payload in enumerate(PAYLOADS):
        if n == len(PAYLOADS) * 2 // 3:
            at += len(settled_entry(SETTLED))
            marked_from = at
        at += HEAD_BYTES + len(payload)
        ends.append(at)
    for cut in range(len(WHOLE)):
        found, records = _found(WHOLE[:cut])
        settled = SETTLED if cut >= marked_from else range(0)
        expected = {n: p for n, p in enumerate(PAYLOADS) if ends[n] <= cut and n not in settled}
        assert (records, found.corrupt, found.damaged) == (expected, 0, []), cut
        assert found.source == (SOURCE if cut >= len(beginning(SOURCE)) // 2 else b"")


@settings(max_examples=600)
@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_a_flipped_bit_loses_one_record_which_is_counted(bit: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    found, records = _found(bytes(flipped))
    assert found.source == SOURCE
    assert len(found.damaged) == 1
    missing = UNSETTLED.keys() - records.keys()
    assert len(missing) == found.corrupt <= 1
    again = records.keys() - UNSETTLED.keys()
    assert again in (set(), set(SETTLED))  # all of them if the bit was in the mark
    assert all(records[n] == PAYLOADS[n] for n in records)


def test_a_flipped_bit_in_the_last_entry_is_distinguished_from_a_torn_tail() -> None:
    for place in range(len(WHOLE) - HEAD_BYTES - len(PAYLOADS[-1]), len(WHOLE)):
        for bit in range(8):
            flipped = bytearray(WHOLE)
            flipped[place] ^= 1 << bit
            found, records = _found(bytes(flipped))
            assert (found.corrupt, records) == (1, {n: p for n, p in UNSETTLED.items() if n != 99})


def test_a_record_that_looks_like_an_entry_does_not_mislead_the_reader() -> None:
    inner = entry(RECORD, 7, b"not an entry of this segment")
    damaged = bytearray(entry(RECORD, 0, inner))
    damaged[-1] ^= 1
    found, records = _found(beginning(SOURCE) + bytes(damaged) + entry(RECORD, 1, b"next"))
    assert (records, found.corrupt) == ({1: b"next"}, 1)


@given(st.sets(st.integers(0, 200)))
def test_marks_settle_exactly_the_ordinals_they_name(ordinals: set[int]) -> None:
    records = b"".join(entry(RECORD, n, b"") for n in range(201))
    found = scan(beginning(SOURCE) + records + settled_entry(ordinals))
    assert {record.ordinal for record in found.records} == set(range(201)) - ordinals


# --- Files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[DiskQueue]:
    opened = DiskQueue(tmp_path / "spool", "a" * 32, SOURCE, 2**20)
    yield opened
    opened.close()


def _append(spool: DiskQueue, payload: bytes) -> RecordPosition:
    place = spool.append(payload)
    assert place is not None
    return place


def _files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "spool").iterdir())


def test_appended_records_are_read_back_in_order(spool: DiskQueue) -> None:
    places = [_append(spool, payload) for payload in PAYLOADS]
    place = places[0]
    read = [spool.read(place)]
    for _ in PAYLOADS[1:]:
        place = spool.after(place)
        read.append(spool.read(place))
    assert read == PAYLOADS


def test_a_spool_without_a_backlog_takes_only_the_bytes_of_its_source(spool: DiskQueue, tmp_path: Path) -> None:
    for payload in PAYLOADS:
        spool.settle([_append(spool, payload)])
    assert _files(tmp_path) == [f"{'a' * 32}-000000.spool"]
    assert spool.nbytes() == len(beginning(SOURCE)) == (tmp_path / "spool" / _files(tmp_path)[0]).stat().st_size


def test_an_orderly_end_leaves_an_empty_folder(spool: DiskQueue, tmp_path: Path) -> None:
    places = [_append(spool, os.urandom(50_000)) for _ in range(10)]
    assert len(_files(tmp_path)) > 2
    spool.settle(places[3:])
    spool.settle(places[:3])
    spool.close()
    assert _files(tmp_path) == []


def test_a_segment_is_deleted_as_soon_as_its_records_are_settled(spool: DiskQueue, tmp_path: Path) -> None:
    places = [_append(spool, os.urandom(50_000)) for _ in range(10)]
    before = _files(tmp_path)
    first = [place for place in places if place.segment is places[0].segment]
    spool.settle(first)
    assert _files(tmp_path) == before[1:]


def test_the_limit_holds_and_room_is_freed(spool: DiskQueue, tmp_path: Path) -> None:
    """The limit is in bytes on disk."""
    places = []
    while (place := spool.append(bytes(10_000))) is not None:
        places.append(place)
    on_disk = sum(path.stat().st_size for path in (tmp_path / "spool").iterdir())
    assert 2**20 - 10_000 - HEAD_BYTES < on_disk == spool.nbytes() <= 2**20
    spool.settle(places[:20])
    assert spool.append(bytes(10_000)) is not None


def test_segments_of_a_running_process_are_not_adopted(spool: DiskQueue, tmp_path: Path) -> None:
    _append(spool, b"mine")
    other = DiskQueue(tmp_path / "spool", "b" * 32, SOURCE, 2**20)
    assert other.adopt() == []
    spool.close()
    (segment,) = other.adopt()
    assert segment.producer == "a" * 32
    assert DiskQueue(tmp_path / "spool", "c" * 32, SOURCE, 2**20).adopt() == []
    other.close()


def test_unsettled_records_of_a_dead_process_are_adopted_once(spool: DiskQueue, tmp_path: Path) -> None:
    places = [_append(spool, payload) for payload in PAYLOADS]
    spool.settle(places[10:30])
    spool.close()
    heir = DiskQueue(tmp_path / "spool", "b" * 32, b"another", 2**20)
    (segment,) = heir.adopt()
    data, found = heir.examine(segment)
    assert found.source == SOURCE
    assert {r.ordinal: data[r.start : r.end] for r in found.records} == UNSETTLED
    heir.settle([RecordPosition(segment, n) for n in range(10)])
    heir.close()
    second = DiskQueue(tmp_path / "spool", "c" * 32, b"another", 2**20)
    (segment,) = second.adopt()
    _, found = second.examine(segment)
    assert [record.ordinal for record in found.records] == list(range(30, 100))
    second.settle([RecordPosition(segment, n) for n in range(30, 100)])
    assert _files(tmp_path) == []
    assert second.adopt() == []


def test_a_torn_tail_is_cut_before_anything_is_appended(spool: DiskQueue, tmp_path: Path) -> None:
    for payload in (b"one", b"two", b"torn" * 100):
        _append(spool, payload)
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    os.truncate(path, path.stat().st_size - 7)
    for name in "bc":
        heir = DiskQueue(tmp_path / "spool", name * 32, b"", 2**20)
        (segment,) = heir.adopt()
        _, found = heir.examine(segment)
        assert (len(found.records), found.corrupt) == ({"b": 2, "c": 1}[name], 0)
        heir.settle([RecordPosition(segment, found.records[0].ordinal)])
        heir.close()
    assert _files(tmp_path) == []


def test_damaged_bytes_are_kept_in_a_file_and_logged_once(
    spool: DiskQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for payload in (b"one", b"two", b"three"):
        _append(spool, payload)
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(b"two")] ^= 4
    path.write_bytes(content)
    heir = DiskQueue(tmp_path / "spool", "b" * 32, b"", 2**20)
    (segment,) = heir.adopt()
    with caplog.at_level(logging.WARNING):
        data, found = heir.examine(segment)
    assert [data[r.start : r.end] for r in found.records] == [b"one", b"three"]
    heir.settle([RecordPosition(segment, 0), RecordPosition(segment, 2)])
    assert _files(tmp_path) == [f"{'a' * 32}-000000.corrupt"]
    assert b"pwo" in (tmp_path / "spool" / _files(tmp_path)[0]).read_bytes()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["1 record(s) in the spool are damaged"]


def test_a_segment_without_a_readable_source_is_kept_as_a_whole(spool: DiskQueue, tmp_path: Path) -> None:
    _append(spool, b"one")
    _append(spool, b"two")
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    content = bytearray(path.read_bytes())
    for start in (30, 30 + len(beginning(SOURCE)) // 2):
        content[start] ^= 1
    path.write_bytes(content)
    heir = DiskQueue(tmp_path / "spool", "b" * 32, b"", 2**20)
    _, found = heir.examine(heir.adopt()[0])
    assert (found.records, found.corrupt) == ([], 2)
    assert path.with_suffix(".corrupt").read_bytes() == bytes(content)
    assert not path.exists()


def test_an_empty_file_of_a_process_that_died_at_once_is_removed(spool: DiskQueue, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / f"{'b' * 32}-000000.spool").touch()
    _, found = spool.examine(spool.adopt()[0])
    assert found == SegmentContent()
    assert _files(tmp_path) == []


@contextlib.contextmanager
def _a_disk_with(room: int) -> Iterator[None]:
    """A limit on the file size simulates a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_gives_one_clear_error_and_leaves_no_partial_record(spool: DiskQueue, tmp_path: Path) -> None:
    _append(spool, b"before")
    size = spool.nbytes()
    with (
        _a_disk_with(size + 100),
        pytest.raises(
            SpoolError, match=r"^expected to write to the spool in .*: free the disk or fix its permissions$"
        ),
    ):
        spool.append(bytes(1000))
    assert spool.nbytes() == size
    _append(spool, b"after")
    spool.close()
    heir = DiskQueue(tmp_path / "spool", "b" * 32, b"", 2**20)
    data, found = heir.examine(heir.adopt()[0])
    assert [data[r.start : r.end] for r in found.records] == [b"before", b"after"]
    assert (found.corrupt, found.damaged) == (0, [])
    heir.close()


def test_a_removed_file_for_which_a_full_disk_has_no_room_is_written_later_and_leaves_no_part(
    spool: DiskQueue, tmp_path: Path
) -> None:
    _append(spool, b"one")
    _append(spool, bytes(1000))
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    with _a_disk_with(500):
        spool.restore()
        spool.restore()
        assert _files(tmp_path) == []
    spool.restore()
    spool.close()
    assert len(_files(tmp_path)) == 1
    heir = DiskQueue(tmp_path / "spool", "b" * 32, b"", 2**20)
    data, found = heir.examine(heir.adopt()[0])
    assert [data[r.start : r.end] for r in found.records] == [b"one", bytes(1000)]
    heir.close()


@contextlib.contextmanager
def _no_file_can_be_opened() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unused = os.open(os.devnull, os.O_RDONLY)
    os.close(unused)
    resource.setrlimit(resource.RLIMIT_NOFILE, (unused, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_with_too_many_open_files_adopts_segments_later(spool: DiskQueue, tmp_path: Path) -> None:
    _append(spool, b"before")
    spool.close()
    heir = DiskQueue(tmp_path / "spool", "b" * 32, SOURCE, 2**20)
    with _no_file_can_be_opened():
        assert heir.adopt() == []
    (segment,) = heir.adopt()
    assert len(heir.examine(segment)[1].records) == 1
    heir.close()


def test_what_looks_like_a_segment_and_is_a_folder_is_left_alone(spool: DiskQueue, tmp_path: Path) -> None:
    (tmp_path / "spool" / "folder.spool").mkdir(parents=True)
    assert spool.adopt() == []


def test_a_folder_that_cannot_be_made_gives_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file/spool"):
        DiskQueue(tmp_path / "file" / "spool", "a" * 32, SOURCE, 2**20).append(b"")


def test_only_the_owner_may_read_the_data(spool: DiskQueue, tmp_path: Path) -> None:
    _append(spool, b"personal")
    (path,) = (tmp_path / "spool").iterdir()
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_many_processes_adopt_each_dead_segment_exactly_once(spool: DiskQueue, tmp_path: Path) -> None:
    for _ in range(40):
        _append(spool, os.urandom(25_000))
    spool.close()
    code = """
import sys
from pathlib import Path
from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.spool.segment_file import RecordPosition
spool = DiskQueue(Path(sys.argv[1]), sys.argv[2], b"", 2**30)
for segment in spool.adopt():
    data, found = spool.examine(segment)
    for record in found.records:
        print(segment.path.name, record.ordinal)
    spool.settle([RecordPosition(segment, record.ordinal) for record in found.records])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "spool")]
    heirs = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(6)]
    taken = [line for heir in heirs for line in heir.communicate(timeout=60)[0].splitlines()]
    assert len(taken) == len(set(taken)) == 40
    assert _files(tmp_path) == []
