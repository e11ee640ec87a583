"""Which credential opens a store in Azure; no secret is shown, or sent to another account."""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING

import pytest
from azure.core.credentials import AzureSasCredential
from azure.identity.aio import DefaultAzureCredential
from managed_identity import ManagedIdentity, managed_identity

from otel_modeldata_receiver.config.receiver import ReceiverConfig, load
from otel_modeldata_receiver.config.store_access import AccessConfig, DatastoreConfig, IdentityConfig
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.storage import azure_account
from otel_modeldata_receiver.storage.azure_account import account_of
from otel_modeldata_receiver.storage.open_store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

URL = "https://account.blob.core.windows.net"
HTTPS = f"{URL}/container/prefix"
KEY = base64.b64encode(b"hidden-account-key").decode()
SAS = "sv=2024-11-04&sig=hidden"
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=account;AccountKey={KEY};EndpointSuffix=core.windows.net"
IDENTITY_VARIABLES = ("MSI_ENDPOINT", "MSI_SECRET", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AZURE_") or name in IDENTITY_VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """A file for each kind of secret, as `AccessConfig` names it."""
    files = {"sas_file": f"?{SAS}\n", "account_key_file": f"{KEY}\n", "connection_string_file": f"{CONNECTION}\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    return {name: str(tmp_path / name) for name in files}


def sas_of(url: str, access: AccessConfig | None = None) -> str:
    credential = account_of(url, access).service.credential
    assert isinstance(credential, AzureSasCredential)
    return credential.signature


def key_of(url: str, access: AccessConfig | None = None) -> tuple[str, str]:
    credential = account_of(url, access).service.credential
    return credential.account_name, credential.account_key


@pytest.mark.parametrize("url", [HTTPS, "az://container/prefix"])
def test_a_secret_comes_from_a_file(url: str, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", URL)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sig=of-the-environment")
    assert sas_of(url, AccessConfig(sas_file=secrets["sas_file"])) == SAS
    assert key_of(url, AccessConfig(account_key_file=secrets["account_key_file"])) == ("account", KEY)


def test_a_connection_string_in_a_file_names_the_account(secrets: dict[str, str]) -> None:
    access = AccessConfig(connection_string_file=secrets["connection_string_file"])
    assert key_of("az://container", access) == ("account", KEY)
    with pytest.raises(
        ConfigError, match=r"expected an az:// URL beside connection_string_file, got https://account\."
    ):
        account_of(HTTPS, access)


def test_a_signature_may_be_in_the_url() -> None:
    assert sas_of(f"{HTTPS}?{SAS}") == SAS


def test_a_renewed_signature_is_used_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sas"
    path.write_text("sig=one")
    credential = account_of(HTTPS, AccessConfig(sas_file=str(path))).service.credential
    assert isinstance(credential, AzureSasCredential)
    assert credential.signature == "sig=one"
    for content, expected in (("sig=two", "sig=two"), ("", "sig=two"), ("sig=three", "sig=three")):
        path.write_text(content)
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns + 1_000_000))
        assert credential.signature == expected
    path.unlink()
    assert credential.signature == "sig=three"


@pytest.mark.parametrize("url", ["az://container", HTTPS])
def test_the_environments_secret_opens_the_environments_account(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", f"{URL}/")
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    assert key_of(url) == ("account", KEY)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"?{SAS}")
    assert sas_of(url) == SAS


@pytest.mark.parametrize("account", ["", "https://another.blob.core.windows.net"])
async def test_the_environments_secret_is_never_sent_to_another_account(
    account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", account)
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", SAS)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", CONNECTION)
    opened = account_of(HTTPS)
    assert isinstance(opened.credential, DefaultAzureCredential)
    await opened.credential.close()
    await opened.service.close()


def test_an_emulators_account_is_the_path_of_its_url(secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", "http://127.0.0.1:10000/devstoreaccount1")
    access = AccessConfig(account_key_file=secrets["account_key_file"])
    assert key_of("az://container", access) == ("devstoreaccount1", KEY)
    service = account_of("az://container", access).service
    assert service.url == "http://127.0.0.1:10000/devstoreaccount1/"
    assert service.api_version == azure_account.EMULATOR_API_VERSION


def test_an_older_library_asks_an_emulator_for_the_version_that_it_knows(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = account_of(HTTPS).service.api_version
    monkeypatch.setattr(azure_account, "EMULATOR_API_VERSION", "9999-12-31")
    address = "http://127.0.0.1:10000/devstoreaccount1"
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", address)
    access = AccessConfig(account_key_file=secrets["account_key_file"])
    assert account_of("az://container", access).service.api_version == newest
    connection = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={address};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    assert account_of("az://container").service.api_version == newest


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("sas_file", "hidden", "expected a shared access signature with 'sig=' in "),
        ("sas_file", "", "got an empty file: write it there"),
        ("sas_file", None, "got FileNotFoundError: make it readable for the receiver's user"),
        ("account_key_file", "hidden!", "expected an account key in base64 in "),
        ("account_key_file", None, "got FileNotFoundError: make it readable"),
        ("connection_string_file", "hidden", "got one that is malformed: copy it from the account's access keys"),
        ("connection_string_file", "\udc00", "got UnicodeDecodeError: make it readable"),
    ],
)
def test_a_malformed_secret_is_reported_in_one_sentence_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, sentence: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", URL)
    if content is not None:
        (tmp_path / "secret").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_store("az://container", access=AccessConfig(**{name: str(tmp_path / "secret")}))
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variable", ["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_KEY"])
def test_a_malformed_secret_of_the_environment_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", URL)
    monkeypatch.setenv(variable, "hidden")
    with pytest.raises(ConfigError, match=variable) as caught:
        open_store("az://container")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_secret_is_read_from_files_of_windows_too(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "sas").write_bytes(f'"{SAS}"\r\n'.encode(encoding))
    assert sas_of(HTTPS, AccessConfig(sas_file=str(tmp_path / "sas"))) == SAS


def test_an_account_that_is_only_named_is_answered_with_the_url_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "acct")
    with pytest.raises(ConfigError, match=r"write AZURE_STORAGE_ACCOUNT_URL=https://acct\.blob\.core\.windows\.net"):
        open_store("az://container")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "https://acct.blob.core.windows.net")
    with pytest.raises(ConfigError, match=r"does not name the storage account$"):
        open_store("az://container")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_connection_string_of_an_emulator_opens_the_url_of_its_account(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = f"{scheme}://127.0.0.1:10000/devstoreaccount1"
    connection = f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={account}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    assert azure_account.split_url(f"{account}/container/prefix") == ("container", "prefix")
    assert key_of(f"{account}/container") == ("devstoreaccount1", KEY)
    with pytest.raises(ConfigError, match="tokens are sent over https only"):
        account_of("http://127.0.0.1:10000/another/container")


def test_secrets_are_in_no_repr_of_settings_and_stores(secrets: dict[str, str]) -> None:
    settings = load(
        None,
        {
            "store": f"{HTTPS}?{SAS}",
            "datastores": {"one": f"{HTTPS}?{SAS}", "two": {"url": f"{HTTPS}?{SAS}", "identity": {"client_id": "c"}}},
        },
    )
    shown = [repr(settings), repr(settings.known_datastores), repr(open_store(f"{HTTPS}?{SAS}"))]
    for name, path in secrets.items():
        if name != "connection_string_file":
            access = AccessConfig(**{name: path})
            shown += [repr(account_of(HTTPS, access)), repr(open_store(HTTPS, access=access))]
    assert not [text for text in shown if "hidden" in text or KEY in text]


def test_conflicting_or_incomplete_store_settings_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            None,
            {
                "store_access": {"sas_file": "a", "account_key_file": "b"},
                "datastores": {
                    "a/b": "az://x",
                    "lake": {"url": ""},
                    "both": {"url": "az://y", "sas_file": "a", "identity": {"client_id": "c"}},
                },
            },
        )
    assert str(caught.value).splitlines() == [
        "datastores.a/b: expected NAME or SUBSCRIPTION/RESOURCEGROUP/WORKSPACE/NAME, got 'a/b'",
        "datastores.lake.url: expected the URL of a store, got ''; write for example az://container",
        "store_access: expected one way to open it, got sas_file and account_key_file; keep one of them",
        "datastores.both: expected one way to open it, got identity and sas_file; keep one of them",
    ]


def test_a_datastore_is_a_url_or_more() -> None:
    config = load(None, {"datastores": {"a": "az://x", "b": {"url": "az://y", "identity": {"client_id": "c"}}}})
    assert config.known_datastores == {
        "a": DatastoreConfig(url="az://x"),
        "b": DatastoreConfig(url="az://y", identity=IdentityConfig(client_id="c")),
    }
    assert ReceiverConfig().known_datastores == {}


# --- identities, from an endpoint on this machine --------------------------------------------------------------


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagedIdentity]:
    with managed_identity() as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        yield running


async def asked_for(access: AccessConfig | None) -> str:
    """Ask for a token as the store does."""
    account = account_of(HTTPS, access)
    assert account.credential is not None
    token = await account.credential.get_token("https://storage.azure.com/.default")
    await account.credential.close()
    await account.service.close()
    assert token.token not in repr(account)
    return token.token


async def test_the_system_assigned_identity_needs_no_setting(identity: ManagedIdentity) -> None:
    """S31."""
    assert await asked_for(None) == identity.token
    assert "clientid" not in identity.asked[-1]
    assert identity.asked[-1]["resource"] == "https://storage.azure.com"


async def test_a_user_assigned_identity_is_chosen_by_client_id(
    identity: ManagedIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S32: for all stores by the environment, for one store by its setting."""
    await asked_for(AccessConfig(identity=IdentityConfig(client_id="of-this-store")))
    monkeypatch.setenv("AZURE_CLIENT_ID", "of-all-stores")
    await asked_for(None)
    await asked_for(AccessConfig(identity=IdentityConfig(client_id="of-this-store")))
    assert [query["clientid"] for query in identity.asked] == ["of-this-store", "of-all-stores", "of-this-store"]


async def test_workload_identity_takes_the_client_id_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes: the webhook sets the variables; a store's setting chooses another client."""
    seen: list[dict[str, object]] = []

    class Chain(DefaultAzureCredential):
        def __init__(self, **options: object) -> None:
            seen.append(options)
            super().__init__(**options)

    monkeypatch.setattr(azure_account, "DefaultAzureCredential", Chain)
    (tmp_path / "token").write_text("t")
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    monkeypatch.setenv("AZURE_CLIENT_ID", "of-the-pod")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    account = account_of(HTTPS, AccessConfig(identity=IdentityConfig(client_id="c")))
    assert account.credential is not None
    await account.credential.close()
    await account.service.close()
    assert seen == [{"managed_identity_client_id": "c", "workload_identity_client_id": "c"}]
