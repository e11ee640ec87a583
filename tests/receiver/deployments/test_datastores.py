"""Datastore paths of Azure ML, and the containers that they name."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.config.store_access import DatastoreConfig, IdentityConfig, WorkspaceConfig
from otel_modeldata_receiver.deployments.datastores import DatastorePath, Datastores, is_datastore_path
from otel_modeldata_receiver.exceptions import ConfigError

SHORT = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/model_inputs"
LONG = "azureml://subscriptions/sub/resourcegroups/rg/workspaces/ws/datastores/lake/paths/a/b"
LAKE = DatastoreConfig(url="az://lake")
THEIRS = DatastoreConfig(url="az://theirs", sas_file="/run/sas")


def test_the_short_form_is_a_datastore_and_a_folder_of_it() -> None:
    """S35, and S52: the root that Azure's collector uses."""
    assert DatastorePath.parse(SHORT) == DatastorePath(
        name="workspaceblobstore", workspace=None, path="modelDataCollector/my_endpoint/blue/model_inputs"
    )


def test_the_long_form_has_the_subscription() -> None:
    """S34."""
    path = DatastorePath.parse(LONG)
    assert path == DatastorePath(name="lake", workspace=("sub", "rg", "ws"), path="a/b")
    assert path.key == "sub/rg/ws/lake"


@pytest.mark.parametrize(
    "text",
    [
        LONG.replace("resourcegroups", "resourceGroups"),
        f" {LONG}/ ",  # the documentation's own example ends with a blank
        LONG.replace("azureml:", "AzureML:"),
    ],
)
def test_azures_own_spellings_are_the_same(text: str) -> None:
    assert DatastorePath.parse(text) == DatastorePath.parse(LONG)


@pytest.mark.parametrize("text", ["azureml://datastores/lake/paths/", "azureml://datastores/lake/paths"])
def test_a_whole_datastore_has_no_path(text: str) -> None:
    assert DatastorePath.parse(text).path == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "modelDataCollector/x",
        "abfss://c@a.dfs.core.windows.net/x",
        "https://a.blob.core.windows.net/c/x",
        "azureml:lake",
        "azureml://datastores/lake",
        "azureml://datastores//paths/x",
        "azureml://datastores/la ke/paths/x",
        "azureml://datastores/../paths/x",
        "azureml://datastores/lake/paths/a/../../b",
        "azureml://datastores/lake/paths/a//b",
        "azureml://datastores/lake/paths/a b",
        "azureml://datastores/lake/paths/a?sig=x",
        "azureml://datastores/lake/paths/${{name}}",
        "azureml://datastores/lake/paths/a%2e%2e/b",
        "azureml://datastores/lake/paths/\u4f60",
        "azureml://subscriptions/s/workspaces/w/datastores/lake/paths/x",
        "azureml://subscriptions/s/resourcegroups/g/workspaces/w/x/datastores/lake/paths/x",
    ],
)
def test_a_malformed_path_is_reported_in_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^expected a path like azureml://datastores/") as caught:
        DatastorePath.parse(text)
    assert f"got {text.replace('sig=x', 'sig=REDACTED')!r}: " in str(caught.value)


def test_a_path_is_recognized_by_its_scheme() -> None:
    assert is_datastore_path(SHORT)
    assert is_datastore_path("AZUREML:x")
    assert not is_datastore_path("az://container")


def test_a_datastore_is_found_by_its_name_in_any_case() -> None:
    known = Datastores({"Lake": LAKE, "SUB/rg/ws/lake": THEIRS})
    assert known.find(DatastorePath.parse("azureml://datastores/lake/paths/x")) is LAKE
    assert known.find(DatastorePath.parse(LONG)) is THEIRS


def test_the_long_form_of_the_configured_workspace_equals_the_short_form() -> None:
    own = WorkspaceConfig(subscription_id="SUB", resource_group="rg", name="ws")
    assert Datastores({"lake": LAKE}, own).find(DatastorePath.parse(LONG)) is LAKE
    with pytest.raises(ConfigError):
        Datastores({"lake": LAKE}).find(DatastorePath.parse(LONG))


def test_an_unknown_datastore_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError) as caught:
        Datastores({"lake": LAKE, "b": LAKE}).find(DatastorePath.parse(SHORT))
    assert str(caught.value) == (
        "expected a known datastore, got 'workspaceblobstore' (known: b, lake): list it under 'datastores' in the "
        "receiver's configuration, or set the 'workspace' that knows it"
    )


def test_an_unlisted_datastore_is_looked_up_in_azure_ml_once() -> None:
    asked: list[str] = []

    def ask(path: DatastorePath) -> DatastoreConfig:
        asked.append(path.key)
        return THEIRS

    known = Datastores({"lake": LAKE}, None, ask)
    assert [known.find(DatastorePath.parse(SHORT)) for _ in range(2)] == [THEIRS, THEIRS]
    assert known.find(DatastorePath.parse("azureml://datastores/lake/paths/x")) is LAKE
    assert asked == ["workspaceblobstore"]


def test_a_collections_client_id_opens_a_datastore_without_credentials() -> None:
    """S32."""
    known = Datastores({"lake": LAKE, "theirs": THEIRS})
    found = known.find(DatastorePath.parse("azureml://datastores/lake/paths/x"), "client-1")
    assert found == DatastoreConfig(url="az://lake", identity=IdentityConfig(client_id="client-1"))
    assert known.find(DatastorePath.parse("azureml://datastores/theirs/paths/x"), "client-1") is THEIRS
