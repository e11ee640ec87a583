"""A connection string as it was pasted: each part is right, or the error names the string and shows nothing of it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.storage.account_url import account_url, checked_key, checked_sas
from otel_modeldata_receiver.storage.connection_string import cleaned_connection_string

WHERE = "AZURE_STORAGE_CONNECTION_STRING"
KEY = base64.b64encode(b"hidden-account-key").decode()
SAS = "sv=2022-11-02&sig=hidden%3D"
CLEAN = f"DefaultEndpointsProtocol=https;AccountName=acct;EndpointSuffix=core.windows.net;AccountKey={KEY}"
PARTS = {
    "DefaultEndpointsProtocol": "https",
    "AccountName": "acct",
    "AccountKey": KEY,
    "EndpointSuffix": "core.windows.net",
}


@given(
    order=st.permutations(list(PARTS)),
    case=st.sampled_from([str, str.lower, str.upper]),
    separator=st.sampled_from([";", "; ", ";\n", ";;", " ;"]),
    around=st.sampled_from(["{}", '"{}"', "'{}'", " {}\n", "{};", f"export {WHERE}={{}}", f'{WHERE}="{{}}"\r\n']),
    quote=st.sampled_from(["", '"']),
)
def test_a_connection_string_means_the_same_however_it_was_pasted(
    *, order: list[str], case: object, separator: str, around: str, quote: str
) -> None:
    assert callable(case)
    parts = [f"{case(name)}={quote}{PARTS[name]}{quote}" for name in order]
    assert cleaned_connection_string(around.format(separator.join(parts)), WHERE) == CLEAN


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (f"AccountName=ACCT;AccountKey={KEY}", CLEAN),
        (f"{CLEAN};QueueEndpoint=https://acct.queue.core.windows.net/", CLEAN),
        (
            f"BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=?{SAS}",
            f"BlobEndpoint=https://acct.blob.core.windows.net;SharedAccessSignature={SAS}",
        ),
        (
            f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://azurite:10000/devstoreaccount1/",
            f"AccountName=devstoreaccount1;BlobEndpoint=http://azurite:10000/devstoreaccount1;AccountKey={KEY}",
        ),
        ("usedevelopmentstorage=True;", "UseDevelopmentStorage=true"),
    ],
)
def test_the_parts_that_matter_are_kept(given: str, clean: str) -> None:
    assert cleaned_connection_string(given, WHERE) == clean


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("", "got one that is malformed: it has neither AccountName nor BlobEndpoint"),
        ("hidden", "got one that is malformed"),
        ("$(az storage account show-connection-string)", "got a command that no shell has run"),
        ("<your-connection-string>", "got a placeholder"),
        (f"AccountName=;AccountKey={KEY}", "got one whose AccountName is empty"),
        (f"AccountName=a b;AccountKey={KEY}", "got one whose AccountName is not a name"),
        (
            "AccountName=acct;AccountKey=",
            "in AccountKey of the connection string in AZURE_STORAGE_CONNECTION_STRING, got",
        ),
        ("AccountName=acct;AccountKey=hidden!", "got something else: copy it from the account's access keys"),
        (f"AccountName=acct;AccountKey={KEY};AccountKey={KEY}", "got one with two values of AccountKey"),
        ("AccountName=acct", "got one without AccountKey and SharedAccessSignature"),
        (
            f"BlobEndpoint=https://acct.blob.core.windows.net;AccountKey={KEY}",
            "with AccountKey and without AccountName",
        ),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite",
            "got one with DevelopmentStorageProxyUri: write AccountName, AccountKey and BlobEndpoint",
        ),
        (f"DefaultEndpointsProtocol=http;AccountName=acct;SharedAccessSignature={SAS}", "with a signature and http"),
        (f"BlobEndpoint=http://a.blob.core.windows.net;SharedAccessSignature={SAS}", "with a signature and http"),
        ("AccountName=acct;SharedAccessSignature=hidden", "expected a shared access signature with 'sig=' in"),
        (f'{CLEAN}"', "an account key in base64"),
        (f"DefaultEndpointsProtocol=ftp;AccountName=acct;AccountKey={KEY}", "is neither https nor http"),
        (f"AccountName=acct;EndpointSuffix=core windows;AccountKey={KEY}", "whose EndpointSuffix is not a name"),
        (
            f"AccountName=acct;AccountKey={KEY};BlobEndpoint=https://acct.blob.core.windows.net/container",
            "in BlobEndpoint of AZURE_STORAGE_CONNECTION_STRING, got one with a path ('container')",
        ),
        (
            f"AccountName=acct;AccountKey={KEY};BlobEndpoint=https://other.blob.core.windows.net",
            "got one whose AccountName and BlobEndpoint name two accounts",
        ),
        (f"UseDevelopmentStorage=true;{CLEAN}", "got one that names an account and the emulator"),
    ],
)
def test_a_part_that_is_wrong_is_named_and_nothing_of_it_is_shown(given: str, got: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cleaned_connection_string(given, WHERE)
    assert WHERE in str(caught.value)
    assert got in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [secret for secret in ("hidden", KEY) if secret in str(caught.value)] == []


@pytest.mark.parametrize(
    ("given", "url", "name"),
    [
        ("https://acct.blob.core.windows.net\n", "https://acct.blob.core.windows.net", "acct"),
        ('"https://ACCT.blob.core.windows.net/"', "https://acct.blob.core.windows.net", "acct"),
        ("acct.blob.core.windows.net", "https://acct.blob.core.windows.net", "acct"),
        ("https://acct.dfs.core.windows.net/", "https://acct.blob.core.windows.net", "acct"),
        ("https://acct.z01.blob.storage.azure.net", "https://acct.z01.blob.storage.azure.net", "acct"),
        ("https://models.example.com", "https://models.example.com", None),
        ("http://127.0.0.1:10000/devstoreaccount1/", "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
        ("https://localhost:10000/one", "https://localhost:10000/one", "one"),
    ],
)
def test_an_account_url_is_taken_as_it_was_meant(given: str, url: str, name: str | None) -> None:
    account = account_url(given, "AZURE_STORAGE_ACCOUNT_URL")
    assert (account.url, account.name) == (url, name)


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("acct", "write https://acct.blob.core.windows.net"),
        ("https://acct.blob.core.windows.net/modeldata", "write https://acct.blob.core.windows.net there"),
        ("https://acct.blob.core.windows.net/?sv=1&sig=hidden", "belongs into AZURE_STORAGE_SAS_TOKEN"),
        ("https://acct-secondary.blob.core.windows.net", "write it without '-secondary'"),
        ("http://127.0.0.1:10000", "as its path, http://127.0.0.1:10000/devstoreaccount1"),
        ("http://127.0.0.1:10000/devstoreaccount1/c", "as its path, http://127.0.0.1:10000/devstoreaccount1"),
        ("https://acct.blob.core.windows.net'", "expected an account URL"),
        ("https://<account>.blob.core.windows.net", "expected an account URL"),
        ("https://YOUR_ACCOUNT.blob.core.windows.net", "got 'your_account' as the name of the account"),
        ("${ACCOUNT_URL}", "got a variable that no shell has replaced"),
        ("az://modeldata", "expected an account URL"),
        ("https:/acct.blob.core.windows.net", "got one without '//' behind its scheme"),
        ("https//acct.blob.core.windows.net", "got one without '//' behind its scheme"),
        ("https://acct.file.core.windows.net", "got the host of 'file': write https://acct.blob.core.windows.net"),
        (
            "/subscriptions/1/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/acct",
            "got an id of Azure: write https://acct.blob.core.windows.net",
        ),
    ],
)
def test_an_account_url_that_is_something_else_is_refused_with_what_to_write(given: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        account_url(given, "AZURE_STORAGE_ACCOUNT_URL")
    assert cure in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        f"{SAS}",
        f"?{SAS}\n",
        f'"?{SAS}"',
        f"AZURE_STORAGE_SAS_TOKEN='{SAS}'",
        f"SharedAccessSignature={SAS}",
        f"??{SAS}&",
    ],
)
def test_a_signature_is_taken_as_it_was_meant(given: str) -> None:
    assert checked_sas(given, "AZURE_STORAGE_SAS_TOKEN") == SAS


@pytest.mark.parametrize(
    "given",
    [
        f"https://acct.blob.core.windows.net/c?{SAS}",
        "sv=1&sig=",
        "sv=1&sig=hid den",
        "sv=1&amp;sig=hidden",
        "",
        "sv=1&sig=hid%252Bden",
        "sv=1\\&sig=hidden",
        "sv=1&sig=hidé",
    ],
)
def test_a_text_that_is_no_signature_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="expected a shared access signature") as caught:
        checked_sas(given, "AZURE_STORAGE_SAS_TOKEN")
    assert "hid" not in str(caught.value)


@pytest.mark.parametrize("given", ["", "hidden", "<key>", "key with spaces==", "ключ"])
def test_a_text_that_is_no_key_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="expected an account key in base64 in AZURE_STORAGE_KEY") as caught:
        checked_key(given, "AZURE_STORAGE_KEY")
    assert not given or given.startswith("<") or given not in str(caught.value)
