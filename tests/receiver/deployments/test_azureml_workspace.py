"""Azure ML through its own library: the requests that register an asset and look up a datastore.

The library is real; the service is `azure_ml.py`.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from azure_ml import TOKEN, AzureMl, Identity, azure_ml

from otel_modeldata_receiver.config.store_access import DatastoreConfig, WorkspaceConfig
from otel_modeldata_receiver.deployments import azureml_workspace
from otel_modeldata_receiver.deployments.azureml_workspace import AzureWorkspace
from otel_modeldata_receiver.deployments.data_assets import MLTABLE, DataAsset, asset_file
from otel_modeldata_receiver.deployments.datastores import DatastorePath
from otel_modeldata_receiver.exceptions import AssetError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Azure ML's library uses deprecated parts of its dependencies.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("sys.platform == 'win32'"),
]

WORKSPACE = WorkspaceConfig(subscription_id="11111111-0000-0000-0000-000000000000", resource_group="rg", name="ws")
PREFIX = (
    "/subscriptions/11111111-0000-0000-0000-000000000000/resourceGroups/rg"
    "/providers/Microsoft.MachineLearningServices/workspaces/ws"
)
OTHER = "22222222-0000-0000-0000-000000000000"
ASSET = DataAsset(
    name="credit-blue-model_inputs",
    version="1",
    path="azureml://datastores/workspaceblobstore/paths/modelDataCollector/credit/blue/model_inputs",
    description="model_inputs of credit/blue",
)
BLOB = {
    "datastoreType": "AzureBlob",
    "accountName": "account",
    "containerName": "container",
    "endpoint": "core.windows.net",
    "protocol": "https",
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureMl]:
    with azure_ml(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def workspace(service: AzureMl) -> AzureWorkspace:
    return AzureWorkspace(WORKSPACE, Identity)


def test_an_asset_is_registered_as_a_folder(service: AzureMl, workspace: AzureWorkspace) -> None:
    """S75, S79: Studio and model monitors list it."""
    workspace.register(ASSET)
    ((method, path, content),) = service.requests
    assert (method, path) == ("PUT", f"{PREFIX}/data/credit-blue-model_inputs/versions/1")
    sent = content["properties"]
    assert (sent["dataType"], sent["dataUri"], sent["description"]) == ("uri_folder", ASSET.path, ASSET.description)
    assert service.tokens == {f"Bearer {TOKEN}"}


def test_an_asset_that_exists_already_is_a_success(service: AzureMl, workspace: AzureWorkspace) -> None:
    workspace.register(ASSET)
    workspace.register(ASSET)
    service.refusals = [409]
    workspace.register(ASSET)
    assert service.assets == {"credit-blue-model_inputs/1": ASSET.path}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_reported_in_one_sentence_that_names_the_role(
    service: AzureMl, workspace: AzureWorkspace, status: int
) -> None:
    service.refusals = [status] * 5
    with pytest.raises(AssetError) as caught:
        workspace.register(ASSET)
    sentence = str(caught.value)
    assert sentence.startswith(
        f"expected to register data asset 'credit-blue-model_inputs' in workspace 'ws', got {status} "
    )
    assert sentence.endswith("give the receiver's identity the role 'AzureML Data Scientist' there")
    assert TOKEN not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("azureml://datastores/lake/paths/p", PREFIX),
        (
            f"azureml://subscriptions/{OTHER}/resourcegroups/other/workspaces/theirs/datastores/lake/paths/p",
            PREFIX.replace(WORKSPACE.subscription_id, OTHER).replace("/rg/", "/other/").replace("/ws", "/theirs"),
        ),
    ],
)
def test_a_datastore_is_looked_up_in_its_own_workspace(
    service: AzureMl, workspace: AzureWorkspace, text: str, prefix: str
) -> None:
    """S30, S34: a container in this subscription or another."""
    service.datastores["lake"] = BLOB
    found = workspace.datastore(DatastorePath.parse(text))
    assert found == DatastoreConfig(url="https://account.blob.core.windows.net/container")
    assert [(method, path) for method, path, _ in service.requests] == [("GET", f"{prefix}/datastores/lake")]


def test_the_blob_endpoint_of_a_data_lake_takes_append_blobs(service: AzureMl, workspace: AzureWorkspace) -> None:
    lake = {**BLOB, "datastoreType": "AzureDataLakeGen2", "filesystem": "fs"}
    service.datastores["lake"] = {key: value for key, value in lake.items() if key != "containerName"}
    found = workspace.datastore(DatastorePath.parse("azureml://datastores/lake/paths/p"))
    assert found.url == "https://account.blob.core.windows.net/fs"


def test_a_file_share_is_refused(service: AzureMl, workspace: AzureWorkspace) -> None:
    share = {**BLOB, "datastoreType": "AzureFile", "fileShareName": "share"}
    service.datastores["files"] = {key: value for key, value in share.items() if key != "containerName"}
    with pytest.raises(ConfigError, match=r"^expected a datastore of Azure Blob Storage or Data Lake Gen2, got "):
        workspace.datastore(DatastorePath.parse("azureml://datastores/files/paths/p"))


def test_a_datastore_that_azure_ml_does_not_know_is_reported_in_one_sentence(workspace: AzureWorkspace) -> None:
    with pytest.raises(ConfigError, match=r"^expected Azure ML to know the datastore 'nowhere', got 404 ") as caught:
        workspace.datastore(DatastorePath.parse("azureml://datastores/nowhere/paths/p"))
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_setting_is_refused_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(azureml_workspace, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'otel-modeldata\[azureml\]'"):
        AzureWorkspace(WORKSPACE)


def test_the_asset_file_is_one_that_az_ml_data_create_takes(tmp_path: Path) -> None:
    """Read by the loader behind that command."""
    from azure.ai.ml import load_data

    path = tmp_path / "credit-blue-model_inputs-v1.data.yml"
    path.write_bytes(asset_file(ASSET))
    loaded = load_data(path)
    assert (loaded.name, loaded.version, loaded.type, loaded.path) == (ASSET.name, "1", "uri_folder", ASSET.path)


def test_the_mltable_is_one_that_azure_ml_reads(tmp_path: Path) -> None:
    from azure.ai.ml.entities._data.mltable_metadata import MLTableMetadata

    path = tmp_path / "MLTable"
    path.write_text(MLTABLE)
    loaded = MLTableMetadata.load(str(path))
    assert loaded.referenced_uris() == ["./**/*.jsonl"]
    assert loaded.transformations == [
        {"read_json_lines": {"encoding": "utf8", "invalid_lines": "error", "include_path_column": False}}
    ]


def test_azure_mls_library_installs_no_telemetry_of_its_own() -> None:
    """It depends on Azure Monitor's distribution of OpenTelemetry."""
    code = (
        "import logging, azure.ai.ml;"
        "from opentelemetry import _logs, metrics, trace;"
        "providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider());"
        "print([type(one).__name__ for one in providers], logging.getLogger().handlers)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown.strip() == "['ProxyTracerProvider', '_ProxyMeterProvider', 'ProxyLoggerProvider'] []"
