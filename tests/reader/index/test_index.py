"""A lookup by the index finds what a scan finds, whatever the blobs and the files of the index have."""

from __future__ import annotations

import contextlib
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azurite import ACCOUNT
from hypothesis import given, settings
from hypothesis import strategies as st
from read_lines import HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import FoundId, UnknownNameError, lookup
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.index import index_file, index_writer
from otel_modeldata_reader.index.line_ids import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azurite import Azurite

TRACES = ["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + "ab" * 16 + "-b7ad6b7169203331-01"]
IDS = [
    "event-1",
    "request-1",
    "request-1_0",
    "request-1_1",
    "x_7",
    "x",
    'a"b',
    "é",
    "ab" * 16,
    "nothing",
    "ES",
    "event-2",
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_WORTH_BYTES", 1)


def facts(found: FoundId) -> list[tuple[Any, ...]]:
    return [
        (one.collection, one.place, one.event_id, one.correlation_id, one.trace_id, one.content, one.row)
        for one in found.events
    ]


def shown(store: Path, wanted: str, *, index: bool = True) -> list[tuple[Any, ...]]:
    return all_shown(store, [wanted], index=index)[wanted]


def all_shown(store: Path, ids: Iterable[str], *, index: bool) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {wanted: [] for wanted in ids}
    with reader.open(store) as opened:
        for wanted in found:
            with contextlib.suppress(UnknownNameError):
                found[wanted] = facts(opened.show(wanted, index=index))
    return found


def files(store: Path) -> list[Path]:
    return sorted((store / "_index").glob("*"))


def write_two_hours(store: Path) -> Path:
    write(store, [line(number=number, traceparent=TRACES[1]) for number in range(5)])
    label = [{"row_id": f"request-{number}_0", "fraud": False} for number in range(3)]
    write(store, [line(label, id="label", correlationid="l", number=9)], collection="shop/blue/ground_truth")
    return write(store, [line(number=number) for number in range(5, 9)], hour="2026/11/22/11")


def test_the_second_lookup_reads_no_blob(tmp_path: Path) -> None:
    write_two_hours(tmp_path)
    first = reader.open(tmp_path).show("request-2")
    second = reader.open(tmp_path).show("request-2")
    assert facts(first) == facts(second)
    assert [one.collection.rpartition("/")[2] for one in second.events] == ["model_inputs", "ground_truth"]
    assert (first.scanned, second.scanned, second.notes) == (first.size, 0, ())
    with pytest.raises(UnknownNameError, match="or search without the index"):
        reader.open(tmp_path).show("nothing")


def test_an_x_request_id_that_the_index_covers_is_found_without_it(tmp_path: Path) -> None:
    write(tmp_path, [line(number=number, xrequestid=f"x-{number}") for number in range(3)])
    shown(tmp_path, "request-1")
    with pytest.raises(UnknownNameError, match=r"or search without the index, which has no x-request-id$"):
        reader.open(tmp_path).show("x-2")
    assert shown(tmp_path, "x-2", index=False) == shown(tmp_path, "request-2")


def test_the_index_is_no_collection_and_is_not_read_by_the_others(tmp_path: Path) -> None:
    write_two_hours(tmp_path)
    before = reader.open(tmp_path).collections(count=True)
    shown(tmp_path, "request-2")
    assert [one.suffix for one in files(tmp_path)] == [".index"]
    assert reader.open(tmp_path).collections(count=True) == before


def test_late_lines_are_found_without_a_new_index(tmp_path: Path) -> None:
    blob = write_two_hours(tmp_path)
    shown(tmp_path, "request-2")
    with blob.open("ab") as file:
        file.write(line(number=20))
    write(tmp_path, [line(number=21)], replica=1)
    for number, where in ((20, 5), (21, 1)):
        (found,) = reader.open(tmp_path).show(f"event-{number}").events
        assert (found.place.line, found.rows) == (where, [{"age": number}])
    assert len(files(tmp_path)) == 2  # another one for the late lines
    assert reader.open(tmp_path).show("event-20").scanned == 0


def test_an_hour_that_has_not_ended_is_scanned(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for hours in (0, 1, -1):
        write(tmp_path, [line(number=hours + 5)], hour=f"{now + timedelta(hours=hours):%Y/%m/%d/%H}")
    write(tmp_path, [line(number=1)], hour=f"{now - timedelta(hours=2):%Y/%m/%d/%H}")
    first = reader.open(tmp_path).show("event-1")
    second = reader.open(tmp_path).show("event-1")
    assert facts(first) == facts(second)
    assert 0 < second.scanned < first.scanned


def test_a_blob_that_became_shorter_is_scanned(tmp_path: Path) -> None:
    blob = write_two_hours(tmp_path)
    shown(tmp_path, "request-2")
    blob.write_bytes(line(number=30))
    assert [one[1].line for one in shown(tmp_path, "event-30")] == [1]
    assert shown(tmp_path, "event-6") == []


def test_without_permission_to_write_a_lookup_scans(tmp_path: Path) -> None:
    write_two_hours(tmp_path)
    (tmp_path / "_index").write_bytes(b"")  # in the way
    for _ in range(2):
        found = reader.open(tmp_path).show("event-1")
        assert (len(found.events), found.scanned, found.notes) == (1, found.size, ())


def test_lines_that_are_too_long_for_the_index_are_scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_INDEXED_BYTES", 1000)
    monkeypatch.setattr(store_access, "_READ_BYTES", 500)
    lines = [line(number=0), line([{"age": 1}] * 200, number=1), line(number=2)]
    write(tmp_path, lines)
    for _ in range(2):
        found = [reader.open(tmp_path).show(f"event-{number}") for number in range(3)]
        assert [one.events[0].place.line for one in found] == [1, 2, 3]
    assert 0 < found[0].scanned < found[0].size


def test_without_the_index_nothing_is_written(tmp_path: Path) -> None:
    write_two_hours(tmp_path)
    assert len(shown(tmp_path, "event-1", index=False)) == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"foreign",
        b"mdindex1",
        b"mdindex1\xff\xff\xff\xff",
        b"mdindex1\x02\x00\x00\x00{}",
        b"mdindex1\x02\x00\x00\x00[]",
    ],
)
def test_a_foreign_file_is_left_out_with_a_note(tmp_path: Path, content: bytes) -> None:
    write_two_hours(tmp_path)
    (tmp_path / "_index").mkdir()
    (tmp_path / "_index" / "foreign.index").write_bytes(content)
    found = reader.open(tmp_path).show("event-1")
    assert len(found.events) == 1
    (note,) = found.notes
    assert note.startswith("expected an index, got _index/foreign.index (")


@pytest.mark.parametrize("part", ["torn", "flipped"])
def test_damage_at_any_byte_changes_no_answer(tmp_path: Path, part: str) -> None:
    write_two_hours(tmp_path)
    expected = {wanted: shown(tmp_path, wanted) for wanted in ("request-2", "nothing")}
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    store = reader.open(tmp_path)
    for position in random.Random(1).sample(range(len(whole)), 40):
        damaged = whole[:position] if part == "torn" else whole[:position] + b"\x07" + whole[position + 1 :]
        path.write_bytes(damaged)
        try:
            found = store.show("request-2")
        finally:
            for other in set(files(tmp_path)) - {path}:
                other.unlink()
        assert facts(found) == expected["request-2"]
        assert found.notes or found.scanned == 0


@pytest.mark.parametrize(("start", "in_range"), [(1, True), (0, True), (10**6, False)])
def test_a_forged_place_is_no_answer(tmp_path: Path, start: int, in_range: bool) -> None:
    import numpy as np

    blob = write_two_hours(tmp_path)
    name = blob.relative_to(tmp_path).as_posix()
    wanted = int.from_bytes(hash_of("event-6"), "little")
    entries = np.array([(wanted, start, 1)], index_file.entry_type())
    end = blob.stat().st_size
    forged, content = index_file.written([ByteRange(name, 0, end)], entries)
    (tmp_path / "_index").mkdir()
    (tmp_path / forged).write_bytes(content)
    found = reader.open(tmp_path).show("event-6")
    assert [one.place.line for one in found.events] == [2]
    assert (forged in found.notes[0], "has not the id" in found.notes[0]) == (True, in_range)


LINES = st.lists(
    st.one_of(
        st.builds(
            lambda number, request, trace, rows: line(
                rows, number=number, correlationid=request, traceparent=trace or None
            ),
            st.integers(0, 3),
            st.sampled_from(["request-1", "x_7", 'a"b', "é", "x"]),
            st.sampled_from(TRACES),
            st.lists(
                st.fixed_dictionaries({"row_id": st.sampled_from(IDS), "v": st.just("0x" + "ab" * 16)}), max_size=3
            ),
        ),
        st.sampled_from([b"\n", b"{}\n", b"torn {\n", b"\xef\xbb\xbf" + line(number=2), b'{"id": 7, "data": []}\n']),
    ),
    max_size=5,
)


@settings(max_examples=30)
@given(
    wanted=st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True),
    blobs=st.lists(st.tuples(st.sampled_from(["model_inputs", "ground_truth", "app_traces"]), LINES), max_size=3),
    tail=st.sampled_from([b"", b'{"id": "event-1"', line(number=1)[:-1]]),
    read_bytes=st.sampled_from([300, 1 << 20]),
    entries=st.sampled_from([3, 1000]),
)
def test_the_index_finds_what_a_scan_finds(
    wanted: list[str], blobs: list[tuple[str, list[bytes]]], tail: bytes, read_bytes: int, entries: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(store_access, "_READ_BYTES", read_bytes)
        patch.setattr(lookup, "_LINE_BYTES", 40)
        patch.setattr(index_writer, "ENTRIES", entries)
        store = Path(folder)
        for replica, (collection, lines) in enumerate(blobs):
            write(store, [*lines, tail], collection=f"shop/blue/{collection}", replica=replica)
        expected = all_shown(store, wanted, index=False) if blobs else {}
        for _ in range(2):  # the first one writes the index
            assert all_shown(store, expected, index=True) == expected


def test_a_container_has_an_index_too(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    with azurite.open(container) as client:
        name = f"prod/shop/blue/model_inputs/{HOUR}/{0:032x}000000.jsonl"
        client.upload_blob(name, b"".join(line(number=number) for number in range(2000)))
    with reader.open(f"az://{container}/prod") as store:
        found = [store.show("event-1234") for _ in range(2)]
    assert facts(found[0]) == facts(found[1])
    assert (found[0].scanned > 0, found[1].scanned, found[1].events[0].place.line) == (True, 0, 1235)


def test_a_signature_that_allows_reading_only_is_enough(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    container = azurite.new_container()
    with azurite.open(container) as client:
        client.upload_blob(f"shop/blue/model_inputs/{HOUR}/{0:032x}000000.jsonl", line())
    signature = generate_container_sas(
        ACCOUNT,
        container,
        azurite.key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    endpoint = f"BlobEndpoint=http://{azurite.host}/{ACCOUNT}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"{endpoint};SharedAccessSignature={signature}")
    with reader.open(f"az://{container}") as store:
        found = store.show("event-0")
    assert (len(found.events), found.scanned, found.notes) == (1, found.size, ())
    with azurite.open(container) as client:
        assert [one for one in client.list_blob_names() if one.startswith("_index")] == []


def test_a_link_out_of_the_store_gets_no_index(tmp_path: Path) -> None:
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    write_two_hours(store)
    elsewhere.mkdir()
    (store / "_index").symlink_to(elsewhere)
    assert len(reader.open(store).show("event-1").events) == 1
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_is_no_object_of_a_store(tmp_path: Path) -> None:
    write_two_hours(tmp_path)
    (tmp_path / "_index").mkdir()
    os.mkfifo(tmp_path / "_index" / "x.index")
    assert facts(reader.open(tmp_path).show("event-1")) == shown(tmp_path, "event-1", index=False)
