"""A closed hour gets a seal; lines that come later reopen it, and the next seal has them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.sealing.seal import MOST_PRODUCERS, MOST_RANGES, ProducerNumbers, Seal, SealedBlob
from otel_modeldata_reader.sealing.sealing import seal_collections
from otel_modeldata_reader.sealing.seals import audit_memory, seals_in
from otel_modeldata_reader.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azurite import Azurite

    from otel_modeldata_reader.blobs.dated_folder import DatedFolder

SEAL = f"_sealed/{COLLECTION}/{HOUR}/000001.json"
BLOB = f"{COLLECTION}/{HOUR}/{0:032x}000000.jsonl"


def numbered(number: int, producer: str = "p", **keys: Any) -> bytes:
    return line(number=number, producer=producer, producersequence=str(number), **keys)


def sealed_once(store: Path) -> Seal:
    (one,) = reader.open(store).seal(lateness=0)
    assert one.seal is not None
    return one.seal


def states(store: Path) -> list[tuple[str, int]]:
    return [(one.state, one.late_bytes) for one in reader.open(store).sealed()]


def test_a_seal_says_what_a_closed_hour_has(tmp_path: Path) -> None:
    lines = [numbered(0), numbered(1), numbered(7), numbered(1), line([{"a": 1}, {"a": 2}], number=9), b"foreign\n"]
    content = b"".join(lines)
    write(tmp_path, [*lines, b'{"torn'])
    seal = sealed_once(tmp_path)
    assert seal == Seal(
        root=COLLECTION,
        date=HOUR,
        number=1,
        reason="closed",
        sealed_at=seal.sealed_at,
        made_by=seal.made_by,
        lateness=0,
        blobs=(
            SealedBlob(
                name=BLOB,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                lines=6,
                torn=6,
                end=hashlib.sha256(content[-4096:]).hexdigest(),
            ),
        ),
        lines=6,
        events=4,
        rows=6,
        unreadable=1,
        first_ns=NOON_NS - 7_200_000_000_000,
        last_ns=NOON_NS - 7_200_000_000_000 + 9,
        producers=(
            ProducerNumbers(producer="", events=1),
            ProducerNumbers(producer="p", events=3, ranges=((0, 1), (7, 7))),
        ),
        audit=seal.audit,
    )
    assert audit_memory(StoreAccess(str(tmp_path)), seal) is not None
    assert abs(datetime.now(UTC) - datetime.fromisoformat(seal.sealed_at)).total_seconds() < 600
    assert seal.made_by.startswith("otel-modeldata ")
    stored = json.loads((tmp_path / SEAL).read_bytes())
    assert (stored["root"], stored["date"], stored["events"]) == (COLLECTION, HOUR, 4)
    assert states(tmp_path) == [("sealed", 0)]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    sealed_once(tmp_path)
    before = (tmp_path / SEAL).read_bytes()
    (again,) = reader.open(tmp_path).seal(lateness=0)
    assert (again.is_new, again.state) == (False, "sealed")
    assert again.seal is not None
    assert again.seal.audit is not None
    files = sorted(path.name for path in (tmp_path / "_sealed").rglob("*") if path.is_file())
    assert files == [again.seal.audit.name.rpartition("/")[2], "000001.json"]
    assert (tmp_path / SEAL).read_bytes() == before


def test_late_lines_reopen_an_hour_and_are_in_its_next_seal(tmp_path: Path) -> None:
    blob = write(tmp_path, [numbered(0)])
    sealed_once(tmp_path)
    late = numbered(1)
    with blob.open("ab") as file:
        file.write(late)
    other = write(tmp_path, [numbered(2)], replica=1)
    size = len(late) + other.stat().st_size
    assert states(tmp_path) == [("reopened", size)]
    seal = sealed_once(tmp_path)
    assert (seal.number, seal.reason, seal.late_lines, seal.late_bytes) == (2, "late", 2, size)
    assert (seal.events, seal.producers) == (3, (ProducerNumbers(producer="p", events=3, ranges=((0, 2),)),))
    assert states(tmp_path) == [("sealed", 0)]
    assert (tmp_path / SEAL).exists()


def test_a_torn_tail_that_its_writer_cuts_off_reopens_nothing(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), b'{"torn'])
    sealed_once(tmp_path)
    os.truncate(blob, blob.stat().st_size - 6)
    assert states(tmp_path) == [("sealed", 0)]


def test_lines_that_are_gone_or_others_make_a_seal_void(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), line(number=1)])
    sealed_once(tmp_path)
    os.truncate(blob, len(line()))
    assert states(tmp_path) == [("changed", 0)]
    reading = reader.open(tmp_path).read(COLLECTION, sealed=True)
    assert reading.to_arrow().num_rows == 0
    assert reading.report.seals == reader.SealCounts(changed=1)
    seal = sealed_once(tmp_path)
    assert (seal.number, seal.reason, seal.lines, seal.late_lines) == (2, "changed", 1, 0)
    content = blob.read_bytes()
    blob.write_bytes(content.replace(b"event-0", b"event-5") + line(number=6))
    seal = sealed_once(tmp_path)
    assert (seal.number, seal.reason, seal.lines, seal.late_lines) == (3, "changed", 2, 0)


def test_an_hour_that_may_still_get_lines_is_not_sealed(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=f"{datetime.now(UTC):%Y/%m/%d/%H}")
    write(tmp_path, [line()])
    store = reader.open(tmp_path)
    assert [(one.state, one.waits_for) for one in store.seal()] == [("closed", "written"), ("open", "")]
    blob = tmp_path / BLOB
    os.utime(blob, (blob.stat().st_mtime - 61,) * 2)
    parked = tmp_path / "_parked" / COLLECTION / HOUR / f"{1:032x}000000.jsonl"
    parked.parent.mkdir(parents=True)
    parked.write_bytes(line(number=1))
    assert [(one.state, one.waits_for) for one in store.seal()] == [("closed", "parked"), ("open", "")]
    size, digest = parked.stat().st_size, "0" * 64
    (parked.parent / f"{1:032x}000000-{size}-{digest}.delivered").write_bytes(b"delivered\n")
    assert [(one.state, one.is_new) for one in store.seal()] == [("sealed", True), ("open", False)]


def test_a_dry_run_and_a_list_write_nothing(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    store = reader.open(tmp_path)
    assert [one.state for one in store.seal(lateness=0, dry_run=True)] == ["closed"]
    assert [one.state for one in store.sealed(COLLECTION)] == ["closed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]


def test_only_folders_of_the_window_and_of_the_collection_are_sealed(tmp_path: Path) -> None:
    for hour in ("2026/11/22/10", "2026/11/22/11", "2026/11/22/12"):
        write(tmp_path, [line()], hour=hour)
    write(tmp_path, [line()], collection="shop/blue/model_outputs")
    found = reader.open(tmp_path).seal(COLLECTION, "2026-11-22T11", "2026-11-22T12", lateness=0)
    assert [(one.collection, one.date, one.is_new) for one in found] == [(COLLECTION, "2026/11/22/11", True)]
    with pytest.raises(reader.UnknownNameError, match="model_input'"):
        reader.open(tmp_path).seal("shop/blue/model_input")


@pytest.mark.parametrize("hour", ["2026/11/22/10/05", "2026/11/22", "2026/10", "2025"])
def test_folders_of_any_rolling_rate_are_sealed(tmp_path: Path, hour: str) -> None:
    write(tmp_path, [line()], hour=hour)
    assert sealed_once(tmp_path).name == (COLLECTION, hour, 1)


def test_the_folder_of_one_collection_alone_is_sealed(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    inside = tmp_path / COLLECTION
    assert sealed_once(inside).blobs[0].name == f"{HOUR}/{0:032x}000000.jsonl"
    assert (inside / "_sealed" / HOUR / "000001.json").exists()
    assert reader.open(inside).read("", sealed=True).to_arrow().num_rows == 1


def test_more_producers_and_ranges_than_a_seal_has_are_counted(tmp_path: Path) -> None:
    lines = [numbered(0, f"q{number}", id=f"q{number}") for number in range(MOST_PRODUCERS + 4)]
    lines += [numbered(2 * number) for number in range(MOST_RANGES + 5)]
    write(tmp_path, lines)
    seal = sealed_once(tmp_path)
    assert (len(seal.producers), seal.more_producers) == (MOST_PRODUCERS, 5)
    first = seal.producers[0]
    assert (first.producer, first.events, len(first.ranges), first.more_ranges) == ("p", 105, MOST_RANGES, 5)


def test_a_sealed_reading_has_exactly_the_sealed_lines(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(number=number) for number in range(5)])
    sealed_once(tmp_path)
    with blob.open("ab") as file:
        file.write(late := line(number=5))
    write(tmp_path, [line(number=6)], hour="2026/11/22/11")
    store = reader.open(tmp_path)
    reading = store.read(COLLECTION, columns=["age"], sealed=True)
    assert reading.to_arrow().to_pydict() == {"age": [0, 1, 2, 3, 4]}
    assert reading.report.seals == reader.SealCounts(unsealed=1, reopened=1, late_bytes=len(late))
    assert str(reading.report) == (
        f"5 rows of 5 lines in 1 blob; 1 folder without a seal; {len(late)} bytes in 1 folder came after the seal"
    )
    plan = store.read(COLLECTION, columns=["age"], sealed=True).plan()
    assert [row for batch in plan.batches() for row in batch.to_pydict()["age"]] == [0, 1, 2, 3, 4]
    assert plan.report.seals == reading.report.seals
    outside = store.read(COLLECTION, "2026-11-22T12", sealed=True)
    assert outside.report.seals == reader.SealCounts()
    assert store.read(COLLECTION).report.seals is None
    store.seal(lateness=0)
    assert store.read(COLLECTION, sealed=True).to_arrow().num_rows == 7


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), min_size=1, max_size=12))
def test_a_sealed_reading_never_changes_between_two_seals(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    store = tmp_path_factory.mktemp("store")
    written: list[int] = []
    sealed: list[int] = []
    access = reader.open(store)
    for number, (hour, replica, is_sealed) in enumerate(steps):
        path = store / COLLECTION / f"2026/11/22/1{hour}" / f"{replica:032x}000000.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line(number=number))
        written.append(number)
        if is_sealed:
            access.seal(lateness=0)
            sealed = list(written)
        reading = access.read(COLLECTION, columns=["age"], sealed=True)
        ages = [] if not sealed else reading.to_arrow()["age"].to_pylist()
        assert sorted(ages) == sealed
    access.close()


HOSTILE = {
    "no JSON": b"{",
    "another version": msgspec.json.encode({"version": 2}),
    "deep": b"[" * 100_000,
}


def forged(**keys: Any) -> bytes:
    seal = Seal(
        root=COLLECTION,
        date=HOUR,
        number=2,
        reason="late",
        sealed_at="",
        made_by="",
        lateness=0,
        blobs=(),
        lines=0,
        events=0,
        rows=0,
        unreadable=0,
        first_ns=None,
        last_ns=None,
        producers=(),
    )
    return msgspec.json.encode(msgspec.structs.replace(seal, **keys))


@pytest.mark.parametrize(
    "content",
    [
        *HOSTILE.values(),
        forged(date="2026/11/22/11"),
        forged(root="other/blue/model_inputs"),
        forged(number=3),
        forged(blobs=(SealedBlob(name="shop/blue/secret/2026/11/22/10/x.jsonl", size=1, sha256="", lines=1),)),
        forged(blobs=(SealedBlob(name=f"{COLLECTION}/{HOUR}/../x.jsonl", size=1, sha256="", lines=1),)),
        forged(blobs=(SealedBlob(name=BLOB, size=-1, sha256="", lines=1),)),
        forged(blobs=(SealedBlob(name=BLOB, size=1, sha256="", lines=1),) * 2),
        b" " * (9 << 20),
    ],
)
def test_a_damaged_or_forged_seal_counts_as_none(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, [line()])
    first = sealed_once(tmp_path)
    (tmp_path / SEAL.replace("000001", "000002")).write_bytes(content)
    store = StoreAccess(str(tmp_path))
    assert seals_in(store, store.walk("_sealed")) == {f"{COLLECTION}/{HOUR}": first}


class Remembered:
    """What an audit would remember: here the lines themselves."""

    def __init__(self, folder: DatedFolder, objects: Mapping[str, int]) -> None:
        self.seen = [f"{folder.name} {sorted(objects)}".encode()]

    def add(self, blob: str, before: int, content: bytes) -> None:
        self.seen.append(f"{blob} {before} ".encode() + content)

    def encoded(self) -> bytes:
        return b"|".join(self.seen)


def test_what_an_audit_remembers_is_beside_the_seal(tmp_path: Path) -> None:
    blob = write(tmp_path, [line()])
    access = StoreAccess(str(tmp_path))
    store = reader.open(tmp_path)
    collections = store._selected(None)
    (first,) = seal_collections(access, collections, Window(), lateness=0)
    assert first.seal is not None
    assert audit_memory(access, first.seal) is None
    (one,) = seal_collections(access, collections, Window(), lateness=0, observing=Remembered)
    assert one.seal is not None
    assert (one.seal.number, one.seal.reason) == (2, "audit")
    expected = f"{COLLECTION}/{HOUR} []|{BLOB} 0 ".encode() + line()
    assert audit_memory(access, one.seal) == expected
    with blob.open("ab") as file:
        file.write(line(number=1))
    collections = store._selected(None)
    (again,) = seal_collections(access, collections, Window(), lateness=0, observing=Remembered)
    assert again.seal is not None
    assert audit_memory(access, again.seal) == expected + line(number=1)
    assert again.seal.audit is not None
    files = sorted(path.name for path in (tmp_path / "_sealed").rglob("*") if path.is_file())
    memory = f"000003-{again.seal.audit.sha256[:16]}.audit"
    assert files == ["000001.json", "000002.json", memory, "000003.json"]
    (tmp_path / again.seal.audit.name).write_bytes(b"x" * again.seal.audit.size)
    assert audit_memory(access, again.seal) is None


def test_an_hour_in_azure_is_sealed(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    with azurite.open(container) as client:
        client.upload_blob(f"prod/{BLOB}", numbered(0), blob_type="AppendBlob")
        with reader.open(f"az://{container}/prod") as store:
            assert [one.waits_for for one in store.seal(lateness=60.0)] == ["written"]
            (one,) = store.seal(lateness=0)
            assert one.is_new
            client.get_blob_client(f"prod/{BLOB}").append_block(late := numbered(1))
            assert [(one.state, one.late_bytes) for one in store.sealed()] == [("reopened", len(late))]
            assert store.read(COLLECTION, sealed=True).to_arrow().num_rows == 1
            (two,) = store.seal(lateness=0)
            assert two.seal is not None
            assert replace(two, seal=None) == replace(one, seal=None)
            assert (two.seal.number, two.seal.late_lines) == (2, 1)
            assert store.read(COLLECTION, sealed=True).to_arrow().num_rows == 2
        assert two.seal.audit is not None
        assert list(client.list_blob_names(name_starts_with="prod/_sealed")) == [
            f"prod/{SEAL}",
            f"prod/{two.seal.audit.name}",
            f"prod/{SEAL.replace('000001', '000002')}",
        ]
