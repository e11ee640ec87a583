"""The interface of a store, with a real Azurite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure_blobs import FIRST, FOLDER, INSTANCE, SECOND
from fault_proxy import Fault, FaultProxy, always

from otel_modeldata_receiver.exceptions import StoreCheckError
from otel_modeldata_receiver.storage.azure_account import CONNECTION_STRING_VARIABLE
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.store import BlobState, FencedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import Store

    OpenStore = Callable[..., AbstractAsyncContextManager[Store]]

pytestmark = pytest.mark.anyio


async def test_blocks_follow_each_other_at_their_positions(opened: OpenStore) -> None:
    async with opened() as store:
        empty = await store.create(FIRST)
        assert empty == BlobState(size=0, blocks=0)
        one = await store.append(FIRST, empty, b"one\n")
        two = await store.append(FIRST, one, b"two\n")
        assert (one, two) == (BlobState(size=4, blocks=1), BlobState(size=8, blocks=2))
        assert await store.state(FIRST) == two
        assert await store.read(FIRST, 2, 8) == b"e\ntwo\n"
        assert await store.read(FIRST, 8, 8) == b""


async def test_a_name_of_a_blob_with_data_is_taken_and_the_data_is_kept(opened: OpenStore) -> None:
    async with opened() as store:
        state = await store.create(FIRST)
        assert state is not None
        assert await store.create(FIRST) == state
        await store.append(FIRST, state, b"one\n")
        assert await store.create(FIRST) is None
        assert await store.read(FIRST, 0, 4) == b"one\n"


async def test_the_second_of_two_writers_at_one_position_is_fenced(opened: OpenStore) -> None:
    async with opened() as store:
        empty = await store.create(FIRST)
        assert empty is not None
        await store.append(FIRST, empty, b"one\n")
        with pytest.raises(FencedError):
            await store.append(FIRST, empty, b"another\n")
        with pytest.raises(FencedError):
            await store.append(FIRST, empty, b"two\n")
        assert await store.read(FIRST, 0, 4) == b"one\n"


async def test_the_same_block_at_the_same_position_is_stored_once(opened: OpenStore) -> None:
    async with opened() as store:
        empty = await store.create(FIRST)
        assert empty is not None
        assert await store.append(FIRST, empty, b"one\n") == await store.append(FIRST, empty, b"one\n")
        assert await store.state(FIRST) == BlobState(size=4, blocks=1)


async def test_a_blob_that_is_deleted_or_of_another_kind_or_sealed_is_left(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        assert await store.state(FIRST) is None
        with pytest.raises(FencedError):
            await store.append(FIRST, BlobState(size=0, blocks=0), b"one\n")
        with azurite.open(container) as client:
            client.upload_blob(f"data/{FIRST}", b"")
            client.get_blob_client(f"data/{SECOND}").create_append_blob()
            client.get_blob_client(f"data/{SECOND}").seal_append_blob()
        for name in (FIRST, SECOND):
            with pytest.raises(FencedError):
                await store.append(name, BlobState(size=0, blocks=0), b"one\n")


async def test_a_blob_that_was_replaced_by_a_smaller_one_is_left(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        with azurite.open(container) as client:
            client.get_blob_client(f"data/{FIRST}").create_append_blob()
        with pytest.raises(FencedError):
            await store.append(FIRST, BlobState(size=4, blocks=1), b"two\n")


async def test_only_own_blobs_are_listed_in_order(opened: OpenStore) -> None:
    async with opened() as store:
        for name in (SECOND, FIRST, f"{FOLDER}/ffff000000.jsonl", f"{FOLDER}/{INSTANCE}.txt"):
            await store.create(name)
        assert await store.blobs(f"{FOLDER}/{INSTANCE}") == [FIRST, SECOND]
        assert await store.blobs("elsewhere/x") == []


async def test_blocks_of_four_mebibytes_are_stored_and_read_whole(opened: OpenStore) -> None:
    block = b"x" * ((4 << 20) - 1) + b"\n"
    async with opened() as store:
        state = await store.create(FIRST)
        assert state is not None
        state = await store.append(FIRST, state, block)
        state = await store.append(FIRST, state, block)
        assert await store.read(FIRST, 0, state.size) == block * 2


async def test_requests_go_through_the_proxy_that_the_environment_names(
    proxy: FaultProxy, azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION_STRING_VARIABLE, azurite.connection_string_through("storage.invalid:80"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
    proxy.plan = always(Fault.FORBIDDEN)
    store = open_store(f"az://{container}")
    named = r"got 403 AuthenticationFailed: .* \(opened by the connection string in AZURE_STORAGE_CONNECTION_STRING\)"
    with pytest.raises(StoreCheckError, match=named):
        await store.check()
    await store.close()
    assert [seen.path.split("/")[2] for seen in proxy.seen] == [container]


async def test_an_object_is_put_once_and_its_url_has_no_query(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    content = b"[" + b" " * (2 << 20) + b"]"
    async with opened() as store:
        url = await store.put(f"{FOLDER}/files/1.json", content, "application/json")
        assert url == f"http://{azurite.host}/modeldata/{container}/data/{FOLDER}/files/1.json"
        assert await store.put(f"{FOLDER}/files/1.json", content, "application/json") == url
        with pytest.raises(ValueError, match="expected a new name or equal content"):
            await store.put(f"{FOLDER}/files/1.json", b"[]", "application/json")
        with pytest.raises(ValueError, match="expected a new name or equal content"):
            await store.put(f"{FOLDER}/files/1.json", content + b" ", "application/json")
    with azurite.open(container) as client:
        blob = client.download_blob(f"data/{FOLDER}/files/1.json")
        assert (blob.readall(), blob.properties.content_settings.content_type) == (content, "application/json")


async def test_a_large_object_that_is_stored_is_neither_sent_nor_read_again(
    opened: OpenStore, proxy: FaultProxy
) -> None:
    content = b"x" * (2 << 20)
    async with opened(proxy) as store:
        for _ in range(2):
            await store.put(f"{FOLDER}/files/1", content, "image/png")
    assert [(seen.method, seen.comp) for seen in proxy.seen] == [
        ("HEAD", ""),
        ("PUT", "block"),
        ("PUT", "block"),
        ("PUT", "blocklist"),
        ("HEAD", ""),
    ]


async def test_an_object_without_a_digest_is_read_and_compared(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    name = f"{FOLDER}/files/1"
    async with opened() as store:
        with azurite.open(container) as client:
            blob = client.get_blob_client(f"data/{name}")
            blob.stage_block("MDA=", b"12")
            blob.commit_block_list(["MDA="])
        assert (await store.put(name, b"12", "image/png")).endswith(name)
        with pytest.raises(ValueError, match="expected a new name or equal content"):
            await store.put(name, b"13", "image/png")


@pytest.mark.parametrize("name", ["../x", "a/../x", "/a", "a//b", "a/./b", "a\\..\\b", "", "a/", "a\r\nb", "a\0b"])
async def test_a_name_that_could_leave_its_folder_is_refused(opened: OpenStore, name: str) -> None:
    state = BlobState(size=0, blocks=0)
    async with opened() as store:
        for call in (
            store.create(name),
            store.state(name),
            store.blobs(name),
            store.read(name, 0, 1),
            store.append(name, state, b"x\n"),
            store.put(name, b"x", "text/plain"),
        ):
            with pytest.raises(ValueError, match="expected a relative name"):
                await call
