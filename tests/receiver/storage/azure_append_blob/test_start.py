"""The check of a store at the start, and the store of a URL."""

from __future__ import annotations

import base64
import logging
import sys
import traceback
from typing import TYPE_CHECKING

import pytest
from azure_blobs import FIRST, FOLDER

from otel_modeldata_receiver.exceptions import ConfigError, StoreCheckError
from otel_modeldata_receiver.storage import azure_append_blob
from otel_modeldata_receiver.storage.azure_account import ACCOUNT_URL_VARIABLE, CONNECTION_STRING_VARIABLE
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.store import BlobState

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from azurite import Azurite

    from otel_modeldata_receiver.storage.store import Store

    OpenStore = Callable[..., AbstractAsyncContextManager[Store]]

pytestmark = pytest.mark.anyio


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
