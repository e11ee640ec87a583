"""One writer's blobs in a folder: unknown outcomes, fences, rolls and restarts, each in a minimal example."""

from __future__ import annotations

import re

import pytest
from memory_store import (
    FIRST,
    FOLDER,
    HASTY,
    INSTANCE,
    SECOND,
    THIRD,
    MemoryStore,
    line,
    lines,
    refused,
    sink_on,
)
from virtual_time import run

from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement
from otel_modeldata_receiver.storage.sink import Appended, SinkLimits
from otel_modeldata_receiver.storage.store import BlobState, FencedError

# --- Doubt ---


@pytest.mark.parametrize("fate", ["lost", "late"])
def test_a_block_that_was_applied_after_the_sink_gave_up_is_found(fate: str) -> None:
    store = MemoryStore(["ok", "ok", "ok", fate])

    async def main() -> Appended:
        sink = sink_on(store, limits=HASTY)
        await sink.append(FOLDER, lines(0))
        await refused(sink, 1, 2)
        store.land()
        return await sink.append(FOLDER, lines(1, 2, 3))

    assert run(main()) == Appended(stored=1, duplicates=2)
    assert {name: len(blocks) for name, blocks in store.blocks.items()} == {FIRST: 3}
    assert store.stored() == ["0", "1", "2", "3"]


def test_a_block_that_is_applied_just_before_its_retry_is_found_in_the_fenced_blob() -> None:
    """Requests: list, create, append 0; append 1 late; read again, append 1 and 2 after the late one."""
    store = MemoryStore(["ok", "ok", "ok", "late", "ok", "land"])

    async def main() -> Appended:
        sink = sink_on(store, limits=HASTY)
        await sink.append(FOLDER, lines(0))
        await refused(sink, 1)
        return await sink.append(FOLDER, lines(2, 1))

    assert run(main()) == Appended(stored=1, duplicates=1)
    assert {name: b"".join(blocks) for name, blocks in store.blocks.items()} == {
        FIRST: line(0).data + line(1).data,
        SECOND: line(2).data,
    }


def test_a_full_blob_is_not_left_while_a_block_may_still_be_applied_to_it() -> None:
    """The retry is larger than the late block and does not fit: it is appended nevertheless, so the late block cannot
    be applied."""
    store = MemoryStore(["ok", "ok", "ok", "late"])
    size = len(line(0).data)

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(retry_seconds=0.0, max_bytes=2 * size))
        await sink.append(FOLDER, lines(0))
        await refused(sink, 1)
        await sink.append(FOLDER, lines(1, 2))
        store.land()
        await sink.append(FOLDER, lines(3))

    run(main())
    assert store.contents == {FIRST: b"".join(line(key).data for key in range(3)), SECOND: line(3).data}


def test_a_late_block_of_a_killed_process_and_the_clients_retry_are_stored_once() -> None:
    store = MemoryStore()

    async def main() -> Appended:
        first = sink_on(store, limits=SinkLimits(max_blocks=1))
        await first.append(FOLDER, lines(0))
        store.late.append((FIRST, len(store.contents[FIRST]), line(1).data))
        second = sink_on(store, limits=SinkLimits(max_blocks=1))
        appended = await second.append(FOLDER, lines(1))
        store.land()
        return appended

    assert run(main()) == Appended(stored=1, duplicates=0)
    assert store.stored() == ["0", "1"]


def test_a_restarted_sink_remembers_the_ids_of_the_previous_blob() -> None:
    """Killed between the append that filled a blob and the answer: the newest blob is empty."""
    store = MemoryStore()

    async def main() -> Appended:
        await sink_on(store).append(FOLDER, lines(1, 2))
        await store.create(SECOND)
        return await sink_on(store).append(FOLDER, lines(2, 3))

    assert run(main()) == Appended(stored=1, duplicates=1)
    assert (store.contents[FIRST], store.contents[SECOND]) == (line(1).data + line(2).data, line(3).data)


def test_only_the_tail_is_read_and_half_a_line_has_no_id() -> None:
    store = MemoryStore()
    many = [line(number, padding=100) for number in range(100)]
    limits = SinkLimits(tail_bytes=10 * len(many[50].data) + 7)

    async def main() -> list[Appended]:
        await sink_on(store).append(FOLDER, many)
        return [await sink_on(store, limits=limits).append(FOLDER, [many[number]]) for number in (90, 89)]

    assert run(main()) == [Appended(0, 1), Appended(1, 0)]


def test_the_end_of_a_line_that_is_cut_is_never_taken_for_a_line() -> None:
    store = MemoryStore()
    store.contents[FIRST] = b"not ours " + line(1).data + line(2).data
    store.blocks[FIRST] = [store.contents[FIRST]]
    limits = SinkLimits(tail_bytes=len(line(1).data + line(2).data))
    assert run(sink_on(store, limits=limits).append(FOLDER, lines(1, 2))) == Appended(stored=1, duplicates=1)


def test_lines_that_cannot_be_read_have_no_ids() -> None:
    store = MemoryStore()
    store.contents[FIRST] = b'not JSON\n{"id":7}\n\xff\n[]\n\n' + line("1").data
    store.blocks[FIRST] = [store.contents[FIRST]]
    assert run(sink_on(store).append(FOLDER, lines(1, 7))) == Appended(stored=1, duplicates=1)
    assert list(store.contents) == [FIRST]


def test_a_blob_that_ends_within_a_line_is_left() -> None:
    store = MemoryStore()
    store.contents[FIRST] = line(1).data + b'{"id":'
    store.blocks[FIRST] = [store.contents[FIRST]]
    assert run(sink_on(store).append(FOLDER, lines(1, 2))) == Appended(stored=1, duplicates=1)
    assert store.contents[SECOND] == line(2).data


def test_blobs_of_other_instances_and_other_names_are_not_touched() -> None:
    store = MemoryStore()
    others = [f"{FOLDER}/{INSTANCE}.jsonl", f"{FOLDER}/{INSTANCE}00000x.jsonl", f"{FOLDER}/{'f' * 32}000007.jsonl"]
    for name in others:
        store.contents[name], store.blocks[name] = line("other").data, []
    run(sink_on(store).append(FOLDER, lines(1)))
    assert store.contents[FIRST] == line(1).data
    assert [store.contents[name] for name in others] == [line("other").data] * 3


# --- Rolling ---


def test_a_blob_is_left_at_its_limit_of_blocks() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(max_blocks=2))
        for number in range(5):
            await sink.append(FOLDER, lines(number))

    run(main())
    assert [len(store.blocks[name]) for name in (FIRST, SECOND, THIRD)] == [2, 2, 1]
    assert store.stored() == [str(number) for number in range(5)]


def test_a_blob_is_left_before_it_exceeds_its_size() -> None:
    store = MemoryStore()
    size = len(line(0).data)

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(max_bytes=2 * size))
        for number in range(5):
            await sink.append(FOLDER, lines(number))
        await sink.append(FOLDER, [line("large", padding=10 * size)])

    run(main())
    assert [len(store.contents[name]) // size for name in (FIRST, SECOND, THIRD)] == [2, 2, 1]


def test_ordinals_that_are_taken_are_skipped() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(max_blocks=1))
        await sink.append(FOLDER, lines(1))
        store.contents[SECOND], store.blocks[SECOND] = line("other").data, []
        await sink.append(FOLDER, lines(2))

    run(main())
    assert (store.contents[SECOND], store.contents[THIRD]) == (line("other").data, line(2).data)


def test_after_a_fence_the_lines_of_both_writers_are_complete(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(["ok", "ok", "ok", "intruder"])

    async def main() -> list[Appended]:
        sink = sink_on(store)
        return [await sink.append(FOLDER, lines(*keys)) for keys in ((1,), (2,), (3, "intruder-0"))]

    assert run(main()) == [Appended(1, 0), Appended(1, 0), Appended(1, 1)]
    assert store.stored() == ["1", "intruder-0", "2", "3"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{FIRST} takes no more blocks from this receiver, which continues in the next blob"
    ]


class AlwaysFenced(MemoryStore):
    """Fences every append."""

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        raise FencedError


def test_a_store_that_always_fences_is_not_filled_with_blobs() -> None:
    store = AlwaysFenced()
    error = run(refused(sink_on(store), 1))
    assert re.match(r"expected one of 9 new blobs '.*' to take a block, got none: give each receiver", str(error))
    assert len(store.contents) == 9


def test_a_writer_may_be_fenced_many_times_if_it_stores_blocks_between() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store)
        for number in range(20):
            await sink.append(FOLDER, lines(number))
            store.intrude(max(store.contents))

    run(main())
    assert [key for key in store.stored() if not key.startswith("intruder")] == [str(number) for number in range(20)]


def test_a_deleted_blob_is_replaced_by_the_next() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store)
        await sink.append(FOLDER, lines(1))
        del store.contents[FIRST]
        await sink.append(FOLDER, lines(2))

    run(main())
    assert store.contents == {SECOND: line(2).data}


@pytest.mark.parametrize("fates", [(), ("refused",)], ids=["at once", "after an error"])
def test_a_blob_never_gets_the_name_of_one_that_was_removed(fates: tuple[str, ...]) -> None:
    store = MemoryStore()
    store.note_fates = iter(fates)
    for name in (FIRST, SECOND):
        note = Replacement(blob=name, size=100)
        store.objects[note.note_name] = note.note
    sink = sink_on(store)
    assert run(sink.append(FOLDER, lines(1, 2))) == Appended(stored=2, duplicates=0)
    assert sorted(store.contents) == [THIRD]


def test_the_folder_of_the_present_hour_costs_no_look_for_removed_blobs() -> None:
    store = MemoryStore()
    later = FOLDER.replace("2026", "9026")
    run(sink_on(store).append(later, lines(1)))
    assert store.count("walk") == 0
    run(sink_on(store).append(FOLDER, lines(1)))
    assert store.count("walk") == 1
