"""A store's URL that is no URL is one sentence, not a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from azure_reader import blob_name

from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.storage.open_store import open_store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("url", ["http://[::1", "https://[::1/c", "az://[c/p", "file://[x"])
def test_half_of_the_brackets_of_an_address_are_no_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a URL, got one that cannot be read"):
        open_store(url)


def test_the_url_of_an_account_is_checked_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", "https://[::1")
    with pytest.raises(ConfigError, match=r"expected a URL, got one that cannot be read"):
        open_store("az://container/prefix")


@pytest.mark.parametrize(("prefix", "name"), [("prod", "prod/a/files/1.json"), ("my prod", "my prod/a/files/1.json")])
async def test_a_line_refers_to_a_blob_in_azure_by_its_name_because_readers_do_not_decode_it(
    prefix: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    store = open_store(f"https://account.blob.core.windows.net/modeldata/{prefix}")
    assert store.url("a/files/1.json") == f"https://account.blob.core.windows.net/modeldata/{name}"
    assert blob_name(store.url("a/files/1.json")) == name
    await store.close()


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names of files are Unicode")
def test_a_folder_that_no_line_can_refer_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.fsdecode(bytes(tmp_path) + b"/caf\xe9")
    with pytest.raises(ConfigError, match=r"expected a folder whose path is UTF-8, got b'.*caf\\xe9'"):
        open_store(folder)
    Path(folder).mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match="expected a folder whose path is UTF-8"):
        open_store("./modeldata")
