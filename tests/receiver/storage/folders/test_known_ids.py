"""The ids that are known: text or packed, their order, and the memory that folders share."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_store import MemoryStore, line, sink_on
from virtual_time import run

from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.folders.known_ids import (
    PACKED_BYTES,
    TEXT_BYTES,
    IdMemory,
    IdWindow,
    PackedIds,
    packed_keys,
)
from otel_modeldata_receiver.storage.sink import SinkLimits

UUIDS = st.uuids().map(str)
ALMOST = st.builds(
    lambda one, place, other: one[:place] + other + one[place + 1 :],
    UUIDS,
    st.integers(0, 35),
    st.sampled_from("0aAfg-Z \n٣"),
)
IDS = st.one_of(UUIDS, ALMOST, UUIDS.map(str.upper), st.text(max_size=40))


@given(ids=st.lists(IDS, unique=True))
def test_different_ids_have_different_packed_keys_and_the_same_one_in_every_company(ids: list[str]) -> None:
    keys = packed_keys(ids)
    assert len(set(keys)) == len(ids)
    assert {len(key) for key in keys} <= {16}
    assert [packed_keys([one]) for one in ids] == [[key] for key in keys]


@given(keys=st.lists(st.binary(min_size=16, max_size=16).map(lambda key: key[:2] * 8), unique=True, max_size=400))
def test_packed_ids_have_what_was_added_and_nothing_that_begins_inside_another_key(keys: list[bytes]) -> None:
    packed = PackedIds()
    half = len(keys) // 2
    packed.add(keys[:half])
    assert [key in packed for key in keys] == [True] * half + [False] * (len(keys) - half)
    packed.add(keys[half:])
    assert all(key in packed for key in keys)
    assert packed.count == len(keys)


@given(
    batches=st.lists(st.lists(st.integers(0, 500).map(str), unique=True, max_size=30)),
    room=st.integers(2, 40),
    packed=st.lists(st.integers(0, 20)),
)
def test_a_window_remembers_the_latest_ids_and_stays_bounded(
    batches: list[list[str]], room: int, packed: list[int]
) -> None:
    window = IdWindow()
    seen: list[str] = []
    for number, batch in enumerate(batches):
        new = [one for one in batch if one not in window]
        assert window.has_any(batch) is (len(new) < len(batch))
        window.add(new, room)
        seen.extend(new)
        if number < len(packed):
            window.pack(packed[number])
        assert window.known([*new, *seen[-room:]]) == {*new, *seen[-room:]}
        assert window.count <= room + room // 2 + 60
        texts = window.texts
        assert window.size == TEXT_BYTES * texts + PACKED_BYTES * (window.count - texts)


def test_long_ids_are_packed_at_once() -> None:
    window = IdWindow()
    window.add(["x" * 128], 10)
    assert (window.texts, window.count, window.size) == (0, 1, PACKED_BYTES)
    assert "x" * 128 in window


def test_when_the_memory_is_full_the_ids_of_the_folder_that_was_unused_longest_are_packed_first() -> None:
    memory = IdMemory(SinkLimits(known_ids_bytes=600 * TEXT_BYTES), lambda: False)
    first, second = memory.window(), memory.window()
    memory.add(first, [f"first-{number}" for number in range(300)])
    memory.add(second, [f"second-{number}" for number in range(300)])
    assert (first.texts, second.texts) == (300, 300)
    memory.add(second, [f"third-{number}" for number in range(100)])
    assert first.texts < 200
    assert second.texts == 400
    assert memory.size <= 600 * TEXT_BYTES
    assert first.known([f"first-{number}" for number in range(300)]) == {f"first-{number}" for number in range(300)}


def test_if_packing_is_not_enough_idle_folders_are_closed_and_then_busy_ones_get_their_share() -> None:
    limits = SinkLimits(known_ids_bytes=1000 * PACKED_BYTES, folder_ids=5000, least_ids=100)
    windows: list[IdWindow] = []

    def close_idle() -> bool:
        if windows:
            memory.forget(windows.pop())
            return True
        return False

    memory = IdMemory(limits, close_idle)
    windows.append(memory.window())
    memory.add(windows[0], [f"idle-{number}" for number in range(900)])
    busy = [memory.window() for _ in range(4)]
    for number in range(20_000):
        memory.add(busy[number % 4], [str(number)])
    assert windows == []
    assert memory.size <= 1600 * PACKED_BYTES
    for number, window in enumerate(busy):
        latest = [str(one) for one in range(20_000 - 1000 + number, 20_000, 4)][-200:]
        assert window.known(latest) == set(latest)


@pytest.mark.parametrize(
    ("folders", "ids", "memory"),
    [(1, 3000, 1 << 30), (16, 400, 1 << 30), (64, 120, 64_000 * 8), (64, 120, 64 * 120 * PACKED_BYTES)],
)
def test_events_that_are_sent_again_are_duplicates_however_many_folders_are_open(
    folders: int, ids: int, memory: int
) -> None:
    store = MemoryStore()
    limits = SinkLimits(known_ids_bytes=memory, folder_ids=3000)

    async def main() -> tuple[int, int]:
        sink = sink_on(store, limits=limits)
        stored = []
        for _ in range(2):
            count = 0
            for folder in range(folders):
                events = [line(f"{folder}-{number}") for number in range(ids)]
                count += (await sink.append(f"endpoint/blue/{folder}", events)).stored
            stored.append(count)
        assert sink._context.memory.size <= memory
        return stored[0], stored[1]

    assert run(main()) == (folders * ids, 0)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("folders", "ids"), [(64, 16_000), (256, 4608), (4096, 250)])
def test_a_million_events_that_are_sent_again_are_duplicates(folders: int, ids: int) -> None:
    store = MemoryStore()

    async def main() -> int:
        sink = sink_on(store)
        for _ in range(2):
            stored = 0
            for folder in range(folders):
                keys = [str(uuid.UUID(int=(folder << 64) + number + 1)) for number in range(ids)]
                events = [Line(key, b'{"id":"%b"}\n' % key.encode()) for key in keys]
                for start in range(0, ids, 512):
                    part = events[start : start + 512]
                    stored += (await sink.append(f"endpoint{folder % 8}/blue/{folder}", part)).stored
        assert len(sink._folders.names) == folders
        return stored

    assert run(main()) == 0
