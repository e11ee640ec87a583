"""A connection string that does not open the store is not passed over in silence."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.config import receiver as configuration
from otel_modeldata_receiver.config.unused_secret import unused_secret

OWN = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
URL = "https://acme.blob.core.windows.net/modeldata/prod"


@pytest.mark.parametrize(
    ("store", "connection", "is_unused"),
    [
        (URL, OWN, True),
        (f"{URL}?sv=2024&sig=abc", OWN, False),
        (URL, OWN.replace("acme", "other"), False),
        (URL, "", False),
        ("az://modeldata/prod", OWN, False),
        ("./modeldata", OWN, False),
    ],
)
def test_a_connection_string_of_the_account_of_an_https_store_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, store: str, connection: str, *, is_unused: bool
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_URL", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    text = (
        "store: AZURE_STORAGE_CONNECTION_STRING is of this account, but is not used: an https URL is opened with the "
        "machine's identity; to use it, write az://modeldata/prod"
    )
    assert [str(about) for about in unused_secret(configuration.load(None, {"store": store}))] == [text] * is_unused


def test_what_the_settings_choose_needs_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", OWN)
    given = {"store": URL, "store_access": {"sas_file": "/sas"}}
    assert list(unused_secret(configuration.load(None, given))) == []
