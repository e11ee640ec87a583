"""A store's URL is taken as it was meant, or refused with what to write; never half, and never with a secret shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.config.store_url import has_secret, meant_store, shown_store
from otel_modeldata_receiver.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HOST = "https://acct.blob.core.windows.net"
SECRET = "c2VjcmV0LW9mLWEtc3RvcmU="


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("./modeldata", "./modeldata"),
        ("modeldata", "modeldata"),
        ("/data/a b/c:d", "/data/a b/c:d"),
        ("./a:b", "./a:b"),
        ("./acct.blob.core.windows.net/c", "./acct.blob.core.windows.net/c"),
        ("az/models", "az/models"),
        ("./modeldata?x#y", "./modeldata?x#y"),
        ("./my%20models", "./my%20models"),
        (" './modeldata'\n", "./modeldata"),
        ("export OTEL_MODELDATA_STORE=/data", "/data"),
        ("file:///data/x", "/data/x"),
        ("file:/data/x", "/data/x"),
        ("FILE://localhost/data/x", "/data/x"),
        ("file:///data/my%20models", "/data/my models"),
        ("file:///data/a#b", "/data/a#b"),
        ("file:///data/a?b", "/data/a?b"),
        ("az://modeldata/prod", "az://modeldata/prod"),
        ('"AZ://modeldata/prod/"\r\n', "az://modeldata/prod/"),
        (f"{HOST}/c/p", f"{HOST}/c/p"),
        ("https://ACCT.dfs.core.windows.net/c/p", f"{HOST}/c/p"),
        (f"{HOST}/c?sv=1&sig={SECRET}", f"{HOST}/c?sv=1&sig={SECRET}"),
        ("http://127.0.0.1:10000/devstoreaccount1/c", "http://127.0.0.1:10000/devstoreaccount1/c"),
    ],
)
def test_a_store_is_taken_as_it_was_meant(given: str, meant: str) -> None:
    assert meant_store(given) == meant


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert meant_store("~/modeldata") == f"{tmp_path}/modeldata"
    assert meant_store("~") == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("", "got an empty one"),
        ("''", "got an empty one"),
        ("az:/modeldata/prod", "write az://modeldata/prod"),
        ("az:modeldata", "write az://modeldata"),
        ("az://modeldata@acct/prod", f"write {HOST}/modeldata/prod, or name the account in AZURE_STORAGE_ACCOUNT_URL"),
        ("az://acct.blob.core.windows.net/modeldata", f"write {HOST}/modeldata"),
        ("abfss://modeldata@acct.dfs.core.windows.net/prod", f"write {HOST}/modeldata/prod"),
        ("wasbs://modeldata@acct.blob.core.windows.net", f"write {HOST}/modeldata"),
        ("abfs://modeldata/prod", "write az://modeldata/prod"),
        ("azureml://datastores/x/paths/y", "write the URL of its container"),
        ("dbfs:/mnt/modeldata", "write /dbfs/mnt/modeldata, where Databricks mounts it"),
        ("s3://bucket/x", "use for example 'file:///var/lib/modeldata' or 'az://container/prefix'"),
        ("server:/export/data", "write ./server:/export/data for a folder of that name"),
        ("file://tmp/x", "put three slashes after 'file:'"),
        ("file:tmp/x", "put three slashes after 'file:'"),
        ("file:///~/x", "write ~/x without file:"),
        ("file://~/x", "write ~/x without file:"),
        ("file:~/x", "write ~/x without file:"),
        ("file://$HOME/x", "got a variable that no shell has replaced"),
        ("az://${CONTAINER}/prod", "got a variable that no shell has replaced"),
        ("~unknown-user/x", "write the whole path"),
        ("$HOME/modeldata", "got a variable that no shell has replaced"),
        ("${STORE}", "got a variable that no shell has replaced"),
        ("<store>", "got a placeholder"),
        ("$(pwd)/x", "got a command that no shell has run"),
        ('"/data', "got one with a quote at one end"),
        ("/data\nmore", "got one with control characters"),
        ("file:///data%0Amore", "got one with control characters"),
        ("http://acct.blob.core.windows.net/c", "tokens are sent over https only"),
        ("https://acct.file.core.windows.net/share", f"write {HOST}/container"),
        (f"https://user:{SECRET}@acct.blob.core.windows.net/c", "got one that has '@'"),
        (f"AccountName=acct;AccountKey={SECRET}", "put it into AZURE_STORAGE_CONNECTION_STRING"),
        (f"BlobEndpoint={HOST}/;SharedAccessSignature=sig={SECRET}", "put it into AZURE_STORAGE_CONNECTION_STRING"),
        ("UseDevelopmentStorage=true", "put it into AZURE_STORAGE_CONNECTION_STRING"),
        (f"?sv=2022&sig={SECRET}", "or AZURE_STORAGE_SAS_TOKEN"),
        (f"az:modeldata?sig={SECRET}", "write az://modeldata"),
        ("az:\\\\modeldata\\prod", "write az://modeldata/prod"),
        ("az:", "write az://container/prefix"),
        ("az ://modeldata/prod", "write az://..."),
        ("az//modeldata/prod", "write az://..."),
        ("https//acct.blob.core.windows.net/c", "write https://..."),
        ("https:/acct.blob.core.windows.net/c", f"write {HOST}/c"),
        (f"https:acct.blob.core.windows.net/c?sig={SECRET}", "expected two slashes after 'https:'"),
        ("acct.blob.core.windows.net/c/p", f"write {HOST}/c/p"),
        ("//acct.dfs.core.windows.net/c", f"write {HOST}/c"),
        ("acct.z01.blob.storage.azure.net", "without a scheme: write https://acct.z01.blob.storage.azure.net"),
        (
            "/subscriptions/1/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/acct",
            "write https://account.blob.core.windows.net/container",
        ),
        ("dbfs:/Volumes/main/models/x", "write /Volumes/main/models/x, where Databricks mounts it"),
    ],
)
def test_a_store_that_is_not_certain_is_refused_with_what_to_write(given: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        meant_store(given)
    assert cure in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are paths there")
@pytest.mark.parametrize("given", ["C:\\data\\x", "c:/data", "\\\\server\\share", "file:///C:/data"])
def test_a_path_of_windows_is_no_folder_elsewhere(given: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a folder of this machine, got the path .* of Windows"):
        meant_store(given)


@given(
    path=st.from_regex(r"/[a-zA-Z0-9 ?#&=+@!,()_-]{1,12}(/[a-zA-Z0-9._ -]{1,8}){0,2}", fullmatch=True),
    form=st.sampled_from(["{}", "file:{}", "file://{}", "'{}'", '"file://{}"\n']),
)
def test_every_form_of_a_folder_is_the_same_folder(path: str, form: str) -> None:
    expected = path.rstrip()
    assert meant_store(form.format(expected)) == expected


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        (f"{HOST}/c?sv=1&sig={SECRET}", True, f"{HOST}/c"),
        (f"https://user:{SECRET}@acct.blob.core.windows.net/c", True, f"{HOST}/c"),
        (f"AccountName=a;AccountKey={SECRET};X=1", True, "AccountName=a;AccountKey=REDACTED;X=1"),
        (f"?sig={SECRET}", True, "?sig=REDACTED"),
        (f'"sig={SECRET}', True, '"sig=REDACTED'),
        ("az://c@acct/p", False, "az://acct/p"),
        ("./a?b", False, "./a?b"),
        ("file:///a?b", False, "file:///a?b"),
        ("./design=1", False, "./design=1"),
    ],
)
def test_what_is_shown_of_a_store_has_no_secret(text: str, secret: bool, shown: str) -> None:
    assert (has_secret(text), shown_store(text)) == (secret, shown)


@pytest.mark.parametrize("command", [["receive", "--store"], ["audit"], ["doctor", "--store"], ["demo", "--store"]])
@pytest.mark.parametrize(
    "store",
    [
        f"{HOST}/c?sv=1&sig={SECRET}",
        f"https://user:{SECRET}@acct.blob.core.windows.net/c",
        f"AccountName=acct;AccountKey={SECRET}",
        f"?sig={SECRET}",
    ],
)
def test_a_secret_in_a_command_line_is_refused_without_being_shown(
    command: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main([*command, store])
    said = capsys.readouterr()
    assert (caught.value.code, said.out) == (2, "")
    assert "put the signature into AZURE_STORAGE_SAS_TOKEN" in said.err
    assert SECRET not in said.err


@pytest.mark.parametrize("url", [f"https://user:{SECRET}@gateway:4317", f"https://gateway:4317?token={SECRET}"])
def test_a_secret_in_the_endpoint_of_a_command_line_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["doctor", "--endpoint", url])
    said = capsys.readouterr().err
    assert (caught.value.code, SECRET in said) == (2, False)
    assert "put credentials into OTEL_EXPORTER_OTLP_HEADERS" in said


def test_an_argument_too_much_is_reported_without_its_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["audit", "./modeldata", f"{HOST}/c?sv=1&sig={SECRET}"])
    assert f"unrecognized arguments: {HOST}/c?sv=1&sig=REDACTED" in capsys.readouterr().err


def test_a_password_in_an_az_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigError) as raised:
        meant_store("az://name:s3cret@container/prefix")
    assert str(raised.value) == ("expected az://container/prefix, got a name and a password in it: remove them")
