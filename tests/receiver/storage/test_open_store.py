"""A store's URL that is no URL is one sentence, not a traceback."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.storage.open_store import open_store


@pytest.mark.parametrize("url", ["http://[::1", "https://[::1/c", "az://[c/p", "file://[x"])
def test_half_of_the_brackets_of_an_address_are_no_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a URL, got one that cannot be read"):
        open_store(url)


def test_the_url_of_an_account_is_checked_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", "https://[::1")
    with pytest.raises(ConfigError, match=r"expected a URL, got one that cannot be read"):
        open_store("az://container/prefix")
