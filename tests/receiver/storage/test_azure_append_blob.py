"""The Azure store with a real Azurite, directly and behind a proxy that breaks requests."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fault_proxy import WITH_EFFECT, WITHOUT_EFFECT, Fault, FaultProxy, always, dice, no_faults, script

from otel_modeldata_receiver.exceptions import ConfigError, StoreCheckError, StoreError
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage import azure_append_blob
from otel_modeldata_receiver.storage.azure_account import ACCOUNT_URL_VARIABLE, CONNECTION_STRING_VARIABLE
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.sink import Appended, Sink, SinkLimits
from otel_modeldata_receiver.storage.store import BlobState, FencedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import Store

    OpenStore = Callable[..., AbstractAsyncContextManager[Store]]

pytestmark = pytest.mark.anyio

INSTANCE = "0123456789abcdef0123456789abcdef"
FOLDER = "endpoint/blue/model_inputs/2026/11/22/13"
FIRST = f"{FOLDER}/{INSTANCE}000000.jsonl"
SECOND = f"{FOLDER}/{INSTANCE}000001.jsonl"
HASTY = SinkLimits(retry_seconds=0.0)
"""Gives up after the first failure."""


def line(number: int | str, padding: int = 0) -> Line:
    return Line(f"id-{number}", json.dumps({"id": f"id-{number}", "data": [{"x": "y" * padding}]}).encode() + b"\n")


def lines(count: int, *, start: int = 0, padding: int = 0) -> list[Line]:
    return [line(number, padding) for number in range(start, start + count)]


def ids(content: bytes) -> list[str]:
    assert content.endswith(b"\n")
    return [json.loads(text)["id"] for text in content.splitlines()]


@pytest.fixture
def container(azurite: Azurite) -> str:
    return azurite.new_container()


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    with FaultProxy(azurite.host) as proxy:
        yield proxy


@pytest.fixture
def opened(azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """Opens the store as the receiver does, directly or through a proxy."""

    @asynccontextmanager
    async def open_(
        through: FaultProxy | None = None, *, url: str = f"az://{container}/data", create_container: bool = False
    ) -> AsyncIterator[Store]:
        host = azurite.host if through is None else through.host
        monkeypatch.setenv(CONNECTION_STRING_VARIABLE, azurite.connection_string_through(host))
        store = open_store(url, create_container=create_container)
        try:
            yield store
        finally:
            await store.close()

    return open_


def stored(azurite: Azurite, container: str) -> list[str]:
    """The ids in the store, blob after blob."""
    return [key for content in azurite.blobs(container, f"data/{FOLDER}").values() for key in ids(content)]


# --- The interface of a store ------------------------------------------------------------------------------------


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


# --- The check at the start --------------------------------------------------------------------------------------


async def test_a_store_that_works_passes_its_check_every_time(opened: OpenStore) -> None:
    async with opened() as store:
        await store.check()
        await store.check()
        assert await store.blobs("e") == []


async def test_a_missing_container_is_named_and_created_only_on_request(opened: OpenStore, azurite: Azurite) -> None:
    url = f"az://missing-{azurite.new_container()[:20]}"
    async with opened(url=url) as store:
        for call in (store.check(), store.create(FIRST), store.state(FIRST), store.blobs(FOLDER)):
            with pytest.raises(StoreCheckError, match=f"in container '{url[5:]}' .*, got no such container: create it"):
                await call
        with pytest.raises(StoreCheckError, match="got no such container"):
            await store.append(FIRST, BlobState(size=0, blocks=0), b"one\n")
        with pytest.raises(StoreCheckError, match="got no such container"):
            await store.put("a.json", b"[]", "application/json")
    async with opened(url=url, create_container=True) as store:
        await store.check()
        await store.check()


async def test_a_wrong_key_is_refused_with_the_missing_permission_and_without_the_key(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = base64.b64encode(b"wrong" * 12).decode()
    monkeypatch.setenv(CONNECTION_STRING_VARIABLE, azurite.connection_string.replace(azurite.key, key))
    store = open_store(f"az://{container}")
    with pytest.raises(StoreCheckError) as caught:
        await store.check()
    with pytest.raises(StoreCheckError):
        await store.append(FIRST, BlobState(size=0, blocks=0), b"one\n")
    await store.close()
    message = str(caught.value)
    assert f"in container '{container}'" in message
    assert "got 403 " in message
    assert "'Storage Blob Data Contributor'" in message
    assert "\n" not in message
    assert key not in message + repr(store) + caplog.text
    assert azurite.key not in message + repr(store) + caplog.text


async def test_an_account_that_cannot_be_reached_fails_the_check_in_one_line(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION_STRING_VARIABLE, azurite.connection_string_through("127.0.0.1:1"))
    store = open_store(f"az://{container}")
    with pytest.raises(
        StoreCheckError, match=r"expected to create a blob in container .* check that the account"
    ) as it:
        await store.check()
    await store.close()
    assert "\n" not in str(it.value)


async def test_a_signature_in_the_connection_string_appears_nowhere(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signature = "c2VjcmV0LXNpZ25hdHVyZQ"
    shared = f"SharedAccessSignature=sv=2025-11-05&sp=racwl&sig={signature}"
    for host in (azurite.host, "127.0.0.1:1"):
        monkeypatch.setenv(CONNECTION_STRING_VARIABLE, f"BlobEndpoint=http://{host}/modeldata;{shared}")
        store = open_store("az://container/prefix")
        with pytest.raises(StoreCheckError) as caught:
            await store.check()
        await store.close()
        shown = "".join(traceback.format_exception(caught.value))
        assert signature not in shown + repr(store) + caplog.text
        assert "During handling" not in shown
        assert "direct cause" not in shown


def test_the_message_of_a_library_is_shown_in_one_line_without_secrets() -> None:
    error = OSError("no answer from https://a/c?sp=r&sig=abc%2B&x=1 AccountKey=def==;\nand more")
    assert azure_append_blob._reason(error, None, "") == (
        "OSError (no answer from https://a/c?sp=r&sig=***&x=1 AccountKey=***;)"
    )


# --- The store of a URL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "variables", "sentence"),
    [
        ("az://container", {}, "expected AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_URL"),
        ("az://container", {CONNECTION_STRING_VARIABLE: "AccountKey=hidden"}, "got one that is malformed"),
        ("az://container", {CONNECTION_STRING_VARIABLE: "hidden"}, "got one that is malformed"),
        ("az://container", {ACCOUNT_URL_VARIABLE: "http://account"}, "got scheme 'http' and host 'account'"),
        ("az://container", {ACCOUNT_URL_VARIABLE: "account"}, "expected an account URL"),
        ("az://container", {ACCOUNT_URL_VARIABLE: "https://a/?sig=hidden"}, "expected an account URL"),
        ("az://", {}, "expected a container name of 3 to 63"),
        ("az://Upper/x", {}, "expected a container name of 3 to 63"),
        ("az://a--b/x", {}, "expected a container name of 3 to 63"),
        ("az://container/../other", {}, "expected a relative name"),
        ("az://container//other", {}, "expected a relative name"),
        ("az://container/x?sig=hidden", {}, "put a shared access signature into AZURE_STORAGE_CONNECTION_STRING"),
        ("https://user:hidden@a.blob.core.windows.net/container", {}, "expected a store URL without"),
        ("https://a.blob.core.windows.net/", {}, "expected a container name of 3 to 63"),
    ],
)
def test_a_url_that_names_no_store_is_reported_in_one_sentence_without_secrets(
    url: str, variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (CONNECTION_STRING_VARIABLE, ACCOUNT_URL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_store(url)
    assert "hidden" not in str(caught.value)


def test_a_missing_extra_is_reported_in_one_sentence_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "otel_modeldata_receiver.storage.azure_append_blob")
    monkeypatch.setitem(sys.modules, "azure.core", None)
    with pytest.raises(ConfigError, match=r"install them with pip install 'otel-modeldata\[receiver\]'"):
        open_store("az://container/prefix")


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://one.blob.core.windows.net/container/some/prefix/", None),
        ("az://container/some/prefix", "https://one.blob.core.windows.net/"),
    ],
)
async def test_an_account_url_is_opened_with_the_default_identity(
    url: str, account: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CONNECTION_STRING_VARIABLE, raising=False)
    if account:
        monkeypatch.setenv(ACCOUNT_URL_VARIABLE, account)
    store = open_store(url)
    await store.close()
    assert repr(store) == "AzureBlobStore('https://one.blob.core.windows.net/container', prefix='some/prefix/')"


# --- Exactly once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*WITHOUT_EFFECT, *WITH_EFFECT, Fault.CHANGED_BODY])
async def test_a_block_is_stored_once_under_every_fault_of_a_request(
    fault: Fault, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE)
        await sink.append(FOLDER, lines(2))
        proxy.plan = script([fault, fault])
        assert await sink.append(FOLDER, lines(3, start=2)) == Appended(stored=3, duplicates=0)
        assert await sink.append(FOLDER, lines(1, start=5)) == Appended(stored=1, duplicates=0)
    assert proxy.count(fault) == 2
    assert list(azurite.blobs(container)) == [f"data/{FIRST}"]
    assert stored(azurite, container) == [f"id-{number}" for number in range(6)]


async def test_the_library_repeats_no_append_on_its_own(opened: OpenStore, proxy: FaultProxy) -> None:
    async with opened(proxy) as store:
        state = await store.create(FIRST)
        assert state is not None
        proxy.plan = script([Fault.BUSY_BEFORE])
        with pytest.raises(StoreError, match=r"expected to append to a blob .* got 503 ServerBusy"):
            await store.append(FIRST, state, b"one\n")
        assert proxy.appends() == 1
        assert await store.append(FIRST, state, b"one\n") == BlobState(size=4, blocks=1)


async def test_an_append_without_an_answer_is_looked_up_in_the_blob(
    opened: OpenStore, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.storage.azure_append_blob._REQUEST_SECONDS", 0.5)
    async with opened(proxy) as store:
        state = await store.create(FIRST)
        assert state is not None
        proxy.plan = script([Fault.SLOW])
        assert await store.append(FIRST, state, b"one\n") == BlobState(size=4, blocks=1)
        assert proxy.count(Fault.SLOW) == 1


async def test_a_create_whose_answer_is_lost_leaves_no_empty_blob_behind(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    proxy.plan = script([Fault.DROP_ANSWER], lambda method, comp, path: method == "PUT" and comp == "")
    async with opened(proxy) as store:
        await Sink(store, instance=INSTANCE).append(FOLDER, lines(1))
    assert {name: ids(content) for name, content in azurite.blobs(container).items()} == {f"data/{FIRST}": ["id-0"]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_300_lines_with_40_percent_faults_are_stored_once_and_in_order(
    seed: int, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    proxy.plan = dice(seed, 0.4, [*WITHOUT_EFFECT, *WITH_EFFECT], lambda method, comp, path: True)
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=60.0))
        for start in range(0, 300, 3):
            await sink.append(FOLDER, lines(3, start=start))
    assert stored(azurite, container) == [f"id-{number}" for number in range(300)]
    assert sum(1 for seen in proxy.seen if seen.fault) > 20


@pytest.mark.parametrize("seed", [4, 6])
async def test_a_client_that_retries_after_errors_stores_every_line_once(
    seed: int, opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The sink gives up at the first failure, so the client retries; it makes four calls at a time."""
    proxy.plan = dice(seed, 0.5, [*WITHOUT_EFFECT, *WITH_EFFECT])
    refused = 0

    async def client(start: int) -> None:
        nonlocal refused
        for first in range(start, start + 40, 5):
            while True:
                try:
                    await sink.append(FOLDER, lines(5, start=first))
                    break
                except StoreError:
                    refused += 1

    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await asyncio.gather(*(client(start) for start in range(0, 160, 40)))
    found = stored(azurite, container)
    assert sorted(found) == sorted(f"id-{number}" for number in range(160))
    for start in range(0, 160, 40):
        mine = [f"id-{number}" for number in range(start, start + 40)]
        assert [key for key in found if key in mine] == mine
    assert refused > 0


async def test_a_block_that_is_applied_after_the_sink_gave_up_is_not_stored_again(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])  # aiohttp repeats a PUT once on a connection it reused
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))
        proxy.plan = no_faults
        assert 201 in proxy.release()
        assert await sink.append(FOLDER, lines(4, start=1)) == Appended(stored=1, duplicates=3)
    assert stored(azurite, container) == [f"id-{number}" for number in range(5)]


async def test_a_block_that_is_applied_while_the_client_retries_is_not_stored_again(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The late block is at the position of the retry's append, and contains some of its lines."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=HASTY)
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))

        def release_before_the_append(method: str, comp: str, path: str) -> None:
            if comp == "appendblock":
                proxy.plan = no_faults
                released.extend(proxy.forward(held)[0] for held in proxy._late)

        released: list[int] = []
        proxy.plan = release_before_the_append
        assert await sink.append(FOLDER, lines(4, start=1)) == Appended(stored=1, duplicates=3)
        assert 201 in released
    assert {name: ids(content) for name, content in azurite.blobs(container).items()} == {
        f"data/{FIRST}": ["id-0", "id-1", "id-2", "id-3"],
        f"data/{SECOND}": ["id-4"],
    }


async def test_a_retry_of_part_of_a_late_block_reads_the_other_lines_before_the_blob_is_left(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The late block begins with the same bytes; if it were taken for the retry, its other lines would be stored
    again."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0, max_bytes=1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(2))

        def release_before_the_append(method: str, comp: str, path: str) -> None:
            if comp == "appendblock":
                proxy.plan = no_faults
                released.extend(proxy.forward(held)[0] for held in proxy._late)

        released: list[int] = []
        proxy.plan = release_before_the_append
        await sink.append(FOLDER, lines(1))
        assert 201 in released
        assert await sink.append(FOLDER, lines(1, start=1)) == Appended(stored=0, duplicates=1)
    assert stored(azurite, container) == ["id-0", "id-1"]


async def test_a_late_block_is_not_applied_after_a_faster_retry(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    """The blob is not rolled at its limits: a retry in a new blob does not keep the late block out of the old one."""
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0, max_blocks=1))
        await sink.append(FOLDER, lines(1))
        proxy.plan = script([Fault.LATE, Fault.LATE])
        with pytest.raises(StoreError):
            await sink.append(FOLDER, lines(3, start=1))
        proxy.plan = no_faults
        assert await sink.append(FOLDER, lines(3, start=1)) == Appended(stored=3, duplicates=0)
        assert set(proxy.release()) == {412}
        await sink.append(FOLDER, lines(1, start=4))
    assert stored(azurite, container) == [f"id-{number}" for number in range(5)]


async def test_a_restarted_receiver_continues_its_blob_and_knows_the_ids_in_it(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        await Sink(store, instance=INSTANCE).append(FOLDER, lines(5))
    async with opened() as store:
        assert await Sink(store, instance=INSTANCE).append(FOLDER, lines(4, start=3)) == Appended(2, 2)
    assert list(azurite.blobs(container)) == [f"data/{FIRST}"]
    assert stored(azurite, container) == [f"id-{number}" for number in range(7)]


async def test_two_receivers_with_one_instance_id_store_both_their_lines(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store, opened() as other:
        sinks = [Sink(store, instance=INSTANCE), Sink(other, instance=INSTANCE)]

        async def feed(sink: Sink, start: int) -> None:
            for first in range(start, start + 50, 5):
                await sink.append(FOLDER, lines(5, start=first))

        await asyncio.gather(*(feed(sink, 100 * number) for number, sink in enumerate(sinks)))
    found = stored(azurite, container)
    for start in (0, 100):
        mine = [f"id-{number}" for number in range(start, start + 50)]
        assert [key for key in found if key in mine] == mine
    assert len(found) == 100


async def test_a_deleted_container_is_an_error_and_works_again_when_it_is_created_again(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    async with opened() as store:
        sink = Sink(store, instance=INSTANCE)
        await sink.append(FOLDER, lines(1))
        with azurite.open(container) as client:
            client.delete_container()
            with pytest.raises(StoreCheckError, match=f"container '{container}' .*, got no such container"):
                await sink.append(FOLDER, lines(1, start=1))
            client.create_container()
        assert await sink.append(FOLDER, lines(1, start=1)) == Appended(stored=1, duplicates=0)
    assert stored(azurite, container) == ["id-1"]


async def test_many_waiting_calls_share_few_blocks(opened: OpenStore, proxy: FaultProxy, azurite: Azurite) -> None:
    async with opened(proxy) as store:
        sink = Sink(store, instance=INSTANCE)
        await asyncio.gather(*(sink.append(FOLDER, [line(number, padding=500)]) for number in range(500)))
    assert proxy.appends() <= 3


async def test_more_lines_than_fit_into_a_block_are_stored_in_several_and_none_is_split(
    opened: OpenStore, proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    many = lines(40, padding=300_000)
    async with opened(proxy) as store:
        assert await Sink(store, instance=INSTANCE).append(FOLDER, many) == Appended(stored=40, duplicates=0)
        state = await store.state(FIRST)
        assert state is not None
    assert (state.blocks, proxy.appends()) == (4, 4)
    assert list(azurite.blobs(container).values()) == [b"".join(one.data for one in many)]


async def test_a_blob_is_left_at_its_limit_of_blocks_and_no_line_is_lost_or_split(
    opened: OpenStore, azurite: Azurite, container: str
) -> None:
    """tests/benchmarks/full_blob.py goes up to the 50,000 blocks that the service allows."""
    async with opened() as store:
        sink = Sink(store, instance=INSTANCE, limits=SinkLimits(max_blocks=50))
        for number in range(120):
            await sink.append(FOLDER, [line(number)])
    blobs = azurite.blobs(container)
    assert [len(ids(content)) for content in blobs.values()] == [50, 50, 20]
    assert stored(azurite, container) == [f"id-{number}" for number in range(120)]
