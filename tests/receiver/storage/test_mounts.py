"""Several stores behind the interface of one."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (a fixture's type)

import pytest
from memory_store import INSTANCE, MemoryStore, line, sink_on

from otel_modeldata_receiver.exceptions import DatastoreCheckError, DatastoreError, StoreCheckError, StoreError
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.mounts import MountedStores, mounted_path
from otel_modeldata_receiver.storage.store import FencedError

pytestmark = pytest.mark.anyio

DATED = "2026/11/22/13"


async def test_a_sink_writes_through_to_the_store_that_a_folder_names(tmp_path: Path) -> None:
    default, lake = LocalStore(tmp_path / "default"), LocalStore(tmp_path / "lake")
    store = MountedStores(default)
    store.mount("lake", lake)
    sink = sink_on(store)  # type: ignore[arg-type]
    await sink.append(f"e/d/c/{DATED}", [line(1)])
    for key in (2, 3):
        await sink.append(f"{mounted_path('lake', 'my/data')}/{DATED}", [line(key)])
    url = await sink.put(mounted_path("lake", "my/data/MLTable"), b"x", "text/plain")
    await sink.close()
    name = f"{DATED}/{INSTANCE}000000.jsonl"
    assert (tmp_path / "default/e/d/c" / name).read_bytes() == line(1).data
    assert (tmp_path / "lake/my/data" / name).read_bytes() == line(2).data + line(3).data
    assert url == str(tmp_path / "lake/my/data/MLTable")
    assert not (tmp_path / "default/_at").exists()


async def test_a_restarted_receiver_continues_its_blob(tmp_path: Path) -> None:
    folder = f"{mounted_path('lake', 'p')}/{DATED}"
    for keys in ([1, 2], [2, 3]):  # a retry after a restart repeats a line
        store = MountedStores(LocalStore(tmp_path / "default"))
        store.mount("lake", LocalStore(tmp_path / "lake"))
        sink = sink_on(store)  # type: ignore[arg-type]
        await sink.append(folder, [line(key) for key in keys])
        await sink.close()
    blob = tmp_path / "lake/p" / DATED / f"{INSTANCE}000000.jsonl"
    assert blob.read_bytes() == b"".join(line(key).data for key in (1, 2, 3))


async def test_names_are_returned_as_they_were_given(tmp_path: Path) -> None:
    store = MountedStores(LocalStore(tmp_path / "default"))
    store.mount("lake", LocalStore(tmp_path / "lake"))
    name = mounted_path("lake", "p/a.jsonl")
    state = await store.create(name)
    assert state is not None
    await store.append(name, state, b"{}\n")
    assert list(await store.blobs(mounted_path("lake", "p/a"))) == [name]
    assert await store.read(name, 0, 3) == b"{}\n"
    assert await store.state(name) is not None
    await store.check()
    assert list(await store.walk("")) == []
    await store.close()


async def test_the_error_of_a_mounted_store_names_it_and_keeps_its_kind() -> None:
    store = MountedStores(MemoryStore(["ok"]))
    store.mount("lake", MemoryStore(["refused"]))
    with pytest.raises(DatastoreError, match=r"^datastore 'lake': planned$") as caught:
        await store.state(mounted_path("lake", "x.jsonl"))
    assert not isinstance(caught.value, StoreCheckError)
    missing = MemoryStore()
    missing.create = _forbidden  # type: ignore[method-assign]
    store.mount("forbidden", missing)
    with pytest.raises(DatastoreCheckError, match=r"^datastore 'forbidden': 403$") as caught:
        await store.create(mounted_path("forbidden", "x.jsonl"))
    assert isinstance(caught.value, StoreCheckError)


async def test_a_check_is_about_the_default_store() -> None:
    """The lines of a mounted store that fails are parked, so it keeps no receiver from starting."""
    store = MountedStores(MemoryStore())
    store.mount("lake", MemoryStore(["refused"]))
    await store.check()


async def test_what_is_in_a_mounted_store_is_removed_there(tmp_path: Path) -> None:
    store = MountedStores(LocalStore(tmp_path / "default"))
    store.mount("lake", LocalStore(tmp_path / "lake"))
    name = mounted_path("lake", "p/x.txt")
    url = await store.put(name, b"x", "text/plain")
    assert store.url(name) == url == str(tmp_path / "lake/p/x.txt")
    with pytest.raises(FencedError):
        await store.remove(name, 2)
    await store.remove(name, 1)
    await store.remove(name, 1)
    assert list((tmp_path / "lake").iterdir()) == []
    await store.close()


async def test_the_error_of_the_default_store_names_no_datastore() -> None:
    with pytest.raises(StoreError, match=r"^planned$") as caught:
        await MountedStores(MemoryStore(["refused"])).check()
    assert not isinstance(caught.value, DatastoreError)


async def test_every_store_is_closed() -> None:
    default, lake = MemoryStore(), MemoryStore()
    store = MountedStores(default)
    store.mount("lake", lake)
    await store.close()
    assert (default.closed, lake.closed) == (True, True)


@pytest.mark.parametrize("mount", ["a/b", "..", "", "lake"])
async def test_a_mount_is_one_new_segment(mount: str) -> None:
    store = MountedStores(MemoryStore())
    store.mount("lake", MemoryStore())
    with pytest.raises(ValueError, match=r"expected a "):
        store.mount(mount, MemoryStore())


async def test_a_folder_outside_every_mount_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a name below one of \[\]"):
        await MountedStores(MemoryStore()).create(mounted_path("lake", "x"))


async def _forbidden(_name: str) -> None:
    raise StoreCheckError("403")
