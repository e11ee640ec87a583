"""Lines that vanish behind an acknowledgment: they are noticed, and events that come again are stored again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import FIRST, FOLDER, SECOND, MemoryStore, line, lines, sink_on
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from virtual_time import run

from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.sink import Appended, SinkLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import BlobState

KEYS = tuple(str(number) for number in range(20))


def cut(store: MemoryStore) -> None:
    """The store is restored from a copy that has the first ten lines."""
    content = b"".join(one.data for one in lines(*KEYS[:10]))
    store.contents[FIRST], store.blocks[FIRST] = content, [content]


def delete(store: MemoryStore) -> None:
    del store.contents[FIRST]
    del store.blocks[FIRST]


def replace(store: MemoryStore) -> None:
    """The blob has other lines of the same size."""
    other = b"".join(one.data for one in lines(*(key.replace("0", "x").replace("1", "y") for key in KEYS)))
    store.contents[FIRST], store.blocks[FIRST] = other, [other]


def replace_by_longer(store: MemoryStore) -> None:
    replace(store)
    store.contents[FIRST] += line("another", padding=200).data


def remaining(store: MemoryStore) -> set[str]:
    return set(store.stored()) & set(KEYS)


@pytest.mark.parametrize("damage", [cut, delete, replace, replace_by_longer])
@pytest.mark.parametrize("first", ["new", "same"])
@pytest.mark.parametrize("memory", [1 << 30, 0], ids=["text", "packed"])
@pytest.mark.parametrize("idle", [0.0, 10.0, 100.0], ids=["busy", "idle", "closed"])
def test_vanished_lines_are_stored_again_and_the_others_are_duplicates(
    damage: Callable[[MemoryStore], None], first: str, memory: int, idle: float
) -> None:
    store = MemoryStore()
    limits = SinkLimits(known_ids_bytes=memory, idle_seconds=50.0)

    async def main() -> tuple[int, int]:
        sink = sink_on(store, limits=limits)
        for key in KEYS:
            await sink.append(FOLDER, lines(key))
        await asyncio.sleep(idle)
        await sink.append("endpoint/other", lines("other"))
        damage(store)
        left = len(remaining(store))
        if first == "new":
            await sink.append(FOLDER, lines("new"))
        appended = await sink.append(FOLDER, lines(*KEYS))
        assert appended == Appended(stored=len(KEYS) - left, duplicates=left)
        assert await sink.append(FOLDER, lines(*KEYS)) == Appended(stored=0, duplicates=len(KEYS))
        return left, len([key for key in store.stored() if key in KEYS])

    left, stored = run(main())
    assert stored == len(KEYS)
    assert set(store.stored()) >= set(KEYS)
    (note,) = [json.loads(content) for name, content in store.objects.items() if name.startswith("_vanished/")]
    assert note["blob"] == FIRST
    assert note["expected"] > 0
    assert note["lines"] in {0, len(KEYS) - left}


@pytest.mark.parametrize("looked", range(1, 6), ids="{} requests answered".format)
@pytest.mark.parametrize("damage", [cut, delete])
def test_a_loss_is_noted_although_its_folder_is_closed_after_an_error(
    damage: Callable[[MemoryStore], None], looked: int
) -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(idle_seconds=50.0, retry_seconds=0.0))
        await sink.append(FOLDER, lines(*KEYS))
        damage(store)
        store.fates = iter([*["ok"] * looked, "refused"])
        with contextlib.suppress(StoreError):
            await sink.append(FOLDER, lines(*KEYS))
        await asyncio.sleep(100.0)
        store.fates = iter(())
        await sink.append("endpoint/other", lines("other"))
        await sink.append(FOLDER, lines(*KEYS))
        assert sorted(store.stored()) == sorted(KEYS)

    run(main())
    (note,) = [json.loads(content) for name, content in store.objects.items() if name.startswith("_vanished/")]
    assert note["blob"] == FIRST


def test_a_loss_is_one_line_in_the_log_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])

    async def main() -> None:
        sink = sink_on(store, instruments=telemetry.instruments(provider.get_meter("test")))
        await sink.append(FOLDER, lines(*KEYS))
        cut(store)
        await sink.append(FOLDER, lines(*KEYS))

    run(main())
    size = sum(len(one.data) for one in lines(*KEYS))
    left = sum(len(one.data) for one in lines(*KEYS[:10]))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"acknowledged lines have vanished from {FIRST}: it had {size} bytes, and now has {left}, and 10 known lines "
        "are gone; lines sent again are stored again. Was the store restored from an older copy?"
    )
    data = reader.get_metrics_data()
    assert data is not None
    counted = {
        metric.name: getattr(point, "value", 0)
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if "vanished" in metric.name
    }
    assert counted == {"otel_modeldata.vanished.lines": 10, "otel_modeldata.vanished.bytes": size - left}
    assert [json.loads(content) | {"time": ""} for content in store.objects.values()] == [
        {"time": "", "blob": FIRST, "expected": size, "found": left, "lines": 10}
    ]
    provider.shutdown()


def test_lines_that_vanish_from_an_earlier_blob_are_noticed_and_the_present_one_is_continued() -> None:
    store = MemoryStore()

    async def main() -> Appended:
        sink = sink_on(store, limits=SinkLimits(max_blocks=2))
        for key in ("1", "2", "3"):
            await sink.append(FOLDER, lines(key))
        del store.contents[FIRST]
        return await sink.append(FOLDER, lines("1", "2", "3"))

    assert run(main()) == Appended(stored=2, duplicates=1)
    assert store.contents == {SECOND: b"".join(one.data for one in lines("3", "1", "2"))}


def test_a_loss_is_reported_although_the_store_fails_meanwhile() -> None:
    store = MemoryStore()

    async def main() -> Appended:
        sink = sink_on(store)
        await sink.append(FOLDER, lines("1", "2"))
        delete(store)
        store.fates = iter(["refused", "ok", "refused", "ok", "lost", "ok", "refused"])
        return await sink.append(FOLDER, lines("1", "2"))

    assert run(main()) == Appended(stored=2, duplicates=0)
    assert len(store.objects) == 1


def test_delivered_blobs_of_parked_lines_may_be_removed() -> None:
    store = MemoryStore()

    async def main() -> Appended:
        sink = sink_on(store)
        folder = f"_parked/{FOLDER}"
        await sink.append(folder, lines("1"))
        await sink.parked_blobs(FOLDER).retire(f"_parked/{FIRST}")
        sink.parked_blobs(FOLDER).delivered(f"_parked/{FIRST}", len(store.contents[f"_parked/{FIRST}"]))
        store.contents.clear()
        return await sink.append(folder, lines("1"))

    assert run(main()) == Appended(stored=1, duplicates=0)
    assert store.objects == {}


class SlowToAnswer(MemoryStore):
    """An append is applied at once, and answered a second later."""

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        applied = await super().append(name, state, block)
        await asyncio.sleep(1.0)
        return applied


@pytest.mark.parametrize("delivered", ["nothing", "the line before", "all lines"])
@pytest.mark.parametrize("answered", ["before the delivery", "after it"])
def test_a_line_that_is_parked_while_its_blob_is_retired_is_missed_until_it_is_delivered(
    delivered: str, answered: str
) -> None:
    store = SlowToAnswer()
    folder, name = f"_parked/{FOLDER}", f"_parked/{FIRST}"
    sizes = {"nothing": 0, "the line before": len(line("1").data), "all lines": len(line("1").data + line("2").data)}

    async def main() -> None:
        sink = sink_on(store)
        if delivered != "nothing":
            await sink.append(folder, lines("1"))
        parked = asyncio.ensure_future(sink.append(folder, lines("2")))
        await asyncio.sleep(0.5)
        blobs = sink.parked_blobs(FOLDER)
        await blobs.retire(name)
        if answered == "before the delivery":
            await parked
        blobs.delivered(name, sizes[delivered])
        assert await parked == Appended(stored=1, duplicates=0)
        del store.contents[name]
        for mark in blobs.marks:
            await blobs.retire(mark.name)

    run(main())
    noted = [json.loads(content)["blob"] for content in store.objects.values()]
    assert noted == ([] if delivered == "all lines" else [name])


@pytest.mark.parametrize("damage", [cut, delete])
def test_a_blob_that_lost_lines_is_never_written_to_again(damage: Callable[[MemoryStore], None]) -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store, limits=SinkLimits(idle_seconds=50.0, retry_seconds=0.0))
        await sink.append(FOLDER, lines(*KEYS))
        damage(store)
        before = store.contents.get(FIRST, b"")
        for refused in range(12):  # each time one request later
            store.fates = iter([*["ok"] * refused, "refused"])
            with contextlib.suppress(StoreError):
                await sink.append(FOLDER, lines(*KEYS))
            await asyncio.sleep(100.0)
            await sink.append("endpoint/other", lines(f"other {refused}"))
            store.fates = iter(())
            assert store.contents.get(FIRST, b"") == before
        await sink.append(FOLDER, lines(*KEYS))
        assert store.contents.get(FIRST, b"") == before
        assert sorted(store.stored()) == sorted(KEYS)

    run(main())


def test_an_object_that_vanished_is_stored_again() -> None:
    store = MemoryStore()

    async def main() -> None:
        sink = sink_on(store)
        for _ in range(2):
            await sink.put(f"{FOLDER}/files/1", b"png", "image/png")
        assert store.count("put") == 1
        store.objects.clear()
        await sink.put(f"{FOLDER}/files/1", b"png", "image/png")

    run(main())
    assert store.objects == {f"{FOLDER}/files/1": b"png"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.integers(0, 30).map(str), min_size=1, max_size=8, unique=True)),
        st.tuples(st.just("copy"), st.just([])),
        st.tuples(st.just("restore"), st.just([])),
        st.tuples(st.just("restart"), st.just([])),
    ),
    max_size=30,
)


@settings(max_examples=400)
@given(
    steps=STEPS,
    max_blocks=st.integers(1, 4),
    open_folders=st.integers(1, 3),
    memory=st.sampled_from([0, 1 << 30]),
    fates=st.lists(st.sampled_from(["ok", "ok", "refused", "lost", "late", "land"]), max_size=60),
)
def test_in_every_history_of_copies_and_restores_what_is_sent_is_there_once(
    steps: list[tuple[str, list[str]]], max_blocks: int, open_folders: int, memory: int, fates: list[str]
) -> None:
    store = MemoryStore(fates)
    limits = SinkLimits(max_blocks=max_blocks, open_folders=open_folders, known_ids_bytes=memory, retry_seconds=0.0)
    folders = [FOLDER, "endpoint/green/model_inputs/2026/11/22/13"]

    async def main() -> None:
        sink = sink_on(store, limits=limits)
        copy: tuple[dict[str, bytes], dict[str, list[bytes]]] = ({}, {})
        for number, (step, keys) in enumerate(steps):
            if step == "send":
                folder = folders[number % 2]
                while True:
                    try:
                        await sink.append(folder, lines(*keys))
                        break
                    except StoreError:
                        continue
                assert set(keys) <= set(store.stored(folder))
                assert len(store.stored(folder)) == len(set(store.stored(folder)))
            elif step == "copy":
                copy = (dict(store.contents), {name: list(blocks) for name, blocks in store.blocks.items()})
            elif step == "restore":
                store.late.clear()  # a copy is made, and restored, when no request is under way
                store.contents, store.blocks = dict(copy[0]), {name: list(blocks) for name, blocks in copy[1].items()}
            else:
                await sink.close()
                sink = sink_on(store, limits=limits)
        store.land()
        for folder in folders:
            assert len(store.stored(folder)) == len(set(store.stored(folder)))

    run(main())


@pytest.mark.anyio
async def test_a_local_folder_that_is_restored_from_a_copy_takes_the_vanished_events_again(tmp_path: Path) -> None:
    root = tmp_path / "store"
    sink = sink_on(LocalStore(root))  # type: ignore[arg-type]
    await sink.append(FOLDER, lines(*range(2000)))
    shutil.copytree(root, tmp_path / "copy")
    await sink.append(FOLDER, lines(*range(2000, 3300)))
    shutil.rmtree(root)
    shutil.copytree(tmp_path / "copy", root)
    assert await sink.append(FOLDER, lines(*range(3300))) == Appended(stored=1300, duplicates=2000)
    assert await sink.append(FOLDER, lines(*range(3300))) == Appended(stored=0, duplicates=3300)
    blobs = [blob.read_bytes() for blob in root.glob(f"{FOLDER}/*.jsonl")]
    stored = [json.loads(text)["id"] for blob in blobs for text in blob.splitlines()]
    assert sorted(stored, key=int) == [str(number) for number in range(3300)]
    (note,) = [json.loads(file.read_bytes()) for file in root.glob("_vanished/*.json")]
    assert note["lines"] == 1300
    await sink.close()


@pytest.mark.anyio
async def test_blobs_in_azure_storage_that_are_deleted_or_shorter_take_the_vanished_events_again(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azurite.new_container()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    store = open_store(f"az://{container}")
    sink = sink_on(store)  # type: ignore[arg-type]
    await sink.append(FOLDER, lines(*range(200)))
    await sink.append(FOLDER, lines(*range(200, 330)))
    with azurite.open(container) as client:
        blob = client.get_blob_client(FIRST)
        content = b"".join(one.data for one in lines(*range(200)))
        blob.delete_blob()
        blob.create_append_blob()
        blob.append_block(content)
        assert await sink.append(FOLDER, lines(*range(330))) == Appended(stored=130, duplicates=200)
        assert await sink.append(FOLDER, lines(*range(330))) == Appended(stored=0, duplicates=330)
        client.get_blob_client(SECOND).delete_blob()
        assert await sink.append(FOLDER, lines(*range(330))) == Appended(stored=130, duplicates=200)
        assert len(list(client.list_blobs(name_starts_with="_vanished/"))) == 2
    await sink.close()
